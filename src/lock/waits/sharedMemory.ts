/**
 * Who waits for whom because of locks in shared memory: threads that sleep on a word by futex(2), and what stands there. A robust mutex has the thread of its
 * owner in its word, which the kernel takes out when that thread ends; a table of ours says who has what.
 */
import { MUTEX_BYTES, SEAT_BYTES, SEAT_INDEX, SEAT_WAKE, TABLE_BYTES } from '../layout.js';
import type { Found } from './found.js';
import type { Maps, Place } from './maps.js';
import { memoryOf } from './memory.js';
import { readMutex } from './objects.js';
import type { Process, Processes } from './processes.js';
import type { Sleeper } from './sleepers.js';
import { beforeWake, type Blocker, blockersOf, modeOf, readTable, type Seat, seatsOf, type Table } from './table.js';

const FUTEX_PRIVATE_FLAG = 128;
const FUTEX_CLOCK_REALTIME = 256;
const FUTEX_WAIT = 0;
const FUTEX_WAIT_BITSET = 9;
/** Waits for a mutex with priority inheritance. */
const FUTEX_LOCK_PI = 6;
const FUTEX_LOCK_PI2 = 13;
const WAITS = [FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI, FUTEX_LOCK_PI2];
const WAITV_BYTES = 24;
const MOST_WORDS = 128;
/** Bytes of pthread_mutex_t. */
const PTHREAD_MUTEX_BYTES = 40;
/** More than any table has: a word that says so is not believed. */
const MOST_SEATS = 1 << 16;

/** Where the words are on which a thread sleeps, and for which processes wake each other. */
function wordsOf({ tid, call, args }: Sleeper): bigint[] {
  if (call === 'futex') {
    const operation = Number(args[1]) & ~FUTEX_CLOCK_REALTIME;
    return (operation & FUTEX_PRIVATE_FLAG) === 0 && WAITS.includes(operation) ? [args[0] as bigint] : [];
  }
  if (call !== 'futex_waitv') return [];
  const count = Math.min(Number(args[1]), MOST_WORDS);
  const waiters = memoryOf(tid, args[0] as bigint, WAITV_BYTES * count);
  if (waiters === undefined) return [];
  return Array.from({ length: count }, (_, index) => waiters.getBigUint64(WAITV_BYTES * index + 8, true));
}

/** A thread that sleeps, with what is needed to make edges of it. */
interface Waiting {
  readonly sleeper: Sleeper;
  readonly processes: Processes;
  readonly maps: Maps;
}

/** The process of a thread that can have what is at this place: one that has it mapped. Another one got the number later. */
function ownerAt(tid: number, place: Place, { processes, maps }: Waiting): Process | undefined {
  const found = processes.ofThread(tid);
  return found !== undefined && maps.has(found.pid, place) ? found : undefined;
}

const objectAt = ({ name, offset }: Place): string => `${name}, at ${offset}`;

function mutexEdges(address: bigint, waiting: Waiting): Found[] {
  const { sleeper, processes, maps } = waiting;
  const { pid, tid, behalf, switches } = sleeper;
  const bytes = memoryOf(tid, address, MUTEX_BYTES) ?? memoryOf(tid, address, PTHREAD_MUTEX_BYTES);
  const held = bytes === undefined ? undefined : readMutex(bytes);
  const place = maps.placeAt(pid, address);
  if (held === undefined || !held.hasWaiters || place === undefined) return [];
  const owner = ownerAt(held.tid, place, waiting);
  const from = processes.party(pid, behalf);
  const to = owner === undefined ? undefined : processes.party(owner.pid, held.tid);
  if (from === undefined || to === undefined) return [];
  return [
    {
      edge: { from, to, mechanism: 'mutex', object: objectAt(place), mode: 'exclusive', certainty: 'kernel' },
      key: [pid, from.startTime, tid, 'mutex', place.memory, place.offset, to.pid, to.startTime, held.tid].join(' '),
      stamp: switches,
      sleeper: tid,
      sharers: [],
      ends: false,
    },
  ];
}

/** A seat that a thread sleeps at. */
interface Seated {
  readonly table: Table;
  readonly seat: Seat;
  readonly place: Place;
}

/** The table that has this word as the `wake` of a seat; `undefined` if there is none. */
function seatedAt(address: bigint, { sleeper: { pid, tid }, maps }: Waiting): Seated | undefined {
  const own = memoryOf(tid, address - BigInt(SEAT_WAKE), SEAT_BYTES);
  const index = own?.getUint32(SEAT_INDEX, true);
  if (index === undefined || index >= MOST_SEATS) return undefined;
  const start = address - BigInt(beforeWake(index));
  if (start < 0n) return undefined;
  const head = memoryOf(tid, start, TABLE_BYTES);
  const count = head === undefined ? undefined : seatsOf(head);
  if (count === undefined || count > MOST_SEATS || index >= count) return undefined;
  const bytes = memoryOf(tid, start, TABLE_BYTES + SEAT_BYTES * count);
  const table = bytes === undefined ? undefined : readTable(bytes);
  const seat = table?.seats.find((one) => one.index === index);
  const place = maps.placeAt(pid, start);
  return table === undefined || seat === undefined || place === undefined ? undefined : { table, seat, place };
}

function tableEdge({ table, seat, place }: Seated, { seat: other, needed }: Blocker, waiting: Waiting): Found[] {
  const { sleeper, processes } = waiting;
  const owner = ownerAt(other.tid, place, waiting);
  const from = processes.party(sleeper.pid, seat.tid);
  const to = owner?.pid === other.pid ? processes.party(other.pid, other.tid) : undefined;
  if (from === undefined || to === undefined) return [];
  const certainty = needed ? 'registered' : 'inferred';
  const { kind } = table;
  const where = [kind, place.memory, place.offset];
  return [
    {
      edge: { from, to, mechanism: kind, object: objectAt(place), mode: modeOf(table, seat), certainty },
      key: [
        from.pid,
        from.startTime,
        seat.tid,
        ...where,
        seat.index,
        other.index,
        to.pid,
        to.startTime,
        other.tid,
      ].join(' '),
      stamp: `${seat.claim} ${seat.ticket}`,
      sleeper: sleeper.tid,
      sharers: [],
      ends: false,
    },
  ];
}

/** The edges of one thread that sleeps. */
function edgesOf(waiting: Waiting): Found[] {
  const words = wordsOf(waiting.sleeper);
  for (const word of words) {
    const seated = seatedAt(word, waiting);
    if (seated?.seat.pid !== waiting.sleeper.pid) continue;
    return blockersOf(seated.table, seated.seat).flatMap((blocker) => tableEdge(seated, blocker, waiting));
  }
  // Who sleeps on several words goes on with any of them.
  const [only, another] = words;
  return only === undefined || another !== undefined ? [] : mutexEdges(only, waiting);
}

/** All of them. */
export function sharedMemoryEdges(processes: Processes, asleep: readonly Sleeper[], maps: Maps): Found[] {
  return asleep.flatMap((sleeper) => edgesOf({ sleeper, processes, maps }));
}
