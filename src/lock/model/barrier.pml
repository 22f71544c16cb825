/*
 * The barrier: arrivals, the outcome of a round in one word, its distribution, and rounds that a death breaks.
 *
 * source: src/lock/barrier.ts
 *
 * A label in brackets is a step of the source, where the same label stands as a comment.
 */
#ifndef PARTIES
#define PARTIES 2
#endif

#define ARRIVED 1
#define PASSED 2
#define BROKEN 4

/* The header: `outcome` is twice a round, plus one if that round is broken; if it is that of `round`, it is not yet distributed. */
#define ROUNDS 12
byte round = 1, outcome;

/* What must hold is said in these; the protocol does not read them. */
byte arrivedIn[4];               /* the round that a seat's thread is waiting for, 0: none */
byte known[ROUNDS];              /* what somebody was told of a round */
bool wasDead[4];                 /* dead already when the one inside began */

inline wasKilled(me) { arrivedIn[me] = 0 }

#include "table.pml"

#define isDead(it) (life[it] == DEAD)
#define arrived(it) (claim[it] == ARRIVED -> 1 : 0)
#define waitsAlive(it) (claim[it] == ARRIVED && life[it] == HELD)

/* All who have arrived are given the outcome, then the next round begins. Killed in the middle, the next one inside goes on. */
inline distribute() {
  do
  :: atomic {
      if
      :: arrived(1) -> it = 1
      :: !arrived(1) && arrived(2) -> it = 2
      :: !arrived(1) && !arrived(2) && arrived(3) -> it = 3
      :: else -> it = 0; break
      fi;
      claim[it] = (outcome % 2 -> BROKEN : PASSED)           /* [distribute] */
    }
    if
    :: it != me -> tell(it)
    :: it == me
    fi
  od;
  round++                                                    /* [next_round] */
}

inline resume() {
#ifndef WITHOUT_RESUME
  if
  :: outcome / 2 == round -> distribute()                    /* [resume] */
  :: outcome / 2 != round
  fi
#else
  skip
#endif
}

inline bury() {
  do
  :: atomic {                                                /* [bury] */
      if
      :: isDead(1) -> it = 1
      :: !isDead(1) && isDead(2) -> it = 2
      :: !isDead(1) && !isDead(2) && isDead(3) -> it = 3
      :: else -> it = 0; break
      fi;
      dead = it; it = 0
    }
#ifdef WITHOUT_OUTCOME_FIRST
    atomic { life[dead] = FREE; claim[dead] = 0 }
#endif
    if
#ifndef WITHOUT_BREAKING
    :: waitsAlive(1) || waitsAlive(2) || waitsAlive(3) ->
      outcome = round * 2 + 1;                               /* [break_round] */
#ifndef WITHOUT_OUTCOME_FIRST
      claim[dead] = 0;                                       /* [bury_claim] */
#endif
      distribute()
    :: else -> claim[dead] = 0
#else
    :: claim[dead] = 0
#endif
    fi;
    atomic { life[dead] = FREE; dead = 0 }                   /* [bury_life] */
  od
}

proctype Seat(byte me) {
  byte turns, it, dead;
  bool joined, everybody, arriving;

born:
  {
    do
    :: atomic { turns == TURNS ->                                                  /* [close] */
        life[me] = FREE; joined = false; goto over
      }
    :: atomic { turns < TURNS && door == 0 ->
        turns++; arriving = true;
        door = me; everybody = doorDied; doorDied = false
      }

inside:
      atomic { wake[me] = false; wasDead[1] = isDead(1); wasDead[2] = isDead(2); wasDead[3] = isDead(3) }
#ifndef WITHOUT_BURY
#ifndef WITHOUT_RESUME_FIRST
      resume();
#endif
      bury();
#endif
      if
      :: joined
      :: atomic { !joined && life[me] == FREE -> life[me] = HELD; joined = true }  /* [join] */
#ifdef WITHOUT_BURY
      :: atomic { !joined && life[me] == DEAD -> life[me] = HELD; joined = true }
#endif
      fi;
      atomic {
        if
        :: arriving -> claim[me] = ARRIVED; arrivedIn[me] = round; arriving = false          /* [arrive] */
        :: else
        fi
      }
#ifdef WITHOUT_RESUME_FIRST
      resume();
#endif
#ifndef WITHOUT_BURY
      bury();
#endif
      if
      :: arrived(1) + arrived(2) + arrived(3) >= PARTIES ->
        atomic {
          assert(!(arrived(1) && wasDead[1]) && !(arrived(2) && wasDead[2]) && !(arrived(3) && wasDead[3]));
          outcome = round * 2                                                      /* [pass_round] */
        }
        distribute()
      :: else
      fi;
      TELL_EVERYBODY;
      LEAVE(me, inside);

waiting:
      atomic {
        if
        :: claim[me] == PASSED || claim[me] == BROKEN ->                           /* [consume] */
          assert(known[arrivedIn[me]] == 0 || known[arrivedIn[me]] == claim[me]);
          assert(arrivedIn[me] < round || outcome / 2 == round);
          known[arrivedIn[me]] = claim[me]; arrivedIn[me] = 0; claim[me] = 0;
          goto turnIsOver
        :: claim[me] == ARRIVED && wake[me] -> goto again
        :: claim[me] == ARRIVED && !wake[me] -> asleep[me] = true                  /* [sleep] */
        fi
      }
      if
      :: !asleep[me]
#ifdef LOOK
      :: atomic { asleep[me] && looks -> asleep[me] = false }                      /* [look] */
#endif
      :: atomic { timeout ->                                                       /* for ever: it must be that too few are left */
          assert(asleep[me] && claim[me] == ARRIVED && arrivedIn[me] == round && door == 0);
          assert(arrived(1) + arrived(2) + arrived(3) < PARTIES);
          assert(!anyDead && !doorDied);
          goto over
        }
      fi;
again:
      if
      :: claim[me] != ARRIVED -> goto waiting
      :: atomic { claim[me] == ARRIVED && door == 0 -> door = me; everybody = doorDied; doorDied = false; goto inside }
      fi;
turnIsOver:
      skip
    od
  } unless { KILLED(me) }
  atomic {
    turns = 0; it = 0; dead = 0; joined = false; everybody = false; arriving = false;
    if
    :: comebacks < COMEBACKS -> comebacks++; turns = TURNS - 1; goto born
    :: goto over
    fi
  }
over:
  skip
}

START
