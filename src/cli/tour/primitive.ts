/** What a primitive of synchronization must say about itself to be a row of the tour: one file in primitives/ each. */
import type { Mapping } from '../../mmap/index.js';
import { anonymous } from '../../mmap/index.js';
import type { Place, Start, SyncRow } from './row.js';
import { MEMORY_BYTES, type Side } from './turnCount.js';

/** One process's part in the turns. */
export interface Turns {
  /** Waits for the turn. */
  take(): Promise<unknown>;
  /** Lets the other process have it. */
  hand(): unknown;
  /** Lets go of everything. */
  close?(): unknown;
}

/** What both processes find. */
export interface Made {
  /** How they find it: a name, a path, a key; `undefined` for what stands in the memory that they inherit. */
  where?: string;
  /** What they inherit besides that memory, as descriptors 4, 5, …. */
  fds?: readonly number[];
  /** Lets go of what only they should hold. */
  close?(): void;
}

/** A primitive on the tour. */
export interface Primitive {
  /** The name for `--only`. */
  readonly name: string;
  /** What the table calls it. */
  readonly mechanism: string;
  /** Where its state is: in the kernel, or in memory that both share, where the kernel is entered only to sleep and to wake. */
  readonly way: 'kernel' | 'memory';
  readonly processes: 'siblings' | 'unrelated';
  /** Makes it, before the two processes start. */
  make(place: Place, memory: Mapping): Made;
  /** Joins it in one of the two processes. */
  join(side: Side, where: string, memory: Mapping): Turns | Promise<Turns>;
  /** Removes it; that it is not there is no error. */
  remove?(where: string): void;
}

/** The row of a primitive: two processes that hand a turn to each other through it. */
export function rowOf(primitive: Primitive): SyncRow {
  const { name, mechanism, way, processes } = primitive;
  return {
    ...{ name, mechanism, way, processes },
    family: 'sync',
    prepare(place) {
      const memory = anonymous(MEMORY_BYTES);
      const made = primitive.make(place, memory);
      const where = made.where ?? 'fd:3';
      const close = (): void => {
        memory.close();
        made.close?.();
      };
      const start = (side: Side): Start => ({
        program: 'turns',
        urls: [name, String(side), where],
        fds: [memory.fd, ...(made.fds ?? [])],
      });
      return {
        url: `${name}:${where}`,
        sender: start(0),
        receiver: start(1),
        started: close,
        cleanUp() {
          close();
          primitive.remove?.(where);
        },
      };
    },
  };
}

/** How many locks `byLocks` needs. */
export const LOCKS = 3;

/** What gives a lock back. */
export interface Guard {
  release(): void;
}

/**
 * Turns by locks that only their owner can give back. Who has turn n holds lock n, counted modulo three; to wait for the end of a turn is to
 * wait for its lock, and whoever does so holds the lock of his own next turn already. So each hand-over is one release and one wait, nobody
 * takes a lock that he has just given back, and nothing is tried again and again.
 *
 * @param lock waits for one of the three
 */
export async function byLocks(side: Side, lock: (which: number) => Promise<Guard>): Promise<Turns> {
  const held = new Map<number, Guard>();
  const take = async (turn: number): Promise<void> => {
    const which = turn % LOCKS;
    held.set(which, await lock(which));
  };
  let turn: number = side;
  await take(turn);
  // The turn before the first one is over, and its lock is that of the turn after the next.
  if (side === 0) await take(2);
  return {
    take: async () => (turn === 0 ? undefined : take(turn - 1)),
    hand() {
      const which = turn % LOCKS;
      held.get(which)?.release();
      held.delete(which);
      turn += 2;
    },
    close() {
      for (const guard of held.values()) guard.release();
    },
  };
}

/** The usual two names of a pair, or three of locks. */
export function numbered(where: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${where}-${index}`);
}
