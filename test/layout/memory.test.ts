/** Layouts over mappings: many elements, memory that is only for reading, and memory that is gone. */
import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { array, atomic, bytes, chars, layout } from '../../src/layout/index.js';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { newMemory } from '../shm/support.js';
import { temporaryFolder } from '../support/folder.js';

const Point = layout({ x: 'f64', y: 'f64' }, { name: 'Point' });
const All = layout(
  {
    id: 'u32',
    price: 'f64',
    on: 'bool',
    name: chars(8),
    raw: bytes(3),
    tail: array('u16', 2),
    words: array(chars(4), 2),
    at: Point,
    path: array(Point, 2),
    ready: atomic('i32'),
    big: atomic('u64'),
  },
  { name: 'All' },
);
type AllView = ReturnType<typeof All.view>;

const CLOSED = { name: 'Error', code: 'ERR_INTERPROC_CLOSED' };
const READ_ONLY = { name: 'Error', code: 'ERR_INTERPROC_READ_ONLY' };

/** Everything that looks at memory through a view or what was taken from it. */
function readsOf(view: AllView): Record<string, () => unknown> {
  const { at, path, ready, big, words } = view;
  const first = path.get(0);
  return {
    id: () => view.id,
    price: () => view.price,
    on: () => view.on,
    name: () => view.name,
    raw: () => view.raw,
    tail: () => view.tail,
    'words.get': () => words.get(0),
    'words.toArray': () => view.words.toArray(),
    'at.x': () => view.at.x,
    'at.x, taken before': () => at.x,
    'path[0].x': () => path.get(0).x,
    'path[1].x': () => path.get(1).x,
    'path[0].x, taken before': () => first.x,
    ready: () => ready.load(),
    big: () => big.load(),
    toObject: () => All.toObject(view),
  };
}

/** Everything that would change memory. */
function writesOf(view: AllView): Record<string, () => unknown> {
  const { ready, big, words, path } = view;
  return {
    id: () => (view.id = 1),
    price: () => (view.price = 1),
    on: () => (view.on = true),
    name: () => (view.name = 'x'),
    raw: () => (view.raw = new Uint8Array(3)),
    words: () => words.set(0, 'x'),
    'words.assign': () => words.assign(['x', 'y']),
    at: () => (view.at = { x: 1, y: 2 }),
    'at.x': () => (view.at.x = 1),
    path: () => path.set(0, { x: 1, y: 2 }),
    store: () => ready.store(1),
    add: () => ready.add(1),
    sub: () => big.sub(1n),
    and: () => ready.and(1),
    or: () => ready.or(1),
    xor: () => big.xor(1n),
    exchange: () => ready.exchange(1),
    compareExchange: () => big.compareExchange(0n, 1n),
    assign: () => All.assign(view, { id: 1 }),
  };
}

test('after close every field, and what was taken from one before, is ERR_INTERPROC_CLOSED', () => {
  const mapping = mmap.anonymous(4096);
  const view = All.view(mapping, 64);
  const list = All.list(mapping, 0, 4);
  const cursor = list.cursor();
  const { tail } = view;
  const calls = { ...readsOf(view), ...writesOf(view) };
  for (const call of Object.values(calls)) call();
  mapping.close();
  for (const [name, call] of Object.entries(calls)) {
    assert.throws(call, { ...CLOSED, message: /^the .* is closed$/ }, name);
  }
  assert.throws(() => cursor.moveTo(2).id, CLOSED);
  assert.throws(() => cursor.view.tail, CLOSED);
  assert.throws(() => list.get(0), CLOSED);
  assert.throws(() => list.toArray(), CLOSED);
  assert.throws(() => All.view(mapping), CLOSED);
  assert.throws(() => All.read(mapping), CLOSED);
  assert.equal(tail.length, 0, 'a typed array that was taken before is empty');
  assert.equal(inspect(view), 'All (closed)');
});

