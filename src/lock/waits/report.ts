/** What is told of who waits for whom. */

/** How it is known that somebody waits for somebody. */
export type Certainty = 'kernel' | 'registered' | 'inferred';

/** What is waited for: a lock in shared memory, one on a file, or a System V semaphore set. */
export type Mechanism =
  | 'mutex'
  | 'rwlock'
  | 'semaphore'
  | 'barrier'
  | 'flock'
  | 'record'
  | 'ofd'
  | 'lease'
  | 'semaphore set';

/** A process that waits, or is waited for, with the thread where that is known. */
export interface Party {
  pid: number;
  /**
   * The thread. Who waits by a promise is the JavaScript thread, though a small thread sleeps for it. `undefined` for what belongs to the whole process, as
   * locks on files do, and where it cannot be seen.
   */
  tid: number | undefined;
  /** The name of the program, of at most 15 bytes (/proc/PID/comm). */
  name: string;
  /** The command line, the name if it has none. */
  command: string;
  /** When the process began, in clock ticks after the machine did (/proc/PID/stat): with the pid it means one process only. */
  startTime: number;
  /** Whether it is stopped, by SIGSTOP or a debugger: it has what it has until it goes on. */
  stopped: boolean;
}

/** One waits for another. */
export interface Edge {
  /** Who waits. */
  from: Party;
  /** Who has to give something up first. */
  to: Party;
  mechanism: Mechanism;
  /** What it is about, for people: a path with the bytes, or the offset, in it; a set with the number of the semaphore. */
  object: string;
  /** How it is wanted: `'exclusive'` or `'shared'`; of semaphores what is to be done, `'-1'`, `'0'`. */
  mode: string;
  /**
   * `'kernel'`: the kernel says that this one waits, and that one has it. `'registered'`: one of the two stands in shared memory that this library
   * writes. `'inferred'`: likely, and no more.
   */
  certainty: Certainty;
}

/** A circle: each waits for the next, and the last for the first. */
export interface Cycle {
  /** The waits, in order: where one ends the next begins. None is inferred. */
  edges: Edge[];
  /** Who waits in it, in the same order. */
  parties: Party[];
  /**
   * Whether nobody but those who wait could give up what is waited for. False is usual for programs in JavaScript: a promise blocks no thread, so the
   * program may still give up what it has.
   */
  proven: boolean;
  /** Who else could give something up, so that it is not proven: other threads of a process that waits, or others who share an open file. */
  others: Party[];
}

/** Who waits for whom. */
export interface Waits {
  edges: Edge[];
  /** Circles of waits, proven ones first. Every wait that is part of a circle is in one that is told. */
  deadlocks: Cycle[];
  /** The processes that could not be looked into: another user's, unless one may trace them (ptrace(2)). What they wait for and have may be missing. */
  unreadable: number[];
}
