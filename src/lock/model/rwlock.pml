/*
 * The lock for readers and writers: claims, burials, the order of wishes, and what is told after a writer's death.
 *
 * source: src/lock/rwlock.ts, src/lock/seats.ts, src/lock/table.ts, native/robust.c, native/sleeping.c
 * run: nobody is killed, nobody looks by the clock, waits are aborted: -DDEATHS=0 -DTURNS=1 -DABORTING
 * run: one is killed; three write: -DDEATHS=1 -DLOOK -DREADERS=0
 * run: one is killed and comes back; one reads, two write: -DDEATHS=1 -DLOOK -DCOMEBACKS=1
 * run: one is killed and comes back; two read, one writes: -DDEATHS=1 -DLOOK -DREADERS=2 -DCOMEBACKS=1
 * run: two are killed; three write: -DDEATHS=2 -DLOOK -DREADERS=0 -DVICTIMS=2
 * without: WITHOUT_SETTLING_SOON: -DDEATHS=0: released while somebody was about to leave, and nobody gives it to those who wait
 * without: WITHOUT_BURY: -DDEATHS=1 -DLOOK: the dead writer's claim goes, and nobody is told
 * without: WITHOUT_INCONSISTENT_FIRST: -DDEATHS=2 -DLOOK -DREADERS=0: killed between burying the writer and saying that the data is torn
 * without: WITHOUT_STAYING_BROKEN: -DDEATHS=2 -DLOOK -DREADERS=0: broken, killed before it released: then it can be repaired, though it was given up
 * without: WITHOUT_BEING_ALONE: -DDEATHS=1 -DLOOK -DREADERS=2: two readers are told at once that the data is torn, and both repair it
 * without: WITHOUT_TELLING_EVERYBODY: -DDEATHS=1 -DLOOK -DREADERS=0: killed between granting and telling: who has got the lock sleeps on
 * without: WITHOUT_LOOKING_AT_LIVES: -DDEATHS=1 -DLOOK: the holder is killed, and nobody goes to bury it
 * without: WITHOUT_REPORTING_ONCE: -DDEATHS=1 -DLOOK -DREADERS=2: the death of a holder is told to everybody who comes
 * without: WITHOUT_GRANTING: -DDEATHS=0: nobody gets what a release has freed
 *
 * A label in brackets is a step of the source, where the same label stands as a comment.
 */
#ifndef COMEBACKS
#define COMEBACKS 0
#endif
#ifndef READERS
#define READERS 1                /* the first READERS of the three read, the others write */
#endif
#define READS(me) (me <= READERS)
#ifdef ABORTING
#define ABORTS (me == 3)       /* only one: whoever may give up cannot be stuck, and the others can */
#else
#define ABORTS false
#endif

#define WANTS_READ 1
#define WANTS_WRITE 2
#define HOLDS_READ 4
#define HOLDS_WRITE 8
#define DIED_READER 16
#define DIED_WRITER 32
#define WANTS 3
#define HOLDS 12
#define DIED 48

#define CONSISTENT 0
#define INCONSISTENT 1
#define BROKEN 2
byte consistency;

/* What must hold is said in these; the protocol does not read them. */
byte readers, writers;
bool isReading[4], isWriting[4];
bool torn;                      /* a writer is in the middle of a change, or was killed there */
bool suspect;                   /* a writer was killed, and nobody has called the data consistent since */
bool isBroken;
byte killed, reported;          /* deaths of holders */

inline wasKilled(me) {
  if
  :: isReading[me] -> isReading[me] = false; readers--
  :: isWriting[me] -> isWriting[me] = false; writers--
  :: else
  fi;
  if
  :: claim[me] & HOLDS -> killed++
  :: else
  fi;
  if
  :: claim[me] & HOLDS_WRITE -> suspect = true
  :: else
  fi
}

#include "table.pml"

#define unburied(it) (life[it] == DEAD && (claim[it] & HOLDS) -> 1 : 0)
#define unreported(it) (claim[it] & DIED -> 1 : 0)
#define BALANCED assert(killed == reported + unburied(1) + unburied(2) + unburied(3) + unreported(1) + unreported(2) + unreported(3))

/* What came of a pass behind the door, and what it is for. */
#define NOTHING 0
#define LOCK 1
#define FAILED 2
#define ATTEMPT 0
#define TAKE_BACK 1
#define SETTLE 2