test('a view of memory that was protected since says so, and a new one can be made', () => {
  using mapping = mmap.anonymous(4096, { shared: false });
  const view = All.view(mapping);
  view.id = 5;
  mapping.protect('read');
  assert.throws(() => view.id, { ...CLOSED, message: 'the memory that this view was made of is closed' });
  const reading = All.view(mapping);
  assert.equal(reading.id, 5);
  assert.throws(() => (reading.id = 6), READ_ONLY);
  mapping.protect('read-write');
  All.view(mapping).id = 6;
  assert.equal(reading.id, 6);
  assert.throws(() => view.at.x, CLOSED);
  assert.throws(() => view.tail, CLOSED);
});

test('a view of a mapping that was resized since says so', (t) => {
  const object = newMemory(t, 8192);
  using mapping = object.map({ length: 4096 });
  const small = All.view(mapping);
  small.id = 6;
  mapping.resize(8192);
  assert.throws(() => small.id, CLOSED);
  assert.throws(() => small.ready.add(1), CLOSED);
  const large = All.view(mapping, 8000);
  large.id = 8;
  assert.deepEqual([All.view(mapping).id, large.id], [6, 8]);
});

test('a buffer that was transferred away under a view is an error in every field', () => {
  const buffer = new ArrayBuffer(All.byteLength);
  const moved = All.view(buffer);
  const calls = { ...readsOf(moved), ...writesOf(moved) };
  structuredClone(buffer, { transfer: [buffer] });
  for (const [name, call] of Object.entries(calls)) {
    if (name !== 'raw' && name !== 'tail') assert.throws(call, /detached|closed/, name);
  }
});

test('views of other layouts, made before and after, go on when a mapping goes away under one', () => {
  const Other = layout({ low: 'i8', high: 'f64', tail: array('f32', 2), at: Point }, { name: 'Other' });
  const before = Other.view(new ArrayBuffer(Other.byteLength));
  before.high = 1.5;
  const mapping = mmap.anonymous(4096);
  const gone = Point.view(mapping);
  mapping.close();
  assert.throws(() => gone.x, CLOSED);
  assert.throws(() => (gone.x = 1), CLOSED);
  using another = mmap.anonymous(4096);
  const Later = layout({ low: 'i16', tail: array('u8', 3) });
  const after = Later.view(another);
  before.low = -1;
  before.at.y = 2;
  before.tail[1] = 3;
  after.low = -2;
  after.tail[2] = 4;
  assert.deepEqual(Other.toObject(before), { low: -1, high: 1.5, tail: [0, 3], at: { x: 0, y: 2 } });
  assert.deepEqual(Later.toObject(after), { low: -2, tail: [0, 0, 4] });
});

test('memory that is only for reading is copied out of by every getter, and refused by every setter', (t) => {
  const object = newMemory(t);
  using writable = object.map();
  const live = All.view(writable, 128);
  All.assign(live, {
    id: 7,
    price: 1.5,
    on: true,
    name: 'EURUSD',
    raw: Uint8Array.of(1, 2, 3),
    tail: [4, 5],
    words: ['ab', 'cd'],
    at: { x: 1, y: 2 },
    path: [
      { x: 3, y: 4 },
      { x: 5, y: 6 },
    ],
    ready: -1,
    big: 2n ** 64n - 1n,
  });
  using opened = shm.open(object.name, { access: 'read' });
  using mapping = opened.map();
  assert.equal(mapping.access, 'read');
  const view = All.view(mapping, 128);
  assert.deepEqual(All.toObject(view), All.toObject(live));
  assert.deepEqual(All.read(mapping, 128), All.toObject(live));
  assert.deepEqual(
    [
      view.id,
      view.price,
      view.on,
      view.name,
      [...view.raw],
      [...view.tail],
      [...view.words],
      view.at.y,
      view.path.get(1).x,
      view.ready.load(),
      view.big.load(),
    ],
    [7, 1.5, true, 'EURUSD', [1, 2, 3], [4, 5], ['ab', 'cd'], 2, 5, -1, 2n ** 64n - 1n],
  );
  const before = Buffer.from(writable.bytes);
  for (const [name, call] of Object.entries(writesOf(view))) {
    assert.throws(call, { ...READ_ONLY, message: /is only for reading$/ }, name);
  }
  assert.throws(() => All.write(mapping, All.toObject(live), 128), READ_ONLY);
  view.raw.fill(9);
  view.tail[0] = 9;
  assert.ok(before.equals(writable.bytes), 'what comes out is a copy');
  live.id = 8;
  live.at.x = 9;
  live.ready.store(3);
  assert.deepEqual([view.id, view.at.x, view.ready.load()], [8, 9, 3], 'a view goes on looking');
  const list = All.list(mapping, 128, 2);
  assert.equal(list.get(0).id, 8);
  const cursor = list.cursor();
  assert.equal(cursor.moveTo(1).id, 0);
  assert.equal(cursor.moveTo(0).at.x, 9);
  assert.equal(list.toArray().length, 2);
  mapping.close();
  for (const [name, call] of Object.entries(readsOfClosed(view))) assert.throws(call, CLOSED, name);
  assert.equal(inspect(view), 'All (closed)');
});

