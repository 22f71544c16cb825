/**
 * A ring in memory that two processes share nothing of but its name: how its ends are taken and given back, and how
 * each side knows that the other lives. What has the name, and where the locks are, is the `Place`'s.
 *
 * Each end is a lock that its owner holds. A third lock guards the name: whoever takes an end, or removes what has the name, does so
 * under it and checks that the name still means it. An end that somebody has had before cannot be taken again: such memory
 * is a leftover, its name is removed and new memory made.
 */
import { setTimeout as later } from 'node:timers/promises';
import { native } from '../../sys/index.js';
import { callBlocking } from '../../core/blocking.js';
import { EIDRM } from '../../core/errno.js';
import { IpcError } from '../../core/errors.js';
import { atExit } from '../../core/exit.js';
import { statusOf } from '../../core/files.js';
import type { DescriptorHandle } from '../../core/handle.js';
import type { WaitOptions } from '../../core/wait.js';
import { Waits } from '../../core/waits.js';
import type { Mapping } from '../../mmap/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf } from '../endpoint.js';
import { type EndpointUrl, flagOption } from '../url.js';
import { ringConsumer } from './consumer.js';
import { CONSUMER_ASLEEP, PRODUCER_ASLEEP } from './layout.js';
import type { Link } from './link.js';
import { type EndLocks, FileLocks, NAME, RECEIVER, SENDER } from './locks.js';
import { checkRing, hasBegun, hasJoined, joinRing, pidOf, type Role } from './memory.js';
import { capacityOption, spinOption } from './options.js';
import { ringProducer } from './producer.js';
import { busy, Deadline } from './rendezvous.js';
import { ringSink } from './sink.js';
import { ringSource } from './source.js';
import { FutexWakeup } from './wakeup.js';

/** What has a name: found, or made for it. */
export interface Found {
  readonly locks: EndLocks;
  /** Whether new memory can be made in its place when its ring was used already. */
  readonly replaceable: boolean;
  /** Its memory, with a ring in it; asked under the lock of the name. */
  memory(): Mapping;
  /** Whether the name still means this. */
  isNamed(): boolean;
  /** Removes the name for everybody. */
  unlink(): void;
  /** Its memory carries no ring, which is asked under the lock of the name: what was made beside it is taken back. */
  unfit?(): void;
  /** Lets go of it; memory that was mapped stays. */
  close(): void;
}

/** A file or object that was found, whose owner is looked at and whose locks are on the file itself. It is closed if it is refused. */
export function foundFile(
  file: DescriptorHandle,
  url: EndpointUrl,
  more: Pick<Found, 'replaceable' | 'memory' | 'isNamed' | 'unlink'>,
): Found {
  try {
    checkOwner(statusOf(file.fd, { object: url.href }).uid, url);
  } catch (error) {
    file.close();
    throw error;
  }
  return { locks: new FileLocks(file.fd), close: () => file.close(), ...more };
}

/** How what has a name is found, or made with a ring of this capacity. */
export type Place = (url: EndpointUrl, capacity: number) => Found;

const LOCK: Record<Role, number> = { sender: SENDER, receiver: RECEIVER };
const OTHER: Record<Role, Role> = { sender: 'receiver', receiver: 'sender' };
const ASLEEP: Record<Role, number> = { sender: PRODUCER_ASLEEP, receiver: CONSUMER_ASLEEP };

/** How long a process that exits waits for somebody who is just looking at the name. */
const EXIT_MS = 100;
/** Milliseconds until somebody who has just seen an owner go has let go of his lock: a turn of his event loop. */
const WATCHER_MS = 1;
/** How often who waits for the other end looks whether that can still come, and who has no thread that waits for it to go, whether it has gone. */
const LOOK_MS = 250;

/**
 * Does something while nobody else takes an end or removes the name: within this call if nobody does
 * so now. Then no exit can come between making memory and taking its end, after which the name goes with us.
 */
async function underNameLock<T>(locks: EndLocks, options: WaitOptions, action: () => T): Promise<T> {
  if (!locks.tryTake(NAME)) await locks.take(NAME, options);
  return andGive(locks, action);
}

function andGive<T>(locks: EndLocks, action: () => T): T {
  try {
    return action();
  } finally {
    locks.give(NAME);
  }
}

/** Whether what was found has been removed by its last user since. */
function isRemoved(error: unknown): boolean {
  return error instanceof IpcError && error.errno === -EIDRM;
}

/**
 * An end that is ours. It is given back at once, so that who comes next is not kept out. The name is removed by
 * whoever leaves last, which is who sees under the lock that nobody has the other end.
 */
class TakenEnd {
  readonly #found: Found;
  readonly #role: Role;
  readonly #stayAtExit: () => void;

