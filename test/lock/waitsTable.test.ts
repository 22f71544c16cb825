/** What is read of tables, circles and lists, without any process: bytes, lines and edges that are made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as layout from '../../src/lock/layout.js';
import { circlesIn, othersOf } from '../../src/lock/waits/cycles.js';
import { conflict } from '../../src/lock/waits/fileLocks.js';
import type { Found } from '../../src/lock/waits/found.js';
import { parseMaps } from '../../src/lock/waits/maps.js';
import { BARRIER, RWLOCK, SEMAPHORE } from '../../src/lock/claims.js';
import { readMutex } from '../../src/lock/waits/objects.js';
import { parseStat } from '../../src/lock/waits/processes.js';
import type { Certainty, Party } from '../../src/lock/waits/report.js';
import { firstImpossible } from '../../src/lock/waits/semaphoreSets.js';
import { blockersOf, readTable, type Seat, type Table } from '../../src/lock/waits/table.js';

interface MadeUp {
  claim: number;
  ticket?: number;
  dead?: boolean;
}

function bytesOf(name: layout.ObjectName, own: number, seats: readonly MadeUp[]): DataView {
  const bytes = new DataView(new ArrayBuffer(layout.TABLE_BYTES + layout.SEAT_BYTES * seats.length));
  bytes.setUint32(layout.MAGIC, layout.MAGIC_WORD, true);
  bytes.setUint32(layout.WHAT, layout.whatWord(name), true);
  bytes.setUint32(layout.SEATS, seats.length, true);
  bytes.setUint32(layout.OWN, own, true);
  seats.forEach(({ claim, ticket = 0, dead = false }, index) => {
    const at = layout.TABLE_BYTES + layout.SEAT_BYTES * index;
    bytes.setUint32(at, (1000 + index) | (dead ? layout.OWNER_DIED : 0), true);
    bytes.setUint32(at + layout.SEAT_PID, 100 + index, true);
    bytes.setUint32(at + layout.SEAT_CLAIM, claim, true);
    bytes.setUint32(at + layout.SEAT_TICKET, ticket, true);
    bytes.setUint32(at + layout.SEAT_INDEX, index, true);
  });
  return bytes;
}

/** Who is in the way of the last one, with `!` where he is needed. */
function inTheWay(name: layout.ObjectName, own: number, ...seats: MadeUp[]): string[] {
  const table = readTable(bytesOf(name, own, seats)) as Table;
  const last = table.seats.at(-1) as Seat;
  assert.deepEqual([last.pid, last.tid], [99 + seats.length, 999 + seats.length]);
  return blockersOf(table, last).map(({ seat, needed }) => `${seat.index}${needed ? '!' : ''}`);
}

test('at an rwlock a writer waits for all who have it, a reader for writers, and for those who wait in front of him', () => {
  const reader = { claim: 2 };
  const writer = { claim: RWLOCK.writes };
  const wantsRead = (ticket: number): MadeUp => ({ claim: RWLOCK.wantsRead, ticket });
  const wantsWrite = (ticket: number): MadeUp => ({ claim: RWLOCK.wantsWrite, ticket });
  assert.deepEqual(inTheWay('rwlock', 0, reader, reader, wantsWrite(1)), ['0!', '1!']);
  assert.deepEqual(inTheWay('rwlock', 0, writer, wantsRead(1)), ['0!']);
  assert.deepEqual(inTheWay('rwlock', 0, reader, wantsWrite(1), wantsRead(2)), ['1!']);
  assert.deepEqual(inTheWay('rwlock', 0, reader, wantsWrite(3), wantsRead(2)), []);
  assert.deepEqual(inTheWay('rwlock', 0, reader, wantsRead(1), wantsWrite(2)), ['0!', '1!']);
  assert.deepEqual(inTheWay('rwlock', 0, reader, wantsWrite(0xffff_fffe), wantsRead(1)), ['1!'], 'tickets run over');
  assert.deepEqual(inTheWay('rwlock', 1, reader, wantsRead(1)), ['0!'], 'while a death is not made good');
  assert.deepEqual(inTheWay('rwlock', 0, { ...writer, dead: true }, wantsRead(1)), [], 'the dead have nothing');
  assert.deepEqual(inTheWay('rwlock', 0, writer, reader), [], 'who wants nothing waits for nobody');
});