function readsOfClosed(view: AllView): Record<string, () => unknown> {
  return {
    id: () => view.id,
    name: () => view.name,
    raw: () => view.raw,
    tail: () => view.tail,
    'at.x': () => view.at.x,
    ready: () => view.ready.load(),
    toObject: () => All.toObject(view),
  };
}

test('what is written through a layout copy-on-write stays here', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, new Uint8Array(4096));
  using copy = mmap.file(path, { access: 'copy-on-write' });
  using shared = mmap.file(path, { access: 'read' });
  All.view(copy).id = 5;
  assert.equal(All.view(copy).id, 5);
  assert.equal(All.view(shared).id, 0);
});

test('a file that is cut under a layout is ERR_INTERPROC_TRUNCATED in the next call, and a view reads zeros', (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, new Uint8Array(8192).fill(1));
  using mapping = mmap.file(path, { access: 'read-write' });
  using reading = mmap.file(path, { access: 'read' });
  const view = All.view(mapping, 4096);
  const copied = All.view(reading, 4096);
  assert.equal(view.id, 0x01010101);
  truncateSync(path, 4096);
  assert.equal(view.id, 0);
  const TRUNCATED = { name: 'Error', code: 'ERR_INTERPROC_TRUNCATED' };
  assert.throws(() => All.read(mapping, 4096), TRUNCATED);
  assert.throws(() => All.view(mapping, 4096), TRUNCATED);
  assert.throws(() => copied.id, TRUNCATED);
});

test('a list has as many elements as were said, one behind the other', () => {
  using mapping = mmap.anonymous(4096);
  const list = Point.list(mapping, 32, 10);
  assert.equal(list.length, 10);
  assert.equal(list.stride, 16);
  list.get(9).y = 5;
  assert.equal(new DataView(mapping.buffer).getFloat64(32 + 9 * 16 + 8, true), 5);
  list.set(3, { x: 1, y: 2 });
  assert.deepEqual(
    [...list].map((point) => point.x),
    [0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
  );
  assert.deepEqual(list.toArray()[9], { x: 0, y: 5 });
  assert.throws(() => list.get(10), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /the index of Point/ });
  list.assign(Array.from({ length: 10 }, (_, x) => ({ x, y: -x })));
  assert.equal(list.get(7).y, -7);
});

