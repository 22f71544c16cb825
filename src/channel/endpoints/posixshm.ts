/**
 * `posixshm:/name`: a ring in a POSIX shared memory object, for two processes that share nothing but
 * its name. The kernel's locks on the object say who is alive, a futex wakes.
 *
 * Each end holds an open file description lock (fcntl(2)) on a byte of its own: 0 for the sender, 1
 * for the receiver; the kernel lets go of it with its owner, however that ends. Byte 2 guards the
 * name: whoever takes an end, or unlinks the object, does so under that lock and checks that the
 * name still means the object. An end that somebody has had before cannot be taken again: such an
 * object is a leftover, its name is removed and a new one made. Who waits for an end's owner to go waits for a
 * read lock on its byte, so that the moment in which it has that is not taken for a new owner. The object comes into the world
 * complete (O_TMPFILE and linkat), so there is exactly one maker and nobody sees a half-made ring.
 */
import { setTimeout as later } from 'node:timers/promises';
import { F_RDLCK, F_UNLCK, F_WRLCK, native } from '../../sys/index.js';
import { callBlocking, callBlockingSync } from '../../core/blocking.js';
import { EAGAIN, EEXIST, ENOENT } from '../../core/errno.js';
import { check, IpcError } from '../../core/errors.js';
import { atExit } from '../../core/exit.js';
import { namesDescriptor, statusOf } from '../../core/files.js';
import type { WaitOptions } from '../../core/wait.js';
import { Waits } from '../../core/waits.js';
import type { Mapping } from '../../mmap/index.js';
import * as shm from '../../shm/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf } from '../endpoint.js';
import { ringConsumer } from '../ring/consumer.js';
import { CONSUMER_ASLEEP, PRODUCER_ASLEEP } from '../ring/layout.js';
import type { Link } from '../ring/link.js';
import { checkRing, formatRing, hasJoined, joinRing, pidOf, type Role, ringBytes } from '../ring/memory.js';
import { capacityOption, spinOption } from '../ring/options.js';
import { ringProducer } from '../ring/producer.js';
import { busy, Deadline } from '../ring/rendezvous.js';
import { ringSink } from '../ring/sink.js';
import { ringSource } from '../ring/source.js';
import { FutexWakeup } from '../ring/wakeup.js';
import { type EndpointUrl, flagOption } from '../url.js';

const BYTE: Record<Role, number> = { sender: 0, receiver: 1 };
const NAME_BYTE = 2;
const OTHER: Record<Role, Role> = { sender: 'receiver', receiver: 'sender' };
const ASLEEP: Record<Role, number> = { sender: PRODUCER_ASLEEP, receiver: CONSUMER_ASLEEP };

/** Takes a lock at once; false if somebody has it. */
function tryLock(fd: number, byte: number): boolean {
  const locked = native().ofdSetLock(fd, F_WRLCK, byte, 1);
  if (locked === -EAGAIN) return false;
  check(locked, 'fcntl(F_OFD_SETLK)');
  return true;
}

const LOCKING = { syscall: 'fcntl(F_OFD_SETLKW)' };

function lockCall(fd: number, byte: number, type = F_WRLCK): (token: number) => number {
  return (token) => native().blockingOfdLock(token, fd, type, byte, 1);
}

/** Waits for a lock on a thread of its own. */
async function lock(fd: number, byte: number, options: WaitOptions): Promise<void> {
  check(await callBlocking(lockCall(fd, byte), options, LOCKING), LOCKING.syscall);
}

function unlock(fd: number, byte: number): void {
  native().ofdSetLock(fd, F_UNLCK, byte, 1);
}

/** Whether an end has an owner: only his lock is in the way of a read lock. */
function isHeld(fd: number, byte: number): boolean {
  return check(native().ofdGetLock(fd, F_RDLCK, byte, 1), 'fcntl(F_OFD_GETLK)') !== F_UNLCK;
}

/**
 * Does something while nobody else takes an end of this object or removes its name: within this call if nobody does
 * so now. Then no exit can come between making an object and taking its end, after which the name goes with us.
 */
async function underNameLock<T>(object: shm.SharedMemory, options: WaitOptions, action: () => T): Promise<T> {
  if (!tryLock(object.fd, NAME_BYTE)) await lock(object.fd, NAME_BYTE, options);
  return andUnlock(object, action);
}

