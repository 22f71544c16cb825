/** Something that is done once, by whoever comes first: as pthread_once(3), but between processes, and begun anew if he dies. */

import { argumentError } from '../core/errors.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import type { Mapping } from '../mmap/index.js';
import type { DeadOwner, Guard } from './guard.js';
import { DONE, KIND, MUTEX_BYTES, ROBUST_AND_SHARED } from './layout.js';
import { Mutex } from './mutex.js';
import { checkPlace, checkThere, existsError, format, wordAt } from './place.js';

/** What is to be done once. `dead` is who had begun it and died; what he has left may be half done. */
export type OnceAction<T> = (dead: DeadOwner | undefined) => T;

/** Something that is done once. */
export class Once {
  /** Bytes that it takes. */
  static readonly byteLength = MUTEX_BYTES;

  readonly #mapping: Mapping;
  readonly #offset: number;
  readonly #mutex: Mutex;

  private constructor(mapping: Mapping, offset: number) {
    this.#mapping = mapping;
    this.#offset = offset;
    this.#mutex = Mutex.part(mapping, offset, `the once at ${offset}`);
  }

  /**
   * Makes one in memory that is zero.
   *
   * @param offset bytes from the beginning of the mapping, a multiple of 64
   * @throws IpcError EEXIST; Error ERR_INTERPROC_LAYOUT if something else is there
   */
  static create(mapping: Mapping, offset: number): Once {
    if (!make(mapping, offset)) throw existsError('once', offset);
    return new Once(mapping, offset);
  }

  /** Uses the one that is there. @throws IpcError ENOENT; Error ERR_INTERPROC_LAYOUT */
  static open(mapping: Mapping, offset: number): Once {
    checkPlace(mapping, offset, MUTEX_BYTES);
    checkThere(mapping, offset, 'once');
    return new Once(mapping, offset);
  }

  /** Uses the one that is there, or makes it. */
  static openOrCreate(mapping: Mapping, offset: number): Once {
    make(mapping, offset);
    return Once.open(mapping, offset);
  }

  /** Whether it was done. */
  get done(): boolean {
    this.#mutex.use();
    return wordAt(this.#mapping, this.#offset + DONE) !== 0;
  }

  /**
   * Does it, unless it was done; waits while somebody does it. If that one dies, or his action fails, the next one begins anew.
   *
   * @param action is awaited while nobody else can begin; if it throws, it was not done
   * @param options ends the waiting, not the action
   * @returns whether it was done here
   */
  async run(action: OnceAction<unknown>, options: WaitOptions = {}): Promise<boolean> {
    checkAction(action);
    if (this.done) return false;
    using guard = await this.#mutex.lock(options);
    const dead = this.#inherit(guard);
    if (this.done) return false;
    await action(dead);
    this.#finish();
    return true;
  }

  /** The same, blocking this thread; the action is not awaited. */
  runSync(action: OnceAction<unknown>, options: SyncWaitOptions = {}): boolean {
    checkAction(action);
    if (this.done) return false;
    using guard = this.#mutex.lockSync(options);
    const dead = this.#inherit(guard);
    if (this.done) return false;
    action(dead);
    this.#finish();
    return true;
  }

  #inherit(guard: Guard): DeadOwner | undefined {
    if (!guard.ownerDied) return undefined;
    guard.markConsistent();
    return guard.previousOwner ?? { pid: undefined, tid: undefined };
  }

  /** [done] */
  #finish(): void {
    Atomics.store(this.#mapping.int32, (this.#offset + DONE) / 4, 1);
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#mutex.closed;
  }

  /** Lets go of the handle. @throws Error ERR_INTERPROC_LOCKED while it is being done here */
  close(): void {
    this.#mutex.close();
  }

  /** `using once = …` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function checkAction(action: unknown): void {
  if (typeof action !== 'function') throw argumentError(`action must be a function, got ${typeof action}`);
}

function make(mapping: Mapping, offset: number): boolean {
  checkPlace(mapping, offset, MUTEX_BYTES);
  const image = new Int32Array(MUTEX_BYTES / 4);
  image[KIND / 4] = ROBUST_AND_SHARED;
  return format(mapping, offset, 'once', image);
}
