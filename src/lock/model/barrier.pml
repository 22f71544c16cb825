/*
 * The barrier: arrivals, the outcome of a round in one word, its distribution, and rounds that a death breaks.
 *
 * source: src/lock/barrier.ts, src/lock/seats.ts, src/lock/table.ts, native/robust.c, native/sleeping.c
 * run: nobody is killed, nobody looks by the clock, two parties of three threads, two rounds: -DDEATHS=0 -DTURNS=2
 * run: the same with three parties: -DDEATHS=0 -DTURNS=2 -DPARTIES=3
 * run: one is killed and comes back, two parties: -DDEATHS=1 -DLOOK
 * run: one is killed and comes back, three parties: -DDEATHS=1 -DLOOK -DPARTIES=3
 * run: two are killed, two parties: -DDEATHS=2 -DLOOK -DCOMEBACKS=0
 * without: WITHOUT_BURY: -DDEATHS=1 -DLOOK: the dead one is counted
 * without: WITHOUT_NOTING: -DDEATHS=1 -DLOOK -DPARTIES=3: nobody learns that the round is broken
 * without: WITHOUT_ENDING_FIRST: -DDEATHS=1 -DLOOK: killed while ending a round, and who comes then is counted in it
 * without: WITHOUT_TELLING_EVERYBODY: -DDEATHS=1 -DLOOK: killed between giving the outcome and telling
 * without: WITHOUT_LOOKING_AT_LIVES: -DDEATHS=1 -DLOOK -DPARTIES=3: nobody goes to find the death
 *
 * A label in brackets is a step of the source, where the same label stands as a comment.
 */
#ifndef PARTIES
#define PARTIES 2
#endif

#define ARRIVED 1
#define PASSED 2
#define BROKEN 4

/* The header. `outcome` is PASSED or BROKEN while a round ends. `death`: one who took part has died, and no round was broken for it yet. */
byte round, outcome;
bool death;

/* What must hold is said in these; the protocol does not read them. */
byte arrivedIn[4];               /* the round that a seat's thread is waiting for */
byte known[12];                  /* what somebody was told of a round */
bool wasDead[4];                 /* dead already when the one inside began */
bool hurt;                       /* one who took part was killed, and no round was broken since */

inline wasKilled(me) { arrivedIn[me] = 0; hurt = true }

#include "table.pml"

#define isDead(it) (life[it] == DEAD)
#define arrived(it) (claim[it] == ARRIVED -> 1 : 0)
#define allArrived (arrived(1) + arrived(2) + arrived(3))

/* All who have arrived are given the outcome, then the next round begins. Each step can be done again: killed in the middle, the next one inside goes on. */
inline end() {                                               /* [end-round] */
  if
  :: outcome == 0
  :: outcome != 0 ->
    do
    :: atomic {
        if
        :: arrived(1) -> it = 1
        :: !arrived(1) && arrived(2) -> it = 2
        :: !arrived(1) && !arrived(2) && arrived(3) -> it = 3
        :: else -> it = 0; break
        fi;
        claim[it] = outcome
      }
      if
      :: it != me -> tell(it)
      :: it == me
      fi
    od;
    if
    :: outcome == BROKEN -> death = false
    :: outcome != BROKEN
    fi;
    round++;
    outcome = 0
  fi
}

/* [bury] */
inline bury() {
  do
  :: atomic {
      if
      :: isDead(1) -> it = 1
      :: !isDead(1) && isDead(2) -> it = 2
      :: !isDead(1) && !isDead(2) && isDead(3) -> it = 3
      :: else -> it = 0; break
      fi
    }
#ifndef WITHOUT_NOTING
    death = true;                                            /* [note-death] */
#endif
    claim[it] = 0;
    atomic { life[it] = FREE; it = 0 }
  od
}

inline settle() {
  if
  :: atomic { allArrived > 0 && death -> outcome = BROKEN; hurt = false }      /* [break] */
  :: atomic { allArrived >= PARTIES && !death ->
      assert(!(arrived(1) && wasDead[1]) && !(arrived(2) && wasDead[2]) && !(arrived(3) && wasDead[3]));
      outcome = PASSED                                       /* [pass] */
    }
  :: allArrived < PARTIES && !(allArrived > 0 && death)
  fi;
  end()
}

proctype Seat(byte me) {
  byte turns, it;
  bool joined, everybody, arriving;

born:
  {
    do
    :: atomic { turns == TURNS -> life[me] = FREE; joined = false; goto over }     /* [close] */
    :: atomic { turns < TURNS && ENTER(me); turns++; arriving = true }

inside:
      TELL_EVERYBODY;
      atomic { wasDead[1] = isDead(1); wasDead[2] = isDead(2); wasDead[3] = isDead(3) }
#ifndef WITHOUT_ENDING_FIRST
      end();
#endif
#ifndef WITHOUT_BURY
      bury();
#endif
      if
      :: joined
      :: atomic { !joined && life[me] == FREE -> life[me] = HELD; joined = true; wasDead[me] = false }        /* [sit] */
#ifdef WITHOUT_BURY
      :: atomic { !joined && life[me] == DEAD -> life[me] = HELD; joined = true }
#endif
      fi;
      atomic {
        wake[me] = false;
        if
        :: arriving -> claim[me] = ARRIVED; arrivedIn[me] = round; arriving = false          /* [arrive] */
        :: else
        fi
      }
      settle();
      atomic {
        door = 0;                                                                  /* [leave] */
        wasDead[1] = false; wasDead[2] = false; wasDead[3] = false
      }

      if
      :: atomic { claim[me] == PASSED || claim[me] == BROKEN ->
          assert(known[arrivedIn[me]] == 0 || known[arrivedIn[me]] == claim[me]);
          known[arrivedIn[me]] = claim[me]; arrivedIn[me] = 0; claim[me] = 0;
          goto turnIsOver
        }
      :: atomic { claim[me] == ARRIVED && wake[me] && ENTER(me); goto inside }
      :: atomic { claim[me] == ARRIVED && !wake[me] -> asleep[me] = true }         /* [sleep] */
        if
        :: atomic { !asleep[me] && ENTER(me); goto inside }
#ifdef LOOK
        :: atomic { asleep[me] && looks && ENTER(me); asleep[me] = false; goto inside }      /* [look] */
#endif
        :: atomic { timeout ->                                                     /* for ever: it must be that too few are left */
            assert(asleep[me] && claim[me] == ARRIVED && arrivedIn[me] == round);
            assert(allArrived < PARTIES);
            assert(life[1] != DEAD && life[2] != DEAD && life[3] != DEAD && !doorDied && door == 0 && !hurt);
            goto over
          }
        fi
      fi;
turnIsOver:
      skip
    od
  } unless { KILLED(me) }
  atomic {
    turns = 0; it = 0; joined = false; everybody = false; arriving = false;
    if
    :: comebacks < COMEBACKS -> comebacks++; turns = TURNS - 1; goto born
    :: goto over
    fi
  }
over:
  skip
}

START