function andUnlock<T>(object: shm.SharedMemory, action: () => T): T {
  try {
    return action();
  } finally {
    unlock(object.fd, NAME_BYTE);
  }
}

/** Whether the name still means this object. */
function isNamed(object: shm.SharedMemory, name: string): boolean {
  return namesDescriptor(`/dev/shm${name}`, object.fd);
}

/** How long a process that exits waits for somebody who is just looking at the name. */
const EXIT_MS = 100;

/**
 * An end that is ours. It is given back at once, so that who comes next is not kept out. The name is removed by
 * whoever leaves last, which is who sees under the lock that nobody has the other end.
 */
class TakenEnd {
  readonly #object: shm.SharedMemory;
  readonly #name: string;
  readonly #role: Role;
  readonly #stayAtExit: () => void;

  constructor(object: shm.SharedMemory, name: string, role: Role) {
    this.#object = object;
    this.#name = name;
    this.#role = role;
    this.#stayAtExit = atExit(() => this.#leaveNow());
  }

  /** The name is gone when this returns, unless somebody is just looking at it: then soon. */
  leave(): Promise<void> | undefined {
    this.#stayAtExit();
    const { fd } = this.#object;
    unlock(fd, BYTE[this.#role]);
    if (!tryLock(fd, NAME_BYTE)) return underNameLock(this.#object, {}, this.#removeName);
    andUnlock(this.#object, this.#removeName);
    return undefined;
  }

  #leaveNow(): void {
    const { fd } = this.#object;
    unlock(fd, BYTE[this.#role]);
    callBlockingSync(lockCall(fd, NAME_BYTE), { timeoutMs: EXIT_MS }, LOCKING);
    this.#removeName();
  }

  readonly #removeName = (): void => {
    const other = BYTE[OTHER[this.#role]];
    if (!isHeld(this.#object.fd, other) && isNamed(this.#object, this.#name)) shm.unlink(this.#name);
  };
}

/** The other end, as the kernel's locks tell of it. */
class LockLink implements Link {
  readonly wakeup: FutexWakeup;
  readonly cuttable: Mapping;
  readonly #object: shm.SharedMemory;
  readonly #memory: Mapping;
  readonly #end: TakenEnd;
  readonly #peer: number;
  readonly #stop = new AbortController();
  readonly #waits = new Waits();
  #watching: Promise<void> | undefined;
  #released = false;

  constructor(object: shm.SharedMemory, memory: Mapping, end: TakenEnd, role: Role) {
    this.#object = object;
    this.#memory = memory;
    this.cuttable = memory;
    this.#end = end;
    this.#peer = BYTE[OTHER[role]];
    this.#waits.referenced = false;
    this.wakeup = new FutexWakeup(memory.native, memory.int32, ASLEEP[role], ASLEEP[OTHER[role]]);
  }

  peerAlive(): boolean {
    return isHeld(this.#object.fd, this.#peer);
  }

  /** A thread waits for the peer's lock: getting it is the death certificate. */
  whenPeerGone(gone: () => void): void {
    const dead = lockCall(this.#object.fd, this.#peer, F_RDLCK);
    this.#watching = callBlocking(dead, { signal: this.#stop.signal }, LOCKING, this.#waits).then(
      (locked) => {
        if (this.#released || locked < 0) return;
        // Not ours to keep: who comes next shall see that nobody has that end.
        unlock(this.#object.fd, this.#peer);
        gone();
      },
      () => undefined,
    );
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.wakeup.close();
    // Whoever awaits close() awaits the thread's return, too.
    this.#waits.referenced = true;
    this.#stop.abort();
    this.#memory.close();
    try {
      await this.#end.leave();
      // A thread that waits for the peer's lock still has the descriptor.
      await this.#watching;
    } finally {
      this.#object.close();
    }
  }
}

/** Opens the object, or makes it. */
function openOrMake(name: string, capacity: number): shm.SharedMemory {
  for (;;) {
    try {
      return shm.open(name);
    } catch (error) {
      if (!(error instanceof IpcError) || error.errno !== -ENOENT) throw error;
    }
    try {
      return shm.create(name, { size: ringBytes(capacity), prepare: (memory) => formatRing(memory, capacity) });
    } catch (error) {
      if (!(error instanceof IpcError) || error.errno !== -EEXIST) throw error;
    }
  }
}

/** An end of the ring that is ours, and its other end taken too. */
interface Joined {
  object: shm.SharedMemory;
  memory: Mapping;
  capacity: number;
}

/** Milliseconds until somebody who has just seen an owner go has let go of his byte: a turn of his event loop. */
const WATCHER_MS = 1;

/**
 * Tries to take our end of this object; `undefined` if it is a leftover, whose name is gone then, and
 * 'soon' if it has no owner and the lock that he had is still with who watched him.
 */
function takeEnd(
  object: shm.SharedMemory,
  memory: Mapping,
  url: EndpointUrl,
  role: Role,
): TakenEnd | 'soon' | undefined {
  const name = url.rest;
  if (!isNamed(object, name)) return undefined;
  if (!tryLock(object.fd, BYTE[role])) {
    if (isHeld(object.fd, BYTE[role])) throw busy(url.href, role, pidOf(memory, role));
    return 'soon';
  }
  // Whoever has had our end is dead, or done: its peer may still be reading, by itself.
  const peerLeft = hasJoined(memory, OTHER[role]) && !isHeld(object.fd, BYTE[OTHER[role]]);
  if (!peerLeft && joinRing(memory, role)) return new TakenEnd(object, name, role);
  shm.unlink(name);
  return undefined;
}

/** Waits until the other end is taken, too: until its lock is held by somebody else. */
async function awaitPeer(joined: Joined, role: Role, options: WaitOptions): Promise<void> {
  const word = ASLEEP[role];
  const { memory } = joined;
  while (!hasJoined(memory, OTHER[role])) {
    Atomics.store(memory.int32, word, 1);
    if (hasJoined(memory, OTHER[role])) break;
    const awaited = { syscall: 'connect' };
    await callBlocking((token) => native().blockingFutexWait(token, memory.native, word * 4, 1), options, awaited);
  }
  Atomics.store(memory.int32, word, 0);
}

/** Tells who waits for us that we are there. */
function announce(joined: Joined, role: Role): void {
  const word = ASLEEP[OTHER[role]];
  Atomics.store(joined.memory.int32, word, 0);
  native().futexWake(joined.memory.native, word * 4, 0x7fffffff);
}

async function join(url: EndpointUrl, role: Role, options: WaitOptions): Promise<{ joined: Joined; link: Link }> {
  const deadline = new Deadline(options, url.href);
  for (;;) {
    const object = openOrMake(url.rest, capacityOption(url));
    let memory: Mapping | undefined;
    let end: TakenEnd | undefined;
    try {
      checkOwner(object, url);
      const mapped = object.map();
      memory = mapped;
      const capacity = checkRing(mapped, url.rest);
      const taken = await underNameLock(object, deadline.left(), () => takeEnd(object, mapped, url, role));
      if (taken === 'soon') {
        await later(WATCHER_MS);
      } else if (taken !== undefined) {
        end = taken;
        const joined = { object, memory, capacity };
        announce(joined, role);
        await awaitPeer(joined, role, deadline.left());
        return { joined, link: new LockLink(object, memory, end, role) };
      }
    } catch (error) {
      memory?.close();
      // Nobody has come: the object goes with us.
      await end?.leave();
      object.close();
      throw error;
    }
    memory.close();
    object.close();
  }
}

/** Refuses memory that another user has put there, and may have filled with anything. */
function checkOwner(object: shm.SharedMemory, url: EndpointUrl): void {
  const { uid } = statusOf(object.fd);
  if (uid === process.geteuid?.() || uid === 0 || flagOption(url, 'anyowner')) return;
  throw new IpcError({
    code: 'EACCES',
    syscall: 'shm_open',
    object: url.rest,
    message: `the object belongs to user ${uid}`,
    hint: '?anyowner lets objects of other users in',
  });
}

/** Rings in POSIX shared memory, as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: true, retains: false, bounded: true, multiSender: false },
  options: ['capacity', 'spin', 'anyowner'],
  async sender(url, options): Promise<OpenHalf<Sink>> {
    const { joined, link } = await join(url, 'sender', options);
    return ringSink(ringProducer(joined.memory.buffer, joined.capacity), link, url.href, spinOption(url));
  },
  async receiver(url, options): Promise<OpenHalf<Source>> {
    const { joined, link } = await join(url, 'receiver', options);
    return ringSource(ringConsumer(joined.memory.buffer, joined.capacity), link, url.href, spinOption(url));
  },
};
