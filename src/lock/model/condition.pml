/*
 * The condition variable: two wait with a mutex, the third signals with it, and whoever is killed takes no signal along.
 *
 * source: src/lock/condition.ts, src/lock/seats.ts, src/lock/table.ts, native/robust.c, native/sleeping.c
 * run: nobody is killed, nobody looks by the clock, each twice: -DDEATHS=0 -DTURNS=2
 * run: one is killed and comes back: -DDEATHS=1 -DLOOK
 * run: two are killed: -DDEATHS=2 -DLOOK -DCOMEBACKS=0
 * without: WITHOUT_REGISTERING_FIRST: -DDEATHS=0: the mutex is released before the wait is registered
 * without: WITHOUT_NOTING_SIGNALS: -DDEATHS=1 -DLOOK: the signal of one who was killed before it knew goes with it
 * without: WITHOUT_NOTING_SIGNALS_FIRST: -DDEATHS=2 -DLOOK -DCOMEBACKS=1: killed between taking the claim away and noting its signal
 * without: WITHOUT_PASSING_SIGNALS_ON: -DDEATHS=1 -DLOOK: what was noted is given to nobody
 * without: WITHOUT_TELLING_EVERYBODY: -DDEATHS=1 -DLOOK: killed between signalling and telling
 * without: WITHOUT_LOOKING_AT_LIVES: -DDEATHS=1 -DLOOK: nobody goes to find the death of who had the signal
 *
 * A label in brackets is a step of the source, where the same label stands as a comment.
 */
#define WAITING 1
#define SIGNALLED 2

byte left;                       /* the header: signals of the dead, for others */
byte mutex;                      /* who has the mutex; that it works is what mutex.pml shows */

/* What must hold is said in these; the protocol does not read them. */
bool waitsFor[4];                /* has released the mutex, or is about to, to be told */
byte owed, served;               /* signals that were given while somebody waited for one; signals that reached somebody */

inline wasKilled(me) { waitsFor[me] = false }

#include "table.pml"

#define isWaiting(it) (claim[it] == WAITING)
#define isBefore(it, other) (!isWaiting(other) || ticket[it] < ticket[other])
#define isFirst(it, a, b) (isWaiting(it) && isBefore(it, a) && isBefore(it, b))
#define onItsWay(it) (life[it] == HELD && claim[it] == WAITING + SIGNALLED -> 1 : 0)

inline bury() {
  do
  :: atomic {                                        /* [bury] */
      if
      :: life[1] == DEAD -> it = 1
      :: life[1] != DEAD && life[2] == DEAD -> it = 2
      :: life[1] != DEAD && life[2] != DEAD && life[3] == DEAD -> it = 3
      :: else -> it = 0; break
      fi;
      seen = claim[it]
    }
#ifdef WITHOUT_NOTING_SIGNALS_FIRST
    claim[it] = 0;
#endif
#ifndef WITHOUT_NOTING_SIGNALS
    atomic {                                         /* [note-signal] */
      left = left + (seen & SIGNALLED -> 1 : 0)
    }
#endif
    claim[it] = 0;
    atomic { life[it] = FREE; seen = 0; it = 0 }
  od
}

/* The one who has waited longest, if anybody waits. */
inline signalOne() {
  atomic {                                           /* [signal] */
    if
    :: isFirst(1, 2, 3) -> it = 1
    :: isFirst(2, 1, 3) -> it = 2
    :: isFirst(3, 1, 2) -> it = 3
    :: else -> it = 0
    fi;
    if
    :: it != 0 -> claim[it] = claim[it] | SIGNALLED
    :: else
    fi
  }
  if
  :: it != 0 -> tell(it); it = 0
  :: it == 0 -> gave = false
  fi
}

/* What the dead have not used goes to others. */
inline settle() {
#ifndef WITHOUT_PASSING_SIGNALS_ON
  do
  :: left == 0 -> break
  :: left > 0 ->
    gave = true;
    signalOne();
    atomic {                                         /* [pass-on-signal] */
      if
      :: gave -> left--
      :: !gave -> left = 0; owed = served + onItsWay(1) + onItsWay(2) + onItsWay(3)
      fi;
      gave = false
    }
  od
#else
  skip
#endif
}

