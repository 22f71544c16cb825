/** What a half of a ring needs besides the memory: waking, the peer's life, and giving back. */
import type { Mapping } from '../../mmap/index.js';
import type { Wakeup } from './wakeup.js';

/** The other process, as a half of a ring sees it. */
export interface Link {
  readonly wakeup: Wakeup;
  /** The memory, where a peer could cut it: it is asked after each use whether that happened. */
  readonly cuttable: Mapping | undefined;
  /** Whether the other side still holds its end, asked of the kernel now. */
  peerAlive(): boolean;
  /** Calls back once, as soon as the other side no longer holds its end. */
  whenPeerGone(gone: () => void): void;
  /** Lets the other side see that nobody has this end any more, though it is not given back yet. */
  forsake?(): void;
  /** Gives everything back; `ended`: the end mark was published, or reached. */
  release(ended: boolean): void | Promise<void>;
}

/** How long a half looks for work before it sleeps: longer than a busy peer takes to answer (docs/design/ring.md). */
export const DEFAULT_SPIN_MS = 0.02;

/**
 * Looks again and again without blocking the loop, for `spinMs`: other events are served in
 * between. `found` is asked each time; then `ready` is called, or `sleep` when the time is over.
 */
export function spin(spinMs: number, found: () => boolean, ready: () => void, sleep: () => void): () => void {
  const until = performance.now() + spinMs;
  let next: NodeJS.Immediate;
  const look = (): void => {
    if (found()) ready();
    else if (performance.now() < until) next = setImmediate(look);
    else sleep();
  };
  next = setImmediate(look);
  return () => clearImmediate(next);
}
