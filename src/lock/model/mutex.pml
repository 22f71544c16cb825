/*
 * The robust word and the mutex on it: threads that take it, sleep for it, give up, release it, and are killed at any step.
 *
 * source: native/robust.c, native/sleeping.c, src/lock/robust.ts, src/lock/mutex.ts
 * run: nobody is killed, nobody looks by the clock, two turns each: -DDEATHS=0 -DTURNS=2
 * run: one is killed, and one comes back: -DDEATHS=1 -DLOOK
 * run: two are killed, and one comes back: -DDEATHS=2 -DLOOK
 * without: WITHOUT_PENDING: -DDEATHS=1 -DLOOK: killed between compare-exchange and enrolment: nobody learns that the word's owner is dead
 * without: WITHOUT_ENROL: -DDEATHS=1 -DLOOK: killed with the word held: the same
 * without: WITHOUT_LOOK: -DDEATHS=1: the sleeper that was woken is killed before it takes the word, and the next one sleeps on
 * without: WITHOUT_KEEPING_WAITERS: -DDEATHS=0: who has slept takes the word as if nobody else slept, and frees it without waking
 * without: WITHOUT_WAITERS_BIT: -DDEATHS=0: who goes to sleep does not say so, and is not woken
 * without: WITHOUT_PASSING_ON: -DDEATHS=0: who was woken and gives up wakes nobody
 * without: WITHOUT_WAKE: -DDEATHS=0: the word is freed and nobody woken
 * without: WITHOUT_BREAK: -DDEATHS=1 -DLOOK: released unrepaired, and the next one is told nothing
 * without: WITHOUT_STAYING_BROKEN: -DDEATHS=2 -DLOOK: who found it broken is killed with it, and the next one may repair what others were told is lost
 *
 * A label in brackets is a step of the source, where the same label stands as a comment.
 */
#define N 3
#ifndef TURNS
#define TURNS 1
#endif
/* Only one gives up, at any moment: whoever may give up cannot be stuck, and the others can. */
#define ABORTS(me) (me == 3)
#ifndef COMEBACKS
#define COMEBACKS 1
#endif

/* The word: who holds it (0: nobody), FUTEX_WAITERS, FUTEX_OWNER_DIED. */
byte owner;
bool waiters, ownerDied;

/* __owner of the pthread_mutex_t, as far as it says in what state the data is. */
#define CONSISTENT 0
#define INCONSISTENT 1
#define BROKEN 2
byte state;

/* The kernel: who sleeps on the word, who was woken; each thread's robust list and its list_op_pending. */
bool asleep[N + 1], woken[N + 1], listed[N + 1], pending[N + 1];

byte deaths, comebacks;
chan kill[N + 1] = [0] of { bit };

/* What must hold is said in these; the protocol does not read them. */
byte inside;
bool isInside[N + 1];
bool torn;      /* somebody is in the middle of a change of the data, or was killed there */
bool untold;    /* a holder has died, and nobody has been told since */
bool isBroken;

/* futex_wake(word, 1): any one of those that sleep. */
inline wakeOne() {
  if
  :: asleep[1] -> asleep[1] = false; woken[1] = true
  :: asleep[2] -> asleep[2] = false; woken[2] = true
  :: asleep[3] -> asleep[3] = false; woken[3] = true
  :: !asleep[1] && !asleep[2] && !asleep[3] -> skip
  fi
}

/* futex_wake(word, INT_MAX) */
inline wakeAll() {
  d_step {
    woken[1] = woken[1] || asleep[1]; asleep[1] = false;
    woken[2] = woken[2] || asleep[2]; asleep[2] = false;
    woken[3] = woken[3] || asleep[3]; asleep[3] = false
  }
}

/*
 * Killed. The kernel marks the word, handle_futex_death(), for what is in the thread's list and for what is pending. It is one step with the kill:
 * a thread that is killed and not yet marked is one that does nothing for a while.
 */
inline killed(me) {
  atomic { kill[me]?_ ->
    deaths++; asleep[me] = false; woken[me] = false;
    if
    :: isInside[me] -> isInside[me] = false; inside--
    :: else
    fi;
    if
    :: owner == me && (listed[me] || pending[me]) ->
      owner = 0; ownerDied = true; untold = true;
      if
      :: waiters -> wakeOne()
      :: else
      fi
    :: owner == 0 && !ownerDied && pending[me] -> wakeOne()
    :: else
    fi;
    listed[me] = false; pending[me] = false;
    turns = 0; seen = 0; slept = false; told = false; hadWaiters = false; broken = false;
    if
    :: comebacks < COMEBACKS -> comebacks++; turns = TURNS - 1; goto born
    :: goto over
    fi
  }
}