#define REGISTER 0
#define ATTEMPT 1
#define SIGNAL 2

proctype Seat(byte me) {
  byte turns, it, seen, what;
  bool joined, everybody, gave;

born:
  {
    do
    :: atomic { turns == TURNS && life[me] != DEAD -> life[me] = FREE; joined = false; goto over }      /* [close] */
    :: atomic { turns < TURNS && mutex == 0 ->
        turns++; mutex = me;
        if
        :: me == 3 -> what = SIGNAL
        :: else -> what = REGISTER; waitsFor[me] = true
        fi
      }
#ifdef WITHOUT_REGISTERING_FIRST
      if
      :: what == REGISTER -> mutex = 0
      :: else
      fi;
#endif
      atomic { ENTER(me) }

inside:
      TELL_EVERYBODY;
      bury();
      if
      :: atomic { !joined && life[me] == FREE -> life[me] = HELD; joined = true }      /* [sit] */
      :: joined
      fi;
      if
      :: atomic { what == REGISTER -> takeTicket(me); claim[me] = WAITING }            /* [register] */
      :: atomic { what == ATTEMPT -> wake[me] = false }
      :: atomic { what == SIGNAL ->
          owed = owed + ((waitsFor[1] && !(claim[1] & SIGNALLED)) || (waitsFor[2] && !(claim[2] & SIGNALLED)) -> 1 : 0);
          if
          :: isFirst(1, 2, 3) -> it = 1
          :: isFirst(2, 1, 3) -> it = 2
          :: else -> it = 0
          fi;
          if
          :: it != 0 -> claim[it] = claim[it] | SIGNALLED
          :: else
          fi
        }
        if
        :: it != 0 -> tell(it); it = 0
        :: it == 0
        fi
      fi;
      settle();
      if
      :: atomic { what == ATTEMPT && (claim[me] & SIGNALLED) ->                        /* [consume] */
          claim[me] = 0; ticket[me] = 0; waitsFor[me] = false; served++
        }
      :: !(what == ATTEMPT && (claim[me] & SIGNALLED))
      fi;
      door = 0;                                                                        /* [leave] */

      if
      :: atomic { what == SIGNAL -> mutex = 0 }
      :: atomic { what == REGISTER ->                                                  /* [release-mutex] */
          mutex = (mutex == me -> 0 : mutex); what = ATTEMPT
        }
        atomic { ENTER(me); goto inside }
      :: atomic { what == ATTEMPT && claim[me] == 0 && mutex == 0 -> mutex = me }
        mutex = 0
      :: atomic { what == ATTEMPT && claim[me] != 0 && wake[me] && ENTER(me); goto inside }
      :: atomic { what == ATTEMPT && claim[me] != 0 && !wake[me] -> asleep[me] = true }      /* [sleep] */
        if
        :: atomic { !asleep[me] && ENTER(me); goto inside }
#ifdef LOOK
        :: atomic { asleep[me] && looks && ENTER(me); asleep[me] = false; goto inside }      /* [look] */
#endif
        :: atomic { timeout ->                                                         /* for ever: it must be that nobody has signalled it */
            assert(asleep[me] && claim[me] == WAITING && left == 0 && mutex == 0 && door == 0);
            assert(served >= owed);
            assert(life[1] != DEAD && life[2] != DEAD && life[3] != DEAD && !doorDied);
            goto over
          }
        fi
      fi
    od
  } unless { KILLED(me) }
  atomic {
    mutex = (mutex == me -> 0 : mutex); waitsFor[me] = false;
    turns = 0; it = 0; seen = 0; what = 0; joined = false; everybody = false; gave = false;
    if
    :: comebacks < COMEBACKS -> comebacks++; turns = TURNS - 1; goto born
    :: goto over
    fi
  }
over:
  skip
}

START