test('at a semaphore who is needed is in the way for sure, by the permits that come first', () => {
  const has = (count: number): MadeUp => ({ claim: count });
  const wants = (count: number, ticket = 1, held = 0): MadeUp => ({
    claim: held | (count << SEMAPHORE.wantedAt),
    ticket,
  });
  assert.deepEqual(inTheWay('semaphore', 3, has(1), has(2), wants(1)), ['0', '1']);
  assert.deepEqual(inTheWay('semaphore', 3, has(1), has(2), wants(2)), ['0', '1!']);
  assert.deepEqual(inTheWay('semaphore', 3, has(1), has(2), wants(3)), ['0!', '1!']);
  assert.deepEqual(inTheWay('semaphore', 3, has(1), has(2), wants(3, 1), wants(1, 2)), ['0!', '1!']);
  assert.deepEqual(inTheWay('semaphore', 3, has(1), has(2), wants(3, 3), wants(1, 2)), ['0', '1']);
  assert.deepEqual(inTheWay('semaphore', 2, wants(2, 1, 1)), ['0!'], 'his own are in his way');
});

test('at a barrier nobody is needed for sure', () => {
  const arrived = { claim: BARRIER.most & 1 };
  assert.deepEqual(inTheWay('barrier', 3, { claim: 0 }, arrived, arrived), ['0']);
});

test('what is no table, or damaged, is none', () => {
  assert.equal(readTable(bytesOf('condition', 0, [{ claim: 1 }])), undefined);
  assert.equal(readTable(new DataView(new ArrayBuffer(64))), undefined);
  const many = bytesOf('rwlock', 0, [{ claim: 1 }]);
  many.setUint32(layout.SEATS, 1000, true);
  assert.equal(readTable(many), undefined);
  const other = bytesOf('rwlock', 0, [{ claim: 1 }]);
  other.setUint32(layout.MAGIC, 7, true);
  assert.equal(readTable(other), undefined);
  const misplaced = bytesOf('rwlock', 0, [{ claim: 1 }]);
  misplaced.setUint32(layout.TABLE_BYTES + layout.SEAT_INDEX, 5, true);
  assert.deepEqual(readTable(misplaced)?.seats, []);
});

test('a mutex is one if it is robust and shared, or ours; a dead owner has none', () => {
  const bytes = (word: number, kind: number, magic = 0): DataView => {
    const view = new DataView(new ArrayBuffer(64));
    view.setUint32(0, word, true);
    view.setUint32(layout.KIND, kind, true);
    view.setUint32(layout.MAGIC, magic, true);
    return view;
  };
  const held = layout.WAITERS + 77;
  assert.deepEqual(readMutex(bytes(held, 144)), { tid: 77, hasWaiters: true });
  assert.deepEqual(readMutex(bytes(77, 145)), { tid: 77, hasWaiters: false });
  assert.deepEqual(readMutex(bytes(held, 0, layout.MAGIC_WORD)), { tid: 77, hasWaiters: true });
  for (const kind of [0, 16, 128]) assert.equal(readMutex(bytes(held, kind)), undefined);
  for (const word of [0, layout.WAITERS, layout.WAITERS + layout.OWNER_DIED]) {
    assert.equal(readMutex(bytes(word, 144)), undefined);
  }
});

/** A wait: who, for whom; a party is `pid` or `pid.tid`, the sleeper another thread if it is said. */
function wait(from: string, to: string, more: Partial<Found> = {}, certainty: Certainty = 'kernel'): Found {
  const party = (text: string): Party => {
    const [pid, tid] = text.split('.').map(Number) as [number, number?];
    return { pid, tid, name: '', command: '', startTime: pid, stopped: false };
  };
  const edge = {
    from: party(from),
    to: party(to),
    mechanism: 'flock',
    object: '',
    mode: 'exclusive',
    certainty,
  } as const;
  const key = `${from} ${to}`;
  return { edge, key, stamp: '', sleeper: edge.from.tid, sharers: [], ends: false, ...more };
}

function circles(threads: number, ...found: Found[]): string[] {
  return circlesIn(found, () => threads).map((circle) => {
    const others = othersOf(circle, () => threads);
    return `${circle.map(({ key }) => key).join(', ')}: ${others.join()}`;
  });
}

test('circles are of waits that follow each other, by thread where it is known', () => {
  assert.deepEqual(circles(1, wait('1.1', '2'), wait('2.2', '1')), ['1.1 2, 2.2 1: ']);
  assert.deepEqual(circles(1, wait('1.1', '2'), wait('2.2', '3'), wait('3.3', '1')), ['1.1 2, 2.2 3, 3.3 1: ']);
  assert.deepEqual(circles(1, wait('1.1', '2'), wait('2.2', '3')), []);
  assert.deepEqual(circles(2, wait('1.1', '2'), wait('2.2', '1')), ['1.1 2, 2.2 1: 2,1']);
  assert.deepEqual(circles(2, wait('1.1', '2.2'), wait('2.2', '1.1')), ['1.1 2.2, 2.2 1.1: ']);
  assert.deepEqual(circles(2, wait('1.1', '2.2'), wait('2.3', '1.1')), [], 'another thread has it');
  assert.deepEqual(circles(2, wait('1.1', '2.2', { sleeper: 9 }), wait('2.2', '1.1')), ['1.1 2.2, 2.2 1.1: 1']);
  assert.deepEqual(circles(1, wait('1.1', '2', { sharers: [5] }), wait('2.2', '1')), ['1.1 2, 2.2 1: 5']);
});