test('a cursor has one view, which goes with all that was taken from it', () => {
  const COUNT = 50;
  using mapping = mmap.anonymous(COUNT * All.byteLength);
  const list = All.list(mapping, 0, COUNT);
  const cursor = list.cursor();
  const { view } = cursor;
  const { at, ready, words, path } = view;
  for (let index = 0; index < COUNT; index++) {
    assert.equal(cursor.moveTo(index), view);
    view.id = index;
    view.name = `n${index}`;
    view.tail[1] = index;
    view.raw = Uint8Array.of(index, 0, 0);
    at.x = index / 2;
    ready.store(-index);
    words.set(1, `w${index}`);
    path.get(1).y = index * 2;
  }
  assert.equal(cursor.index, COUNT - 1);
  for (const index of [17, 3, 49, 0]) {
    const other = All.view(mapping, index * All.byteLength);
    cursor.moveTo(index);
    assert.deepEqual(
      [
        other.id,
        other.name,
        other.tail[1],
        other.raw[0],
        other.at.x,
        other.ready.load(),
        other.words.get(1),
        other.path.get(1).y,
      ],
      [index, `n${index}`, index, index, index / 2, 0 - index, `w${index}`, index * 2],
    );
    assert.deepEqual(All.toObject(view), All.toObject(other));
    assert.equal(at.x, index / 2);
    assert.equal(path.get(1).y, index * 2);
    assert.equal(words.get(1), `w${index}`);
  }
  const here = path.get(1);
  cursor.moveTo(20);
  assert.equal(here.y, 0, 'an element that was taken from an array stays where it was');
  for (const index of [-1, COUNT, 1.5, Number.NaN, 2 ** 32]) {
    assert.throws(() => cursor.moveTo(index), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => cursor.moveTo('1' as never), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
  assert.equal(cursor.index, 20);
});

test('an array of structs inside a struct has cursors, too', () => {
  const Outer = layout({ before: 'u64', path: array(Point, 3) });
  using mapping = mmap.anonymous(4096);
  const outer = Outer.view(mapping, 64);
  const cursor = outer.path.cursor();
  for (let index = 0; index < 3; index++) cursor.moveTo(index).x = index + 1;
  assert.deepEqual(
    outer.path.toArray().map(({ x }) => x),
    [1, 2, 3],
  );
  assert.equal(new DataView(mapping.buffer).getFloat64(64 + 8 + 2 * 16, true), 3);
});

test('more nested fields than have getters of their own go the same ways', () => {
  const fields = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`p${index}`, Point]));
  const numbers = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`n${index}`, array('i32', 2)]));
  const Wide = layout({ ...fields, ...numbers });
  const mapping = mmap.anonymous(4096);
  const view = Wide.view(mapping) as unknown as Record<string, { x: number; 0: number }>;
  for (let index = 0; index < 12; index++) {
    (view[`p${index}`] as { x: number }).x = index;
    (view[`n${index}`] as { 0: number })[0] = index;
  }
  const data = new DataView(mapping.buffer);
  assert.equal(data.getFloat64(11 * 16, true), 11);
  assert.equal(data.getInt32(12 * 16 + 11 * 8, true), 11);
  mapping.close();
  assert.throws(() => view.n11, CLOSED);
  assert.throws(() => (view.p11 as { x: number }).x, CLOSED);
});

test('the operations on an atomic field are those of Atomics, and give what was there before', () => {
  for (const kind of ['u8', 'i8', 'u16', 'i16', 'u32', 'i32'] as const) {
    const word = layout({ pad: 'u8', word: atomic(kind) }).view(new ArrayBuffer(8)).word;
    word.store(6);
    assert.deepEqual(
      [
        word.add(3),
        word.sub(1),
        word.and(12),
        word.or(3),
        word.xor(1),
        word.exchange(5),
        word.compareExchange(4, 9),
        word.compareExchange(5, 7),
        word.load(),
      ],
      [6, 9, 8, 8, 11, 10, 5, 5, 7],
      kind,
    );
    for (const wrong of [5n, '5', undefined, null]) {
      assert.throws(() => word.add(wrong as never), {
        code: 'ERR_INTERPROC_ARGUMENT',
        message: /^word takes a number, got/,
      });
      assert.throws(() => word.compareExchange(7, wrong as never), { code: 'ERR_INTERPROC_ARGUMENT' });
      assert.throws(() => word.store(wrong as never), { code: 'ERR_INTERPROC_ARGUMENT' });
    }
    assert.equal(word.load(), 7);
  }
  for (const kind of ['u64', 'i64'] as const) {
    const word = layout({ pad: 'u8', word: atomic(kind) }).view(new ArrayBuffer(16)).word;
    word.store(6n);
    assert.deepEqual(
      [
        word.add(3n),
        word.sub(1n),
        word.and(12n),
        word.or(3n),
        word.xor(1n),
        word.exchange(5n),
        word.compareExchange(4n, 9n),
        word.compareExchange(5n, 7n),
        word.load(),
      ],
      [6n, 9n, 8n, 8n, 11n, 10n, 5n, 5n, 7n],
      kind,
    );
    assert.throws(() => word.add(5 as never), {
      code: 'ERR_INTERPROC_ARGUMENT',
      message: /^word takes a bigint, got 5/,
    });
  }
});