#define wants(it) (claim[it] & WANTS)
#define nobodyHolds(bits) (!((claim[1] | claim[2] | claim[3]) & (bits)))
#define isBefore(it, other) (!wants(other) || ticket[it] < ticket[other])
#define isFirst(it, a, b) (wants(it) && isBefore(it, a) && isBefore(it, b))
#define asDead(it) ((claim[it] & DIED) | (claim[it] & HOLDS_READ -> DIED_READER : 0) | (claim[it] & HOLDS_WRITE -> DIED_WRITER : 0))

#ifdef WITHOUT_STAYING_BROKEN
#define mayBecomeInconsistent true
#else
#define mayBecomeInconsistent (consistency == CONSISTENT)
#endif

/* Who comes first after a dead writer is alone, also if it only wants to read: it is the one that repairs. */
#ifdef WITHOUT_BEING_ALONE
#define sharing(it) (wants(it) == WANTS_READ)
#else
#define sharing(it) (wants(it) == WANTS_READ && seen == CONSISTENT)
#endif

/* Each dead one in turn: first that the data is torn, then the claim, then the life is good for the next one. */
inline bury() {
  do
  :: atomic {                                        /* [bury] */
      if
      :: life[1] == DEAD -> it = 1
      :: life[1] != DEAD && life[2] == DEAD -> it = 2
      :: life[1] != DEAD && life[2] != DEAD && life[3] == DEAD -> it = 3
      :: else -> it = 0; break
      fi
    }
#ifdef WITHOUT_BURY
    atomic { life[it] = FREE; claim[it] = 0 }
#else
#ifdef WITHOUT_INCONSISTENT_FIRST
    atomic { seen = claim[it]; claim[it] = asDead(it) }
    atomic {
      if
      :: (seen & HOLDS_WRITE) && consistency == CONSISTENT -> consistency = INCONSISTENT
      :: else
      fi;
      seen = 0
    }
#else
    if
    :: atomic { (claim[it] & HOLDS_WRITE) && mayBecomeInconsistent -> consistency = INCONSISTENT }      /* [inconsistent] */
    :: !((claim[it] & HOLDS_WRITE) && mayBecomeInconsistent)
    fi;
    claim[it] = asDead(it);
#endif
    life[it] = FREE
#endif
  od
}

/* Those who wait, in the order of their tickets, until the first who cannot have it. */
inline settle() {
  seen = consistency;
  do
  :: atomic {
      if
      :: isFirst(1, 2, 3) -> it = 1
      :: isFirst(2, 1, 3) -> it = 2
      :: isFirst(3, 1, 2) -> it = 3
      :: else -> it = 0; break
      fi;
      if
      :: seen == BROKEN -> it = 0; break
      :: seen != BROKEN && nobodyHolds(HOLDS)
      :: seen != BROKEN && !nobodyHolds(HOLDS) && nobodyHolds(HOLDS_WRITE) && sharing(it)
      :: else -> it = 0; break
      fi
    }
    atomic {                                         /* [grant] */
      claim[it] = (claim[it] & DIED) | (sharing(it) -> HOLDS_READ : HOLDS_WRITE);
      ticket[it] = 0;
      if
      :: life[it] == DEAD ->                         /* killed since it was looked at: then it was killed as a holder */
        killed++; suspect = suspect || (claim[it] & HOLDS_WRITE)
      :: else
      fi
    }
    if
    :: it != me -> tell(it)
    :: it == me
    fi
  od;
  atomic {
    if
    :: seen == BROKEN -> seen = 0; everybody = true
    :: else -> seen = 0
    fi
  }
  TELL_EVERYBODY
}

/* What came of it, behind the door: with the lock come the deaths that nobody was told yet. */
inline look() {
  if
  :: consistency == BROKEN -> got = FAILED
  :: consistency != BROKEN && wants(me) -> got = NOTHING
  :: consistency != BROKEN && !wants(me) && (claim[me] & HOLDS) ->
    got = LOCK;
    told = (consistency == INCONSISTENT);
    it = 1;                                          /* [report] */
    do
    :: it <= N ->
      if
      :: claim[it] & DIED ->
        reported++;
#ifndef WITHOUT_REPORTING_ONCE
        claim[it] = claim[it] & (255 - DIED)
#endif
      :: else
      fi;
      it++
    :: else -> it = 0; break
    od;
    BALANCED
  :: else -> got = NOTHING
  fi
}

