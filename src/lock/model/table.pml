/*
 * What all tables share: the door, the seats with their lives, wake words, and the kernel. Included by the models of the kinds.
 *
 * The door and the lives are robust words. That those work, with whoever is killed while taking or freeing one, is what
 * mutex.pml shows; here taking one is a step, and the kernel marks the two words of a dead thread one after the other, in either order.
 *
 * source: native/robust.c, native/sleeping.c, src/lock/seats.ts, src/lock/table.ts
 *
 * A label in brackets is a step of the source, where the same label stands as a comment.
 */
#define N 3
#ifndef TURNS
#define TURNS 1
#endif
/* The first so many may be killed: where all three do the same, which two of them die makes no difference. */
#ifndef VICTIMS
#define VICTIMS 3
#endif
#ifndef COMEBACKS
#define COMEBACKS 1
#endif

byte door;                       /* who is inside, 0: nobody */
bool doorDied;                   /* FUTEX_OWNER_DIED of the door */
#define FREE 0
#define HELD 1
#define DEAD 2
byte life[N + 1];
byte claim[N + 1];               /* its bits are those of the kind */
byte ticket[N + 1];
bool dirty;                      /* the word `dirty` has changed since somebody behind the door read it */
bool wake[N + 1];                /* the wake word is another one than was read last */
bool asleep[N + 1];              /* in the kernel, on the wake word */

byte deaths, comebacks;
chan kill[N + 1] = [0] of { bit };

#ifdef WITHOUT_LOOKING_AT_LIVES
#define anyDead false
#else
#define anyDead (life[1] == DEAD || life[2] == DEAD || life[3] == DEAD)
#endif
/*
 * The sleeper goes behind the door at least every 250 ms, and does there whatever is to be done. Here it does so only if there is something to be
 * done: each of these is a cause that nobody may have told it of. Without a death there is none, so without a death it does not look.
 */
#define looks (anyDead || doorDied || dirty)

#define ENTER(me) door == 0 -> door = me; everybody = doorDied; doorDied = false      /* [enter] */

/* The order of wishes is that of tickets: one more than every wish has, which is what a counter in the header gives. */
#define MAX(a, b) (a > b -> a : b)
inline takeTicket(me) {
  ticket[me] = 0;                            /* [ticket] */
  ticket[me] = 1 + MAX(MAX(ticket[1], ticket[2]), ticket[3])
}

inline tell(it) {
  wake[it] = true;                           /* [tell] */
  asleep[it] = false                         /* and futex_wake(2) */
}

/* After a death at the door: what the dead one changed is good, but perhaps those whom it concerns were not told. */
#ifndef WITHOUT_TELLING_EVERYBODY
#define TELL_EVERYBODY \
  if                                         /* [tell-all] */ \
  :: everybody -> tell(1); tell(2); tell(3); everybody = false \
  :: !everybody \
  fi
#else
#define TELL_EVERYBODY everybody = false
#endif

/*
 * Killed: the kernel marks the two robust words of the thread, one after the other, in either order. The kill itself is one step with
 * the first of them: a thread that is killed and not yet marked is one that does nothing for a while.
 */
#define MARK_LIFE(me) if :: life[me] == HELD -> life[me] = DEAD; wasKilled(me) :: life[me] != HELD fi
#define MARK_DOOR(me) if :: door == me -> door = 0; doorDied = true :: door != me fi
#define KILLED(me) \
  atomic { kill[me]?_ -> \
    deaths++; asleep[me] = false; \
    if \
    :: door == me && life[me] == HELD -> \
      if \
      :: true -> MARK_LIFE(me) \
      :: true -> MARK_DOOR(me) \
      fi \
    :: else -> MARK_LIFE(me); MARK_DOOR(me) \
    fi \
  } \
  atomic { MARK_LIFE(me); MARK_DOOR(me) }

active proctype Killer() {
end:
  do
  :: kill[(deaths < DEATHS -> 1 : 0)]!0
  :: kill[(deaths < DEATHS -> 2 : 0)]!0
  :: kill[(deaths < DEATHS && VICTIMS == 3 -> 3 : 0)]!0
  od
}

#define START init { atomic { run Seat(1); run Seat(2); run Seat(3) } }
