/** What TypeScript infers from a layout. Most of this file is checked when it is compiled; what is left runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  array,
  atomic,
  type AtomicField,
  bytes,
  chars,
  type Cursor,
  type FieldArray,
  layout,
  type StructArray,
  type ValueOf,
  versioned,
  type ViewOf,
} from '../../src/layout/index.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only where the argument is `true`. */
const holds = <T extends true>(): T => true as T;

const Point = layout({ x: 'f64', y: 'f64' });
const All = layout({
  u8: 'u8',
  i64: 'i64',
  u64: 'u64',
  f32: 'f32',
  flag: 'bool',
  name: chars(8),
  raw: bytes(4),
  small: atomic('u16'),
  big: atomic('i64'),
  numbers: array('f64', 2),
  bigs: array('u64', 2),
  flags: array('bool', 2),
  words: array(chars(4), 2),
  grid: array(array('i32', 2), 3),
  at: Point,
  path: array(Point, 2),
});

test('the properties of a view have the types of their fields', () => {
  type View = ViewOf<typeof All>;
  holds<Same<View['u8'], number>>();
  // @ts-expect-error so that it is seen that this can fail
  holds<Same<View['u8'], bigint>>();
  holds<Same<View['i64'], bigint>>();
  holds<Same<View['u64'], bigint>>();
  holds<Same<View['f32'], number>>();
  holds<Same<View['flag'], boolean>>();
  holds<Same<View['name'], string>>();
  holds<Same<View['raw'], Uint8Array>>();
  holds<Same<View['small'], AtomicField<number>>>();
  holds<Same<View['big'], AtomicField<bigint>>>();
  holds<Same<View['numbers'], Float64Array>>();
  holds<Same<View['bigs'], BigUint64Array>>();
  holds<Same<View['flags'], FieldArray<boolean, boolean>>>();
  holds<Same<View['words'], FieldArray<string, string>>>();
  holds<Same<View['grid'], FieldArray<Int32Array, number[]>>>();
  holds<Same<View['path'], StructArray<{ readonly x: 'f64'; readonly y: 'f64' }>>>();
  const view = All.view(new ArrayBuffer(All.byteLength));
  view.at satisfies { x: number; y: number };
  view.path.get(0) satisfies { x: number; y: number };
  view.path.cursor() satisfies Cursor<{ x: number; y: number }>;
  assert.equal(view.at.x satisfies number, 0);
});

test('plain values have no memory behind them, and the types say so', () => {
  type Value = ValueOf<typeof All>;
  holds<Same<Value['numbers'], number[]>>();
  holds<Same<Value['bigs'], bigint[]>>();
  holds<Same<Value['grid'], number[][]>>();
  holds<Same<Value['small'], number>>();
  holds<Same<Value['big'], bigint>>();
  holds<Same<Value['at'], { x: number; y: number }>>();
  holds<Same<Value['path'], { x: number; y: number }[]>>();
  assert.deepEqual(Point.read(new ArrayBuffer(16)) satisfies { x: number; y: number }, { x: 0, y: 0 });
});

test('what a field cannot be is an error when it is compiled', () => {
  const memory = new ArrayBuffer(All.byteLength);
  const view = All.view(memory);
  // @ts-expect-error there is no such field
  assert.equal(view.nothing, undefined);
  // @ts-expect-error a field of 64 bits is a bigint
  assert.throws(() => (view.u64 = 5));
  // @ts-expect-error a small one is a number
  assert.throws(() => (view.u8 = 5n));
  // @ts-expect-error text is a string
  assert.throws(() => (view.name = 5));
  // @ts-expect-error an atomic field is not assigned, but stored to
  assert.throws(() => (view.small = 5.5));
  // @ts-expect-error nor is an array
  assert.throws(() => (view.numbers = [1]));
  // @ts-expect-error a big atomic takes bigints
  assert.throws(() => view.big.add(1));
  // @ts-expect-error a struct is assigned as a whole
  assert.throws(() => (view.at = { x: 1 }));
  // @ts-expect-error no such kind
  assert.throws(() => layout({ a: 'u33' }));
  // @ts-expect-error f64 cannot be atomic
  assert.throws(() => atomic('f64'));
  // @ts-expect-error no such field
  assert.throws(() => All.offsetOf('nothing'));
  // @ts-expect-error a field is missing
  assert.throws(() => Point.write(memory, { x: 1 }));
  // @ts-expect-error no such field
  assert.throws(() => Point.write(memory, { x: 1, y: 2, z: 3 }));
  // @ts-expect-error a view of another layout
  assert.throws(() => All.toObject(Point.view(memory)));
});

test('a versioned object gives views of its body and its items', () => {
  const Points = versioned(layout({ count: atomic('u32') }), { magic: 'POINTS', version: 1, items: Point });
  const memory = new ArrayBuffer(Points.byteLengthFor(2));
  Points.format(memory);
  Points.open(memory).count satisfies AtomicField<number>;
  const list = Points.list(memory);
  list satisfies StructArray<{ readonly x: 'f64'; readonly y: 'f64' }> | undefined;
  assert.equal(list?.get(1).x satisfies number | undefined, 0);
});
