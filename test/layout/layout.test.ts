/** Where fields lie, and what can be done with them through a view. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { array, atomic, bytes, chars, type Kind, layout } from '../../src/layout/index.js';
import * as mmap from '../../src/mmap/index.js';

const Point = layout({ x: 'f64', y: 'f64' }, { name: 'Point' });
const Tick = layout(
  {
    id: 'u32',
    price: 'f64',
    name: chars(16),
    tail: array('u64', 8),
    at: Point,
    path: array(Point, 4),
    ready: atomic('i32'),
  },
  { name: 'Tick' },
);

const RANGE = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' };
const ARGUMENT = { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' };
const NAME = { name: 'TypeError', code: 'ERR_INTERPROC_NAME' };

test('fields lie where a C compiler puts them, and the whole is filled up to its alignment', () => {
  assert.equal(Tick.byteLength, 184);
  assert.equal(Tick.alignment, 8);
  assert.deepEqual(
    Tick.fields.map(({ name, offset, byteLength }) => [name, offset, byteLength]),
    [
      ['id', 0, 4],
      ['price', 8, 8],
      ['name', 16, 16],
      ['tail', 32, 64],
      ['at', 96, 16],
      ['path', 112, 64],
      ['ready', 176, 4],
    ],
  );
  assert.equal(Tick.offsetOf('ready'), 176);
  const Small = layout({ a: 'u8', b: 'u16', c: 'u8' });
  assert.deepEqual([Small.byteLength, Small.alignment, Small.offsetOf('c')], [6, 2, 4]);
  const Texts = layout({ a: chars(3), b: bytes(5), c: 'bool' });
  assert.deepEqual([Texts.byteLength, Texts.alignment], [9, 1]);
  const Outer = layout({ flag: 'u8', inner: Small, more: array(Small, 2), last: 'u8' });
  assert.deepEqual([Outer.offsetOf('inner'), Outer.offsetOf('more'), Outer.byteLength], [2, 8, 22]);
});

test('every scalar is stored little-endian in its width, at both ends of its range', () => {
  const All = layout({
    u8: 'u8',
    i8: 'i8',
    u16: 'u16',
    i16: 'i16',
    u32: 'u32',
    i32: 'i32',
    u64: 'u64',
    i64: 'i64',
    f32: 'f32',
    f64: 'f64',
    yes: 'bool',
    no: 'bool',
  });
  const memory = new Uint8Array(All.byteLength);
  const view = All.view(memory);
  view.u8 = 255;
  view.i8 = -128;
  view.u16 = 65535;
  view.i16 = -32768;
  view.u32 = 0xffffffff;
  view.i32 = -0x80000000;
  view.u64 = 2n ** 64n - 1n;
  view.i64 = -(2n ** 63n);
  view.f32 = 0.5;
  view.f64 = -1.5;
  view.yes = true;
  view.no = false;
  assert.deepEqual(All.toObject(view), {
    u8: 255,
    i8: -128,
    u16: 65535,
    i16: -32768,
    u32: 0xffffffff,
    i32: -0x80000000,
    u64: 2n ** 64n - 1n,
    i64: -(2n ** 63n),
    f32: 0.5,
    f64: -1.5,
    yes: true,
    no: false,
  });
  view.u32 = 0x01020304;
  assert.deepEqual([...memory.subarray(All.offsetOf('u32'), All.offsetOf('u32') + 4)], [4, 3, 2, 1]);
  memory[All.offsetOf('no')] = 2;
  assert.equal(view.no, true, 'any byte but 0 is true, as for C');
});

test('a scalar is stored as a DataView stores it, and refuses what that refuses', () => {
  const One = layout({ small: 'u8', wide: 'i16', big: 'i64', flag: 'bool' });
  const view = One.view(new ArrayBuffer(One.byteLength));
  view.small = 257;
  view.wide = 0x18000;
  assert.deepEqual([view.small, view.wide], [1, -0x8000]);
  assert.throws(() => (view.big = 5 as never), { name: 'TypeError', message: /Cannot convert 5 to a BigInt/ });
  assert.throws(() => (view.small = 5n as never), { name: 'TypeError', message: /BigInt/ });
  const why = new Error('not today');
  const hostile = {
    valueOf(): never {
      throw why;
    },
  };
  assert.throws(
    () => (view.small = hostile as never),
    (error) => error === why,
  );
  assert.deepEqual(One.toObject(view), { small: 1, wide: -0x8000, big: 0n, flag: false });
  assert.throws(() => One.assign(view, { small: 257 }), {
    ...RANGE,
    message: /small must be .* from 0 to 255, got 257/,
  });
});

test('text is UTF-8 with NULs behind it; what does not fit is refused, never cut', () => {
  const Named = layout({ before: 'u8', name: chars(6), after: 'u8' });
  const memory = new Uint8Array(8).fill(0xff);
  const view = Named.view(memory);
  view.name = 'ab';
  assert.deepEqual([...memory], [0xff, 97, 98, 0, 0, 0, 0, 0xff]);
  assert.equal(view.name, 'ab');
  view.name = '€€';
  assert.equal(view.name, '€€', 'all six bytes, and no NUL');
  assert.throws(() => (view.name = '€€a'), {
    ...RANGE,
    message: "name has room for 6 bytes, and '€€a' takes 7 in UTF-8",
  });
  assert.throws(() => (view.name = 'abcde€'), RANGE);
  assert.throws(() => (view.name = 'a\0b'), { ...ARGUMENT, message: /NUL/ });
  assert.throws(() => (view.name = 'a\ud800'), { ...ARGUMENT, message: /surrogate/ });
  assert.throws(() => (view.name = 5 as never), { ...ARGUMENT, message: /string, got 5/ });
  assert.equal(view.name, '€€', 'what was refused has changed nothing');
  view.name = '';
  assert.equal(view.name, '');
  memory.set([0xe2, 0x82, 0, 65], 1);
  assert.equal(view.name, '�', 'what is no UTF-8 shows as U+FFFD, and the rest after a NUL does not show');
});

test('bytes are a view of the memory itself, and are set as a whole', () => {
  const Raw = layout({ head: 'u16', raw: bytes(4) });
  const memory = new Uint8Array(6);
  const view = Raw.view(memory);
  view.raw[1] = 7;
  assert.equal(memory[3], 7);
  view.raw = Uint8Array.of(1, 2, 3, 4);
  assert.deepEqual([...memory], [0, 0, 1, 2, 3, 4]);
  assert.equal(view.raw, view.raw);
  assert.throws(() => (view.raw = Uint8Array.of(1, 2, 3)), { ...RANGE, message: 'raw has 4 bytes, and 3 were given' });
  assert.throws(() => (view.raw = [1, 2, 3, 4] as never), ARGUMENT);
});

test('an array of numbers is a typed array over the memory itself', () => {
  const memory = new ArrayBuffer(184);
  const tick = Tick.view(memory);
  assert.ok(tick.tail instanceof BigUint64Array);
  assert.equal(tick.tail.length, 8);
  tick.tail[3] = 9n;
  assert.equal(new DataView(memory).getBigUint64(56, true), 9n);
  assert.equal(tick.tail, tick.tail);
  const names = Object.entries({
    u8: Uint8Array,
    i8: Int8Array,
    u16: Uint16Array,
    i16: Int16Array,
    u32: Uint32Array,
    i32: Int32Array,
    u64: BigUint64Array,
    i64: BigInt64Array,
    f32: Float32Array,
    f64: Float64Array,
  });
  for (const [kind, Numbers] of names) {
    const view = layout({ several: array(kind as 'u8', 2) }).view(new ArrayBuffer(16));
    assert.ok((view.several as object) instanceof Numbers, kind);
  }
});

test('an array of anything else has get and set, and refuses places that it does not have', () => {
  const Many = layout({
    words: array(chars(4), 3),
    flags: array('bool', 2),
    slots: array(atomic('u16'), 2),
    grid: array(array('f32', 3), 2),
    cubes: array(array(chars(2), 2), 2),
  });
  const view = Many.view(new ArrayBuffer(Many.byteLength));
  view.words.set(1, 'äb');
  assert.equal(view.words.get(1), 'äb');
  view.words.assign(['a', 'b', 'c']);
  assert.deepEqual([...view.words], ['a', 'b', 'c']);
  view.flags.set(1, true);
  assert.deepEqual(view.flags.toArray(), [false, true]);
  assert.equal(view.slots.get(1).add(5), 0);
  assert.equal(view.slots.get(1).load(), 5);
  assert.equal(view.slots.get(1), view.slots.get(1), 'made once');
  view.grid.get(1)[2] = 1.5;
  assert.deepEqual(view.grid.toArray(), [
    [0, 0, 0],
    [0, 0, 1.5],
  ]);
  view.grid.set(0, [1, 2, 3]);
  assert.deepEqual([...view.grid.get(0)], [1, 2, 3]);
  view.cubes.get(1).set(0, 'ü');
  assert.deepEqual(view.cubes.toArray(), [
    ['', ''],
    ['ü', ''],
  ]);
  for (const index of [-1, 3, 1.5, Number.NaN]) {
    assert.throws(() => view.words.get(index), { ...RANGE, message: /the index of words/ });
    assert.throws(() => view.words.set(index, 'x'), RANGE);
  }
  assert.throws(() => view.words.get('0' as never), ARGUMENT);
  assert.throws(() => view.words.set(0, 'abcde'), { ...RANGE, message: /^words\[0\] has room for 4/ });
  assert.throws(() => view.words.assign(['x', 'y']), { ...RANGE, message: 'words has 3 elements, and 2 were given' });
  assert.throws(() => view.words.assign(['x', 'y', 'too long']), { ...RANGE, message: /^words\[2\]/ });
  assert.deepEqual(view.words.toArray(), ['a', 'b', 'c'], 'nothing is stored if one cannot be');
});

test('nested structs have views of their own, and are assigned as in C', () => {
  const memory = new ArrayBuffer(184);
  const tick = Tick.view(memory);
  tick.at.x = 1.5;
  assert.equal(new DataView(memory).getFloat64(96, true), 1.5);
  assert.equal(tick.at, tick.at);
  tick.at = { x: 3, y: 4 };
  assert.deepEqual(Point.toObject(tick.at), { x: 3, y: 4 });
  tick.path.get(3).y = 8;
  assert.equal(new DataView(memory).getFloat64(112 + 3 * 16 + 8, true), 8);
  tick.path.set(2, tick.at);
  assert.deepEqual(tick.path.toArray()[2], { x: 3, y: 4 });
  assert.throws(() => (tick.at = { x: 1 } as never), { ...ARGUMENT, message: 'at.y is missing' });
  assert.throws(() => (tick.at = { x: 1, y: '2' } as never), { ...ARGUMENT, message: /^at\.y must be a number/ });
  assert.throws(() => (tick.at = { x: 1, y: 2, z: 3 } as never), {
    ...ARGUMENT,
    message: "at has no field 'z'; there are x, y",
  });
  assert.deepEqual(Point.toObject(tick.at), { x: 3, y: 4 });
});

test('read gives plain values that nothing is behind, and write stores them all or none', () => {
  const memory = new Uint8Array(400).fill(0xee);
  const value = {
    id: 7,
    price: 1.25,
    name: 'EURUSD',
    tail: [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n],
    at: { x: 1, y: 2 },
    path: [
      { x: 1, y: 2 },
      { x: 3, y: 4 },
      { x: 5, y: 6 },
      { x: 7, y: 8 },
    ],
    ready: -1,
  };
  Tick.write(memory, value, 8);
  assert.deepEqual(Tick.read(memory, 8), value);
  assert.equal(memory[8 + 4], 0xee, 'what lies between fields stays');
  const before = Uint8Array.from(memory);
  const copy = Tick.read(memory, 8);
  copy.tail[0] = 99n;
  copy.path[0] = { x: 0, y: 0 };
  const refused: [object, RegExp][] = [
    [{ ...value, id: -1 }, /^Tick\.id must be a whole number from 0 to 4294967295, got -1$/],
    [{ ...value, id: 2 ** 32 }, /Tick\.id/],
    [{ ...value, id: 1.5 }, /Tick\.id/],
    [{ ...value, id: undefined }, /^Tick\.id must be a number, got undefined/],
    [{ ...value, tail: [1n] }, /^Tick\.tail has 8 elements, and 1 were given$/],
    [{ ...value, tail: [...value.tail.slice(1), 2n ** 64n] }, /^Tick\.tail\[7\]/],
    [{ ...value, tail: 5 }, /^Tick\.tail must be an array of 8, got 5$/],
    [{ ...value, path: [...value.path.slice(1), { x: 1 }] }, /^Tick\.path\[3\]\.y is missing$/],
    [{ ...value, ready: 2 ** 31 }, /^Tick\.ready/],
    [{ ...value, name: 'a name that is too long' }, /^Tick\.name has room for 16/],
    [{ ...value, price: 5n }, /^Tick\.price must be a number, got 5n$/],
    [{ ...value, prise: 5 }, /^Tick has no field 'prise'/],
  ];
  for (const [wrong, message] of refused) {
    assert.throws(() => Tick.write(memory, wrong as never, 8), { message, code: /^ERR_INTERPROC_(ARGUMENT|RANGE)$/ });
  }
  assert.throws(() => Tick.write(memory, 5 as never), ARGUMENT);
  assert.deepEqual(memory, before);
});

test('assign stores some fields after all were checked', () => {
  const tick = Tick.view(new ArrayBuffer(184));
  Tick.assign(tick, { price: 2, tail: [8n, 7n, 6n, 5n, 4n, 3n, 2n, 1n] });
  assert.equal(tick.price, 2);
  assert.equal(tick.tail[0], 8n);
  assert.throws(() => Tick.assign(tick, { price: 3, id: -1 }), { ...RANGE, message: /^Tick\.id/ });
  assert.equal(tick.price, 2);
  assert.throws(() => Tick.assign(Point.view(new ArrayBuffer(16)) as never, { price: 3 }), {
    ...ARGUMENT,
    message: /must be a view of Tick/,
  });
  assert.throws(() => Tick.toObject({} as never), ARGUMENT);
});

test('a view of a part of memory stays in that part', () => {
  const memory = new Uint8Array(64).fill(9);
  const part = memory.subarray(16, 48);
  const point = Point.view(part, 8);
  point.x = 0;
  point.y = 0;
  assert.deepEqual([...memory.subarray(0, 24)], Array(24).fill(9));
  assert.deepEqual([...memory.subarray(24, 40)], Array(16).fill(0));
  assert.deepEqual([...memory.subarray(40)], Array(24).fill(9));
  assert.throws(() => Point.view(part, 24), { ...RANGE, message: 'Point needs 16 bytes at 24, and the memory has 32' });
  const shared = new SharedArrayBuffer(16);
  Point.view(shared).x = 5;
  assert.equal(new Float64Array(shared)[0], 5);
});

test('a place that is misaligned or beyond the memory is refused before anything is touched', () => {
  using mapping = mmap.anonymous(4096);
  for (const memory of [mapping, new ArrayBuffer(4096), new Uint8Array(4096)]) {
    for (const offset of [1, 4, 100]) {
      assert.throws(() => Tick.view(memory, offset), {
        ...RANGE,
        message: `offset must be a multiple of 8, the alignment of Tick, got ${offset}`,
      });
      assert.throws(() => Tick.read(memory, offset), RANGE);
      assert.throws(() => Tick.list(memory, offset, 2), RANGE);
    }
    for (const offset of [4096 - 176, 4096, 2 ** 40])
      assert.throws(() => Tick.view(memory, offset), { ...RANGE, message: /needs 184 bytes/ });
    for (const offset of [-8, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => Tick.view(memory, offset), RANGE);
    assert.throws(() => Tick.view(memory, '0' as never), ARGUMENT);
    assert.throws(() => Tick.list(memory, 0, 23), { ...RANGE, message: /needs 4232 bytes/ });
    for (const count of [0, -1, 1.5]) assert.throws(() => Tick.list(memory, 0, count), { ...RANGE, message: /count/ });
  }
  const odd = new Uint8Array(new ArrayBuffer(400), 4);
  assert.throws(() => Tick.view(odd, 0), { ...RANGE, message: /got 0 of an array that begins at 4 of its buffer/ });
  assert.equal(Tick.view(odd, 4).id, 0);
  assert.equal(Tick.read(odd).id, 0, 'a copy can be made from anywhere');
  for (const memory of [undefined, null, 5, [], {}, new DataView(new ArrayBuffer(400)), new Float64Array(50)]) {
    assert.throws(() => Tick.view(memory as never), { ...ARGUMENT, message: /memory must be a Mapping/ });
  }
});

test('what cannot be laid out is refused, and says what was probably meant', () => {
  assert.throws(() => layout({}), { ...ARGUMENT, message: /needs a field/ });
  for (const fields of [undefined, null, 5, 'u8', ['u8']]) assert.throws(() => layout(fields as never), ARGUMENT);
  assert.throws(() => layout({ a: 'u33' as never }), { ...ARGUMENT, message: /^the field a .*did you mean 'u32'\?/ });
  for (const kind of [undefined, null, 5, {}, [], 'toString', { kind: 'chars', length: 5 }]) {
    assert.throws(() => layout({ a: kind as never }), { ...ARGUMENT, message: /of no known kind/ });
    assert.throws(() => array(kind as never, 5), ARGUMENT);
  }
  for (const make of [chars, bytes, (length: number) => array('u8', length)]) {
    for (const length of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN])
      assert.throws(() => make(length), { ...RANGE, message: /length/ });
    assert.throws(() => make('5' as never), ARGUMENT);
  }
  for (const kind of ['f64', 'bool', 'u33', undefined, Point]) {
    assert.throws(() => atomic(kind as never), { ...ARGUMENT, message: /atomic must be one of u8/ });
  }
  assert.throws(() => layout({ a: array(array('u64', 2 ** 20), 2 ** 20) }), {
    ...RANGE,
    message: /at most 4294967296 bytes/,
  });
  assert.throws(() => layout({ a: 'u8' }, { nam: 'A' } as never), /unknown option 'nam'/);
  for (const name of ['', 'a b', '1a', 'a-b', 5])
    assert.throws(() => layout({ a: 'u8' }, { name: name as never }), NAME);
});

test('names that objects of JavaScript have, or that no other language could have, are refused', () => {
  for (const name of [
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
    'getUint8',
    'setBigInt64',
    'getFloat16',
  ]) {
    assert.throws(() => layout({ [name]: 'u8' }), { ...NAME, message: new RegExp(`no field can be called ${name}`) });
  }
  for (const name of ['', 'a b', '1', '1a', 'ä', 'a.b', '@base']) {
    assert.throws(() => layout({ [name]: 'u8' }), { ...NAME, message: /a field's name has letters/ });
  }
  const view = layout({ buffer: 'u8', byteLength: 'u8', byteOffset: 'u8', length: 'u8' }).view(new ArrayBuffer(4));
  view.buffer = 1;
  view.byteLength = 2;
  view.byteOffset = 3;
  view.length = 4;
  assert.deepEqual([view.buffer, view.byteLength, view.byteOffset, view.length], [1, 2, 3, 4]);
});

test('the digest stands for names, kinds and places, and for nothing else', () => {
  const digest = (fields: Record<string, Kind>, name?: string): string =>
    layout(fields, name === undefined ? {} : { name }).digest;
  assert.match(Tick.digest, /^[0-9a-f]{32}$/);
  assert.equal(digest({ a: 'u32', b: 'f64' }), digest({ a: 'u32', b: 'f64' }, 'Named'));
  assert.equal(digest({ a: 'u32', b: 'f64' }), '134ef5fa26c624495ce08e6bb68bb53c', 'the same in every version');
  const different = [
    digest({ a: 'u32', b: 'f64' }),
    digest({ a: 'i32', b: 'f64' }),
    digest({ a: 'u32', c: 'f64' }),
    digest({ b: 'f64', a: 'u32' }),
    digest({ a: atomic('u32'), b: 'f64' }),
    digest({ a: array('u32', 1), b: 'f64' }),
    digest({ a: layout({ a: 'u32' }), b: 'f64' }),
    digest({ a: layout({ b: 'u32' }), b: 'f64' }),
    digest({ a: chars(4), b: 'f64' }),
    digest({ a: bytes(4), b: 'f64' }),
  ];
  assert.equal(new Set(different).size, different.length);
});

test('a view shows its values to util.inspect, and has no properties of its own to be copied by mistake', () => {
  const point = Point.view(new ArrayBuffer(16));
  point.y = 2;
  assert.equal(inspect(point), 'Point { x: 0, y: 2 }');
  assert.deepEqual({ ...Tick.view(new ArrayBuffer(184)) }, {});
  assert.match(inspect(Tick.view(new ArrayBuffer(184)).path), /^path\[4\] \[ \{ x: 0, y: 0 \}/);
  assert.equal(inspect(Tick.view(new ArrayBuffer(184)).ready), "atomic('i32') 0");
  assert.equal(inspect(array(chars(4), 2)), 'array(chars(4), 2)');
  assert.match(inspect(Point), /^Layout Point \{x:f64@0,y:f64@8\}#16\/8$/);
});

test('an unknown field has no offset', () => {
  assert.throws(() => Tick.offsetOf('prise' as never), {
    ...ARGUMENT,
    message: /no field 'prise' in Tick; there are id, price/,
  });
});
