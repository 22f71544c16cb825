/** An edge with what is needed to find it again, and to say what it proves. */
import type { Edge } from './report.js';

/** An edge as a look has found it. */
export interface Found {
  readonly edge: Edge;
  /** Waiter, object and holder: the same in another look if it is the same wait for the same. */
  readonly key: string;
  /** Changes when the waiter has run, or has wished anew, in between; `undefined` where that cannot be seen. */
  readonly stamp: string | undefined;
  /** The thread that sleeps; `undefined` where that cannot be seen. */
  readonly sleeper: number | undefined;
  /** Other processes that could give up the same: those that share the open file. */
  readonly sharers: readonly number[];
  /** Whether the wait ends by itself, as that for a lease does, which the kernel takes away after a while. */
  readonly ends: boolean;
}