/* Whoever takes or frees says so to the kernel first. */
#ifdef WITHOUT_PENDING
#define BEGIN(me) skip
#else
#define BEGIN(me) pending[me] = true                       /* [begin] */
#endif

/* The word is ours no longer, whoever sleeps is told, and the kernel that it is over. */
inline free(me) {
  atomic {                                                 /* [free] */
    hadWaiters = waiters; owner = 0; waiters = false
  }
  atomic {                                                 /* [wake] */
#ifndef WITHOUT_WAKE
    if
    :: broken -> wakeAll()
    :: !broken && hadWaiters -> wakeOne()
    :: else
    fi;
#endif
    hadWaiters = false; broken = false
  }
  pending[me] = false                                      /* [done] */
}

/* Looked at before the new owner writes its state, also when it inherits. */
#ifdef WITHOUT_STAYING_BROKEN
#define isOver(told) (state == BROKEN && !told)
#else
#define isOver(told) (state == BROKEN)
#endif

proctype Thread(byte me) {
  byte turns, seen;
  bool slept, told, hadWaiters, broken;

born:
  {
    do
    :: turns == TURNS -> break
    :: turns < TURNS ->
      atomic { turns++; slept = false; told = false }

again:
      BEGIN(me);
      if
      :: atomic { owner == 0 && !ownerDied ->              /* [take] */
#ifndef WITHOUT_KEEPING_WAITERS
          waiters = slept;
#endif
          owner = me; woken[me] = false
        }
      :: atomic { owner == 0 && ownerDied ->               /* [inherit] */
          owner = me; ownerDied = false; told = true; woken[me] = false;
          waiters = waiters || slept
        }
      :: atomic { owner != 0 -> pending[me] = false }
        if
        :: ABORTS(me) -> goto pass                         /* tryLock(), or an abort */
        :: true -> skip
        fi;

sleep:
        if                                                 /* [announce] */
        :: atomic { owner != 0 ->
            seen = owner; woken[me] = false;
#ifndef WITHOUT_WAITERS_BIT
            waiters = true
#endif
          }
        :: owner == 0 -> goto again
        fi;
        if                                                 /* [sleep] */
#ifdef WITHOUT_WAITERS_BIT
        :: atomic { owner == seen -> asleep[me] = true; slept = true; seen = 0 }
        :: atomic { owner != seen -> seen = 0; goto again }
#else
        :: atomic { owner == seen && waiters -> asleep[me] = true; slept = true; seen = 0 }
        :: atomic { !(owner == seen && waiters) -> slept = true; seen = 0; goto again }
#endif
        fi;
        if
        :: woken[me] -> goto again
#ifdef LOOK
        :: atomic { asleep[me] && (owner == 0 || !waiters) -> asleep[me] = false; goto sleep }   /* [look] */
#endif
        :: atomic { ABORTS(me) && asleep[me] -> asleep[me] = false; goto pass }
        :: ABORTS(me) && woken[me] -> goto pass
        fi;

pass:
        atomic {                                           /* [pass-on] */
          if
          :: woken[me] ->
            woken[me] = false;
#ifndef WITHOUT_PASSING_ON
            wakeOne()
#endif
          :: else
          fi;
          goto turnIsOver
        }
      fi;

      if
      :: atomic {                                          /* [broken] */
          isOver(told) -> broken = true
        }
        free(me); goto turnIsOver
      :: atomic { !isOver(told) ->
          if
          :: told -> state = INCONSISTENT                  /* [inconsistent] */
          :: else
          fi
        }
      fi;
#ifndef WITHOUT_ENROL
      listed[me] = true;                                   /* [enrol] */
#endif
      pending[me] = false;

      atomic {
        inside++; isInside[me] = true;
        assert(inside == 1);
        assert(!isBroken);
        assert(told == untold);
        assert(told || !torn);
        untold = false; torn = true
      }
      atomic {
        if
        :: told -> torn = false; state = CONSISTENT        /* [mark-consistent] */
        :: told
        :: !told -> torn = false
        fi;
        isInside[me] = false; inside--
      }
      BEGIN(me);
      listed[me] = false;                                  /* [withdraw] */
      atomic {                                             /* [break] */
        if
        :: state == INCONSISTENT ->
#ifndef WITHOUT_BREAK
          state = BROKEN; broken = true;
#else
          state = CONSISTENT;
#endif
          isBroken = true
        :: else
        fi
      }
      free(me);
turnIsOver:
      atomic { slept = false; told = false }
    od;
    goto over
  } unless { killed(me) }
over:
  skip
}

active proctype Killer() {
end:
  do
  :: kill[(deaths < DEATHS -> 1 : 0)]!0
  :: kill[(deaths < DEATHS -> 2 : 0)]!0
  :: kill[(deaths < DEATHS -> 3 : 0)]!0
  od
}

init {
  atomic { run Thread(1); run Thread(2); run Thread(3) }
}
