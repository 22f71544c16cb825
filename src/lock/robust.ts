/**
 * One robust mutex, as this thread of JavaScript uses it. native/robust.c does all that is to be done with it; where nobody else wants it,
 * and this thread has no other, the same is done here, since two calls of the addon would take longer than all the rest. The order of the
 * stores is the whole point: the kernel looks at this memory when the thread is killed, between whichever two of them.
 *
 * Pointers are 64 bits, and must be written at once. As doubles they are: stores neither round nor change them, and nothing is computed with them.
 */
import { ENOTRECOVERABLE, EOPNOTSUPP, EOWNERDEAD } from '../core/errno.js';
import { check } from '../core/errors.js';
import type { Mapping } from '../mmap/index.js';
import { type BoundLock, native, type RobustThread } from '../sys/index.js';
import type { DeadOwner } from './guard.js';
import { LAST_PID, LAST_TID, LIST, NOT_RECOVERABLE, OWNER } from './layout.js';
import { unsupported } from './place.js';

/** Indices of the list, among pointers and, twice, among halves of them. */
const FIRST = 1;
const PENDING = 3;
const FIRST_LOW = 2 * FIRST;
const FIRST_HIGH = 2 * FIRST + 1;
/** Index of the node's pointer in what a mutex has of the list. */
const NEXT = 1;

const bits = new BigUint64Array(1);
const asDouble = new Float64Array(bits.buffer);
const asInts = new Int32Array(bits.buffer);

/** The same 64 bits, to be stored, and to be compared with what is stored: not every processor compares such doubles. */
function pointer(address: bigint): [double: number, low: number, high: number] {
  bits[0] = address;
  return [asDouble[0], asInts[0], asInts[1]] as [number, number, number];
}

let thisThread: RobustThread | undefined;

function robustThread(): RobustThread {
  if (thisThread !== undefined) return thisThread;
  const thread = native().robustThread();
  if (typeof thread === 'number') throw unsupported();
  thisThread = thread;
  return thread;
}

const numbers = new Uint32Array(2);
const NO_WORDS = new Int32Array(0);
const NO_LINKS = new Float64Array(0);

/**
 * A robust mutex. What its functions answer is `undefined`, or `-errno`: see `BoundLock`. Its fields are `declare`d, so that the constructor makes
 * them, with their values: V8 reads the numbers of such fields with fewer checks than those that were undefined first, as `#private` ones are. This
 * is the way that each lock goes, and it takes a third less.
 */
export class Robust {
  declare private readonly bound: BoundLock;
  declare private readonly tid: number;
  declare private readonly pid: number;
  declare private readonly recorded: boolean;
  /** It was taken by the addon, which keeps a record of those. */
  declare private byAddon: boolean;

  /** The thread's list, and what stands where it ends. */
  declare private readonly pointers: Float64Array;
  declare private readonly halves: Int32Array;
  declare private readonly end: number;
  declare private endLow: number;
  declare private readonly endHigh: number;
  /** The address of our node. */
  declare private readonly node: number;
  declare private low: number;
  declare private readonly high: number;
  /** The mutex, and its pointers; empty while the memory cannot be reached so. */
  declare private words: Int32Array;
  declare private links: Float64Array;

  /**
   * Binds the mutex at this place. The memory stays mapped until `unbind`, which is refused while the mutex is held.
   *
   * @param recorded whether process and thread of the owner are noted behind its 40 bytes
   */
  constructor(mapping: Mapping, offset: number, recorded: boolean) {
    const { list, end, tid, pid } = robustThread();
    const bound = native().lockBind(mapping.native, offset, recorded);
    if (typeof bound === 'number') {
      if (bound === -EOPNOTSUPP) throw unsupported();
      throw new Error(`not bound: ${check(bound, 'mmap')}`);
    }
    this.bound = bound;
    this.tid = tid;
    this.pid = pid;
    this.recorded = recorded;
    this.byAddon = false;
    this.pointers = new Float64Array(list);
    this.halves = new Int32Array(list);
    [this.end, this.endLow, this.endHigh] = pointer(end);
    [this.node, this.low, this.high] = pointer(bound.node);
    this.words = new Int32Array(mapping.buffer, offset, (recorded ? LAST_TID + 4 : LIST + 16) / 4);
    this.links = new Float64Array(mapping.buffer, offset + LIST, 2);
  }

  /** -EBUSY; -EDEADLK if this thread has it; -EOWNERDEAD, and it is taken; -ENOTRECOVERABLE; -EBADF after `unbind`. */
  take(): number | undefined {
    const halves = this.halves;
    const words = this.words;
    // Nothing is in the list.
    if (halves[FIRST_LOW] !== this.endLow || halves[FIRST_HIGH] !== this.endHigh) {
      return this.#took(this.bound.take());
    }
    const pointers = this.pointers;
    const node = this.node;
    const tid = this.tid;
    pointers[PENDING] = node;
    // [take]
    if (Atomics.compareExchange(words, 0, 0, tid) !== 0) {
      pointers[PENDING] = 0;
      return this.#took(this.bound.take());
    }
    if (words[OWNER / 4] === NOT_RECOVERABLE) {
      this.bound.free();
      return -ENOTRECOVERABLE;
    }
    words[OWNER / 4] = tid;
    if (this.recorded) {
      words[LAST_PID / 4] = this.pid;
      words[LAST_TID / 4] = tid;
    }
    // [enrol]
    this.links[NEXT] = this.end;
    pointers[FIRST] = node;
    pointers[PENDING] = 0;
    this.byAddon = false;
    return undefined;
  }

  #took(result: number | undefined): number | undefined {
    if (result === undefined || result === -EOWNERDEAD) this.byAddon = true;
    return result;
  }

  /** The same, for one who has slept: FUTEX_WAITERS stays, since others may sleep. */
  takeAfterSleep(): number | undefined {
    return this.#took(this.bound.takeAfterSleep());
  }

  /** -EPERM if it is not held; -EFAULT if its word was overwritten. */
  give(): number | undefined {
    const halves = this.halves;
    const words = this.words;
    const tid = this.tid;
    // It is the first in the list.
    if (this.byAddon || halves[FIRST_LOW] !== this.low || halves[FIRST_HIGH] !== this.high) {
      return this.bound.give();
    }
    const pointers = this.pointers;
    pointers[PENDING] = this.node;
    // [withdraw]
    pointers[FIRST] = this.end;
    words[OWNER / 4] = 0;
    // [free] Unless somebody sleeps.
    if (Atomics.compareExchange(words, 0, tid, 0) !== tid) return this.bound.free();
    pointers[PENDING] = 0;
    return undefined;
  }

  /** -EINVAL if its last owner was not found dead. */
  consistent(): number | undefined {
    return this.bound.consistent();
  }

  /** Whose death the last `take` has told of. */
  deadOwner(): DeadOwner {
    this.bound.died(numbers);
    const [pid, tid] = numbers as unknown as [number, number];
    return { pid: pid === 0 ? undefined : pid, tid: tid === 0 ? undefined : tid };
  }

  /** The memory has got another buffer, or none. No list begins at 1, so that all is left to the addon, which has the memory still. */
  remapped(): void {
    this.endLow = 1;
    this.low = 1;
    this.words = NO_WORDS;
    this.links = NO_LINKS;
  }

  /** -EBUSY while it is held. */
  unbind(): number | undefined {
    this.remapped();
    return this.bound.unbind();
  }
}