test('what is inferred, ends by itself, or is a turn of one process, is in no circle', () => {
  assert.deepEqual(circles(1, wait('1.1', '2', {}, 'inferred'), wait('2.2', '1')), []);
  assert.deepEqual(circles(1, wait('1.1', '2', { ends: true }), wait('2.2', '1')), []);
  assert.deepEqual(circles(2, wait('1.1', '1')), []);
  assert.deepEqual(circles(1, wait('1.1', '1')), ['1.1 1: ']);
  assert.deepEqual(circles(2, wait('1.1', '1'), wait('1.1', '2'), wait('2.2', '1')), ['1.1 2, 2.2 1: 2,1']);
});

test('a process that got the number of another is another', () => {
  const later = wait('2.2', '1');
  const from = { ...later.edge.from, startTime: 99 };
  assert.deepEqual(circles(1, wait('1.1', '2'), { ...later, edge: { ...later.edge, from } }), []);
});

test('every wait of a circle is in one that is told, and not more circles than that', () => {
  const all = ['1', '2', '3', '4'].flatMap((from) =>
    ['1', '2', '3', '4'].filter((to) => to !== from).map((to) => wait(`${from}.${from}`, to)),
  );
  const found = circlesIn(all, () => 1);
  assert.deepEqual([...new Set(found.flat())].length, all.length);
  assert.equal(found.length, 6);
});

test('locks conflict by kind, range, sharing and owner', () => {
  const lock = { kind: 'record', place: 'a', shared: false, waiting: true, pid: 1, offset: 10n, length: 5n } as const;
  const held = { ...lock, waiting: false, pid: 2 };
  assert.equal(conflict(lock, held), true);
  assert.equal(conflict(lock, { ...held, pid: 1 }), false);
  assert.equal(conflict(lock, { ...held, kind: 'ofd', pid: -1 }), true);
  assert.equal(conflict(lock, { ...held, kind: 'flock' }), false);
  assert.equal(conflict({ ...lock, kind: 'flock' }, { ...held, kind: 'flock' }), true);
  assert.equal(conflict({ ...lock, kind: 'flock' }, held), false);
  assert.equal(conflict({ ...lock, kind: 'lease' }, { ...held, kind: 'lease', shared: true }), true);
  assert.equal(conflict(lock, { ...held, place: 'b' }), false);
  assert.equal(conflict({ ...lock, shared: true }, { ...held, shared: true }), false);
  assert.equal(conflict(lock, { ...held, shared: true }), true);
  assert.equal(conflict(lock, { ...held, offset: 15n }), false);
  assert.equal(conflict(lock, { ...held, offset: 0n, length: 10n }), false);
  assert.equal(conflict(lock, { ...held, offset: 0n, length: 0n }), true);
});

test('of operations on a set, the first that cannot be made is the one that is waited for', () => {
  const operation = (index: number, op: number): { index: number; op: number } => ({ index, op });
  assert.deepEqual(firstImpossible([operation(0, -1), operation(1, -2)], [1, 1]), operation(1, -2));
  assert.deepEqual(firstImpossible([operation(0, -1), operation(0, -1)], [1, 1]), operation(0, -1));
  assert.deepEqual(firstImpossible([operation(0, 1), operation(0, 0)], [0]), operation(0, 0));
  assert.equal(firstImpossible([operation(0, 2), operation(0, -2), operation(0, 0)], [0]), undefined);
});

test('names with spaces and brackets do not confuse what /proc says', () => {
  const fields = ['R', ...Array.from({ length: 50 }, (_, index) => String(index + 1))].join(' ');
  const found = parseStat(7, `7 (a) (b c) ${fields}\n`);
  assert.deepEqual([found?.name, found?.state, found?.threads, found?.startTime], ['a) (b c', 'R', 17, 19]);
  assert.equal(parseStat(7, ''), undefined);
  const [shared, own] = parseMaps(
    '7f00-8000 rw-s 00001000 00:1b 42   /dev/shm/a b (deleted)\n9000-a000 rw-p 00000000 00:00 0\n',
  );
  assert.deepEqual(
    [shared?.path, shared?.file, shared?.offset, shared?.isShared],
    ['/dev/shm/a b (deleted)', '00:1b 42', 4096n, true],
  );
  assert.deepEqual([own?.isShared, own?.start], [false, 0x9000n]);
});
