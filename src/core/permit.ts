/** What a semaphore has given, to be given back once. */

/** A permit that is held. `using permit = await semaphore.acquire()` gives it back at the end of the block. */
export class Permit {
  #giveBack: (() => void) | undefined;

  /** @internal */
  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  /** Whether it was given back. */
  get released(): boolean {
    return this.#giveBack === undefined;
  }

  /**
   * Gives it back; a second time it does nothing.
   *
   * @throws Error ERR_INTERPROC_CLOSED if the semaphore's handle was closed before
   */
  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }

  /** `using permit = …` gives it back at the end of the block. */
  [Symbol.dispose](): void {
    this.release();
  }
}