proctype Seat(byte me) {
  byte turns, it, seen, got, what;
  bool joined, asked, everybody, told;

born:
  {
    do
    :: atomic { turns == TURNS -> life[me] = FREE; joined = false; goto over }     /* [close] */
    :: atomic { turns < TURNS && ENTER(me); turns++; what = ATTEMPT }

inside:
      TELL_EVERYBODY;
      dirty = false;                                                               /* [see] */
      bury();
      if
      :: what == SETTLE
      :: atomic { what == ATTEMPT && !joined && claim[me] != 0 -> got = FAILED; what = SETTLE }     /* all seats are taken, or have a death to tell of */
      :: what == ATTEMPT && (joined || claim[me] == 0) ->
        if
        :: joined
        :: atomic { !joined -> life[me] = HELD; joined = true }                    /* [sit] */
        fi;
        atomic {                                                                   /* [wish] */
          wake[me] = false;
          if
          :: !asked -> asked = true; takeTicket(me); claim[me] = claim[me] | (READS(me) -> WANTS_READ : WANTS_WRITE)
          :: asked
          fi
        }
      :: atomic { what == TAKE_BACK ->                                             /* [withdraw-wish] */
          look();
          if
          :: got == NOTHING -> claim[me] = claim[me] & (255 - WANTS); ticket[me] = 0
          :: got != NOTHING
          fi
        }
      fi;
#ifndef WITHOUT_GRANTING
      settle();
#endif
      if
      :: atomic { what == ATTEMPT -> look() }
      :: what == SETTLE
      :: atomic { what == TAKE_BACK ->
          if
          :: got == NOTHING -> what = SETTLE; asked = false
          :: got != NOTHING -> what = ATTEMPT
          fi
        }
      fi;
      door = 0;                                                                    /* [leave] */
#ifndef WITHOUT_SETTLING_SOON
      if                                                                           /* [settle-soon] */
      :: atomic { dirty && ENTER(me); what = (what == ATTEMPT && got == NOTHING -> ATTEMPT : SETTLE); goto inside }
      :: !(dirty && door == 0)
      fi;
#endif

      if
      :: atomic { got == LOCK -> got = NOTHING; asked = false }
      :: atomic { got == FAILED || (got == NOTHING && what == SETTLE) ->
          got = NOTHING; asked = false; claim[me] = (joined -> claim[me] & (255 - WANTS) : claim[me]); ticket[me] = 0;
          goto turnIsOver
        }
      :: atomic { got == NOTHING && what != SETTLE && ABORTS && ENTER(me); what = TAKE_BACK; goto inside }    /* an abort, or the time is over */
      :: atomic { got == NOTHING && what != SETTLE && !wake[me] -> asleep[me] = true }        /* [sleep] */
        if
        :: atomic { !asleep[me] && ENTER(me); what = ATTEMPT; goto inside }
#ifdef LOOK
        :: atomic { asleep[me] && looks && ENTER(me); asleep[me] = false; what = ATTEMPT; goto inside }       /* [look] */
#endif
        :: atomic { asleep[me] && ABORTS && ENTER(me); asleep[me] = false; what = TAKE_BACK; goto inside }
        fi
      :: atomic { got == NOTHING && what != SETTLE && wake[me] && ENTER(me); what = ATTEMPT; goto inside }
      fi;

      atomic {
        if
        :: READS(me) -> readers++; isReading[me] = true
        :: else -> writers++; isWriting[me] = true
        fi;
        assert(writers == 0 || (writers == 1 && readers == 0));
        assert(!told || readers + writers == 1);
        assert(!isBroken);
        assert(told == suspect);
        assert(told || !torn);
        torn = torn || !READS(me)
      }
      atomic {
        if
        :: isReading[me] -> readers--; isReading[me] = false
        :: else -> writers--; isWriting[me] = false; torn = told
        fi;
        if
        :: !told
        :: told -> consistency = CONSISTENT; suspect = false; torn = false         /* [mark-consistent] */
        :: told -> consistency = BROKEN; isBroken = true                           /* [break] */
        fi;
        told = false
      }
      claim[me] = claim[me] & DIED;                                                /* [release] */
      dirty = true;                                                                /* [dirty] */
      if
      :: atomic { ENTER(me); what = SETTLE; goto inside }
      :: door != 0
      fi;
turnIsOver:
      skip
    od
  } unless { KILLED(me) }
  atomic {
    turns = 0; it = 0; seen = 0; got = 0; what = 0; joined = false; asked = false; everybody = false; told = false;
    BALANCED;
    if
    :: comebacks < COMEBACKS -> comebacks++; turns = TURNS - 1; goto born
    :: goto over
    fi
  }
over:
  skip
}

START
