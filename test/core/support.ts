/** A plain handle to wait for: an eventfd that counts, one count for each take. */
import { check } from '../../src/core/errors.js';
import { DescriptorHandle } from '../../src/core/handle.js';
import { whenPossible, whenPossibleSync } from '../../src/core/readiness.js';
import type { SyncWaitOptions, WaitOptions } from '../../src/core/wait.js';
import { EFD_SEMAPHORE, native, POLLIN } from '../../src/sys/index.js';

const EAGAIN = -11;
const AWAITED = { syscall: 'read', subject: { object: 'counter' } };

/** Counts rings; a wait takes one. */
export class Counter extends DescriptorHandle {
  attempts = 0;

  constructor() {
    super(check(native().eventfd(0, EFD_SEMAPHORE), 'eventfd'), 'the counter');
  }

  ring(): void {
    check(native().eventfdRing(this.fd), 'write');
  }

  tryTake(): true | undefined {
    this.attempts++;
    const value = native().eventfdRead(this.fd);
    if (typeof value === 'bigint') return true;
    if (value === EAGAIN) return undefined;
    check(value, 'read', AWAITED.subject);
    return undefined;
  }

  take(options?: WaitOptions): Promise<true> {
    return whenPossible(this, POLLIN, () => this.tryTake(), options, AWAITED);
  }

  takeSync(options?: SyncWaitOptions): true {
    return whenPossibleSync(this, POLLIN, () => this.tryTake(), options, AWAITED);
  }

  /** How many rings nobody has taken; takes them. */
  drain(): number {
    let left = 0;
    while (this.tryTake() === true) left++;
    return left;
  }

  describe(): string {
    return 'the counter';
  }
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run, from SEED if it is set; tests name it in what they report. */
export const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

/** Keeps this thread busy, to aim at a moment. */
export function spinMicroseconds(microseconds: number): void {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
}
