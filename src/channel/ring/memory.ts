/** The memory of a ring: made by one side, checked by the other before it is used. */
import { IpcError } from '../../core/errors.js';
import type { Mapping } from '../../mmap/index.js';
import {
  CAPACITY,
  CONSUMER_PID,
  ENDED,
  HEADER_BYTES,
  JOINED,
  JOINED_CONSUMER,
  JOINED_PRODUCER,
  LEAST_CAPACITY,
  MAGIC,
  MOST_CAPACITY,
  PRODUCER_PID,
  RING_MAGIC,
  RING_VERSION,
  TAIL,
  VERSION,
} from './layout.js';

/** Bytes that a ring of this capacity takes. */
export function ringBytes(capacity: number): number {
  return HEADER_BYTES + capacity;
}

/** Writes the header into fresh, zero-filled memory that nobody else sees yet. */
export function formatRing(memory: Mapping, capacity: number): void {
  const words = memory.int32;
  words[VERSION] = RING_VERSION;
  words[CAPACITY] = capacity;
  Atomics.store(words, MAGIC, RING_MAGIC);
}

/** The capacity of a ring that takes exactly this memory, if there is one. */
export function capacityOf({ byteLength }: Mapping): number | undefined {
  const capacity = byteLength - HEADER_BYTES;
  const fits = capacity >= LEAST_CAPACITY && capacity <= MOST_CAPACITY && Number.isInteger(Math.log2(capacity));
  return fits ? capacity : undefined;
}

/** Whether it is fresh: zero where a header would be. A maker who died before he was done leaves it so, since the magic comes last. */
export function isBlank(memory: Mapping): boolean {
  const words = memory.int32;
  return Atomics.load(words, MAGIC) === 0 && Atomics.load(words, JOINED) === 0;
}

/**
 * The capacity of a ring that somebody else made, after everything that it states was held against
 * the memory itself. Nothing is written before that.
 *
 * @throws IpcError EPROTO (no ring, or of another version), EBADMSG (one that cannot be)
 */
export function checkRing(memory: Mapping, name: string): number {
  const refuse = (code: string, message: string): IpcError =>
    new IpcError({ code, syscall: 'mmap', object: name, message });
  if (memory.byteLength < HEADER_BYTES + LEAST_CAPACITY)
    throw refuse('EBADMSG', `${memory.byteLength} bytes are too few for a ring`);
  const words = memory.int32;
  if (Atomics.load(words, MAGIC) !== RING_MAGIC) throw refuse('EPROTO', 'the memory holds no ring');
  const version = words[VERSION] as number;
  if (version !== RING_VERSION)
    throw refuse('EPROTO', `the ring has version ${version}, and this interproc knows ${RING_VERSION}`);
  const capacity = words[CAPACITY] as number;
  if (capacity !== capacityOf(memory)) {
    throw refuse('EBADMSG', `a ring of ${capacity} bytes in ${memory.byteLength} bytes of memory`);
  }
  return capacity;
}

/** Which end of a ring. */
export type Role = 'sender' | 'receiver';

const BIT = { sender: JOINED_PRODUCER, receiver: JOINED_CONSUMER };
const PID = { sender: PRODUCER_PID, receiver: CONSUMER_PID };

/** Notes that this process has an end; false if somebody had it before, dead or alive. */
export function joinRing(memory: Mapping, role: Role): boolean {
  if ((Atomics.or(memory.int32, JOINED, BIT[role]) & BIT[role]) !== 0) return false;
  memory.int32[PID[role]] = process.pid;
  return true;
}

/** Whether somebody has had this end. */
export function hasJoined(memory: Mapping, role: Role): boolean {
  return (Atomics.load(memory.int32, JOINED) & BIT[role]) !== 0;
}

/** Whether anything was ever sent, were it the end. */
export function hasBegun(memory: Mapping): boolean {
  return Atomics.load(memory.int32, ENDED) !== 0 || Atomics.load(memory.int32, TAIL) !== 0;
}

/** The pid that an end's owner has noted, for people. */
export function pidOf(memory: Mapping, role: Role): number {
  return memory.int32[PID[role]] as number;
}