  constructor(found: Found, role: Role) {
    this.#found = found;
    this.#role = role;
    this.#stayAtExit = atExit(() => this.#leaveNow());
  }

  /** Gives back the end alone. Who comes next finds a leftover. */
  forsake(): void {
    this.#found.locks.give(LOCK[this.#role]);
  }

  /** The name is gone when this returns, unless somebody is just looking at it: then soon. */
  leave(): Promise<void> | undefined {
    this.#stayAtExit();
    const { locks } = this.#found;
    locks.give(LOCK[this.#role]);
    try {
      if (locks.tryTake(NAME)) return andGive(locks, this.#removeName);
    } catch (error) {
      if (isRemoved(error)) return undefined;
      throw error;
    }
    return underNameLock(locks, {}, this.#removeName).catch((error: unknown) => {
      if (!isRemoved(error)) throw error;
    });
  }

  #leaveNow(): void {
    const { locks } = this.#found;
    locks.give(LOCK[this.#role]);
    if (!locks.tryTake(NAME)) locks.takeSync(NAME, EXIT_MS);
    andGive(locks, this.#removeName);
  }

  readonly #removeName = (): undefined => {
    const { locks } = this.#found;
    if (!locks.isHeld(LOCK[OTHER[this.#role]]) && this.#found.isNamed()) this.#found.unlink();
  };
}

/** The other end, as the kernel's locks tell of it. */
class LockLink implements Link {
  readonly wakeup: FutexWakeup;
  readonly cuttable: Mapping;
  readonly #found: Found;
  readonly #end: TakenEnd;
  readonly #peer: number;
  readonly #stop = new AbortController();
  readonly #waits = new Waits();
  #watching: Promise<void> | undefined;
  #released = false;

  constructor(found: Found, memory: Mapping, end: TakenEnd, role: Role) {
    this.#found = found;
    this.cuttable = memory;
    this.#end = end;
    this.#peer = LOCK[OTHER[role]];
    this.#waits.referenced = false;
    this.wakeup = new FutexWakeup(memory.native, memory.int32, ASLEEP[role], ASLEEP[OTHER[role]]);
  }

  peerAlive(): boolean {
    return this.#found.locks.isHeld(this.#peer);
  }

  /** A thread waits until the peer's lock is free: that is the death certificate. */
  whenPeerGone(gone: () => void): void {
    this.#watching = this.#found.locks.whenFree(this.#peer, this.#stop.signal, this.#waits).then(
      (free) => {
        if (free && !this.#released) gone();
      },
      () => this.#lookForPeer(gone),
    );
  }

  /** There is no thread to wait for the peer's lock (EAGAIN of pthread_create): then we look ourselves. */
  #lookForPeer(gone: () => void): void {
    if (this.#released) return;
    const timer = setInterval(() => {
      if (!this.#released && this.peerAlive()) return;
      clearInterval(timer);
      if (!this.#released) gone();
    }, LOOK_MS).unref();
  }

  /** Memory that was cut can wake nobody: the peer learns by the lock. */
  forsake(): void {
    if (!this.#released) this.#end.forsake();
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.wakeup.close();
    // Whoever awaits close() awaits the thread's return, too.
    this.#waits.referenced = true;
    this.#stop.abort();
    this.cuttable.close();
    try {
      await this.#end.leave();
      // A thread that waits for the peer's lock still has the descriptor.
      await this.#watching;
    } finally {
      this.#found.close();
    }
  }
}

/** An end of the ring that is ours, and its other end taken, too. */
interface Joined {
  memory: Mapping;
  capacity: number;
  link: Link;
}

/** What came of trying to take an end: it, or 'soon' to try again when who watched its last owner has let go. */
type Taken = { end: TakenEnd; memory: Mapping; capacity: number } | 'soon' | undefined;

/** Its memory, held against what a ring has to be. */
function fitRing(found: Found, url: EndpointUrl): { memory: Mapping; capacity: number } {
  let memory: Mapping | undefined;
  try {
    memory = found.memory();
    return { memory, capacity: checkRing(memory, url.rest) };
  } catch (error) {
    memory?.close();
    found.unfit?.();
    throw error;
  }
}

/** Tries to take our end; `undefined` if this is a leftover, whose name is gone then. Under the lock of the name. */
function takeEnd(found: Found, url: EndpointUrl, role: Role): Taken {
  const { locks } = found;
  if (!found.isNamed()) return undefined;
  const { memory, capacity } = fitRing(found, url);
  let kept = false;
  try {
    if (!locks.tryTake(LOCK[role])) {
      if (locks.isHeld(LOCK[role])) throw busy(url.href, role, pidOf(memory, role));
      return 'soon';
    }
    // Whoever has had our end is dead, or done: its peer may still be reading, by itself.
    const peerLeft = hasJoined(memory, OTHER[role]) && !locks.isHeld(LOCK[OTHER[role]]);
    kept = !peerLeft && joinRing(memory, role);
    if (kept) return { end: new TakenEnd(found, role), memory, capacity };
    locks.give(LOCK[role]);
    if (!found.replaceable) {
      const message = 'this memory has carried a ring before; each ring needs memory of its own';
      throw new IpcError({ code: 'EBUSY', syscall: 'mmap', object: url.href, message });
    }
    found.unlink();
    return undefined;
  } finally {
    if (!kept) memory.close();
  }
}

/**
 * Waits until the other end is taken, too; false if there is nobody to wait for here: the name means something else by now, or who took the
 * other end was killed before anything was said, as if it had never come. Nobody wakes us then, so we look now and then.
 */
async function awaitPeer(found: Found, memory: Mapping, role: Role, deadline: Deadline): Promise<boolean> {
  const word = ASLEEP[role];
  const { int32, native: mapping } = memory;
  const look = setInterval(() => {
    Atomics.store(int32, word, 0);
    native().futexWake(mapping, word * 4, 1);
  }, LOOK_MS);
  try {
    while (!hasJoined(memory, OTHER[role])) {
      Atomics.store(int32, word, 1);
      if (hasJoined(memory, OTHER[role])) break;
      if (!found.isNamed()) return false;
      const awaited = { syscall: 'connect' };
      const asleep = (token: number): number => native().blockingFutexWait(token, mapping, word * 4, 1);
      await callBlocking(asleep, deadline.left(), awaited);
    }
  } finally {
    clearInterval(look);
  }
  Atomics.store(int32, word, 0);
  return !found.replaceable || found.locks.isHeld(LOCK[OTHER[role]]) || hasBegun(memory);
}

/** Tells who waits for us that we are there. */
function announce(memory: Mapping, role: Role): void {
  const word = ASLEEP[OTHER[role]];
  Atomics.store(memory.int32, word, 0);
  native().futexWake(memory.native, word * 4, 0x7fffffff);
}

async function join(place: Place, url: EndpointUrl, role: Role, options: WaitOptions): Promise<Joined> {
  const deadline = new Deadline(options, url.href);
  for (;;) {
    const found = place(url, capacityOption(url));
    let taken: Taken;
    try {
      taken = await underNameLock(found.locks, deadline.left(), () => takeEnd(found, url, role));
      if (taken === 'soon') {
        await later(WATCHER_MS);
      } else if (taken !== undefined) {
        const { memory, capacity, end } = taken;
        announce(memory, role);
        if (await awaitPeer(found, memory, role, deadline)) {
          return { memory, capacity, link: new LockLink(found, memory, end, role) };
        }
        memory.close();
        await end.leave();
      }
      found.close();
    } catch (error) {
      if (typeof taken === 'object') {
        // Nobody has come: what we made goes with us.
        taken.memory.close();
        await taken.end.leave();
      }
      found.close();
      if (!isRemoved(error)) throw error;
    }
  }
}

/** Refuses memory that another user has put there, and may have filled with anything. */
export function checkOwner(uid: number, url: EndpointUrl): void {
  if (uid === process.geteuid?.() || uid === 0 || flagOption(url, 'anyowner')) return;
  throw new IpcError({
    code: 'EACCES',
    syscall: 'mmap',
    object: url.rest,
    message: `it belongs to user ${uid}`,
    hint: '?anyowner lets objects of other users in',
  });
}

/** The `?options` of such rings. */
export const NAMED_OPTIONS: readonly string[] = ['capacity', 'spin', 'anyowner'];

/** The sending end of the ring at a place. */
export async function namedSender(place: Place, url: EndpointUrl, options: WaitOptions): Promise<OpenHalf<Sink>> {
  const { memory, capacity, link } = await join(place, url, 'sender', options);
  return ringSink(ringProducer(memory.buffer, capacity), link, url.href, spinOption(url));
}

/** The receiving end of the ring at a place. */
export async function namedReceiver(place: Place, url: EndpointUrl, options: WaitOptions): Promise<OpenHalf<Source>> {
  const { memory, capacity, link } = await join(place, url, 'receiver', options);
  return ringSource(ringConsumer(memory.buffer, capacity), link, url.href, spinOption(url));
}

/** Rings at places of one kind, as a channel. */
export function namedEndpoint(place: Place, options: readonly string[] = []): Endpoint {
  return {
    traits: { connected: true, retains: false, bounded: true, multiSender: false },
    options: [...NAMED_OPTIONS, ...options],
    sender: (url, opening) => namedSender(place, url, opening),
    receiver: (url, opening) => namedReceiver(place, url, opening),
  };
}
