/**
 * Tables: the memory of an rwlock, a semaphore, a barrier and the like, which has a seat for each who takes part. Each seat has in one word what
 * its owner has and wants. So who is in the way is a question about bytes.
 */

import { BARRIER, RWLOCK, SEMAPHORE } from '../claims.js';
import {
  OBJECTS,
  OWN,
  OWNER_DIED,
  SEAT_BYTES,
  SEAT_CLAIM,
  SEAT_INDEX,
  SEAT_PID,
  SEAT_TICKET,
  SEAT_WAKE,
  SEATS,
  TABLE_BYTES,
  TID_MASK,
  WHAT,
} from '../layout.js';
import { isOurs } from './objects.js';

/** Which table it is. */
export type TableKind = 'rwlock' | 'semaphore' | 'barrier';

/** A seat whose owner lives. */
export interface Seat {
  readonly index: number;
  readonly pid: number;
  readonly tid: number;
  readonly claim: number;
  /** When it began to want something. */
  readonly ticket: number;
}

/** A table, as far as it says who waits for whom. */
export interface Table {
  readonly kind: TableKind;
  readonly seats: readonly Seat[];
  /** Consistency, capacity, parties: the first word of the kind's own. */
  readonly own: number;
}

/** Somebody who is in the way. */
export interface Blocker {
  readonly seat: Seat;
  /** Whether there is no way without him: he has to give something up, whatever others do. */
  readonly needed: boolean;
}

const KINDS: Record<number, TableKind> = {
  [OBJECTS.rwlock]: 'rwlock',
  [OBJECTS.semaphore]: 'semaphore',
  [OBJECTS.barrier]: 'barrier',
};

/** How far before the `wake` word of a seat with this number its table begins. */
export const beforeWake = (index: number): number => TABLE_BYTES + SEAT_BYTES * index + SEAT_WAKE;

/** Of the head of a table: how many seats it has; `undefined` if it is none. */
export function seatsOf(head: DataView): number | undefined {
  return isOurs(head) && KINDS[head.getUint32(WHAT, true) & 0xff] !== undefined
    ? head.getUint32(SEATS, true)
    : undefined;
}

/** A table with all its seats; `undefined` if it is none that tells who waits for whom. Seats of the dead are nobody's. */
export function readTable(bytes: DataView): Table | undefined {
  const count = bytes.byteLength < TABLE_BYTES ? undefined : seatsOf(bytes);
  if (count === undefined || bytes.byteLength < TABLE_BYTES + SEAT_BYTES * count) return undefined;
  const seats: Seat[] = [];
  for (let index = 0; index < count; index++) {
    const at = TABLE_BYTES + SEAT_BYTES * index;
    const life = bytes.getUint32(at, true);
    const claim = bytes.getUint32(at + SEAT_CLAIM, true);
    if ((life & TID_MASK) === 0 || (life & OWNER_DIED) !== 0) continue;
    if (bytes.getUint32(at + SEAT_INDEX, true) !== index) continue;
    const pid = bytes.getUint32(at + SEAT_PID, true);
    seats.push({ index, pid, tid: life & TID_MASK, claim, ticket: bytes.getUint32(at + SEAT_TICKET, true) });
  }
  return { kind: KINDS[bytes.getUint32(WHAT, true) & 0xff] as TableKind, seats, own: bytes.getUint32(OWN, true) };
}

/** Tickets run over: which of two was drawn first. */
const isBefore = (one: Seat, other: Seat): boolean => ((one.ticket - other.ticket) | 0) < 0;

const wantsRead = ({ claim }: Seat): boolean => (claim & RWLOCK.wantsRead) !== 0;
const wantsWrite = ({ claim }: Seat): boolean => (claim & RWLOCK.wantsWrite) !== 0;
const writes = ({ claim }: Seat): boolean => (claim & RWLOCK.writes) !== 0;
const reads = ({ claim }: Seat): boolean => (claim & RWLOCK.readers) !== 0;

/** Wishes are granted in their order: behind one that excludes ours, we wait until it has been granted and is over. */
function rwlockBlockers({ seats, own }: Table, seat: Seat): Blocker[] {
  // While a writer's death has not been made good, all have it alone.
  const alone = wantsWrite(seat) || own !== 0;
  return seats
    .filter((other) => {
      if (writes(other) || (alone && reads(other))) return true;
      if (other.index === seat.index || !isBefore(other, seat)) return false;
      return wantsWrite(other) || (alone && wantsRead(other));
    })
    .map((other) => ({ seat: other, needed: true }));
}

const held = ({ claim }: Seat): number => claim & SEMAPHORE.most;
const wanted = ({ claim }: Seat): number => (claim >>> SEMAPHORE.wantedAt) & SEMAPHORE.most;

/** Who is needed: without his permits there are too few, even if all others give theirs back. So for each wish in front, since they come first. */
function semaphoreBlockers({ seats, own: capacity }: Table, seat: Seat): Blocker[] {
  const inFront = seats.filter((other) => wanted(other) > 0 && isBefore(other, seat));
  const most = Math.max(...[seat, ...inFront].map(wanted));
  return seats
    .filter((other) => held(other) > 0)
    .map((other) => ({ seat: other, needed: capacity - held(other) < most }));
}

/** Others may come and arrive in the place of those who have not: nobody is needed for sure. */
function barrierBlockers({ seats }: Table, seat: Seat): Blocker[] {
  return seats
    .filter((other) => other.index !== seat.index && (other.claim & BARRIER.most) === 0)
    .map((other) => ({ seat: other, needed: false }));
}

/** Who is in the way of the one who sits there. Nobody, if he waits for nothing. */
export function blockersOf(table: Table, seat: Seat): Blocker[] {
  if (table.kind === 'rwlock') return wantsRead(seat) || wantsWrite(seat) ? rwlockBlockers(table, seat) : [];
  if (table.kind === 'semaphore') return wanted(seat) > 0 ? semaphoreBlockers(table, seat) : [];
  return (seat.claim & BARRIER.most) !== 0 ? barrierBlockers(table, seat) : [];
}

/** What the one who sits there wants. */
export function modeOf({ kind }: Table, seat: Seat): string {
  if (kind === 'rwlock') return wantsWrite(seat) ? 'exclusive' : 'shared';
  return kind === 'semaphore' ? `-${wanted(seat)}` : 'all';
}
