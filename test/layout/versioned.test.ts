/** The header of an object: who made it, for whom, and how large it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, atomic, chars, layout, type Memory, versioned } from '../../src/layout/index.js';
import * as shm from '../../src/shm/index.js';
import { memoryName, newMemory } from '../shm/support.js';

const Summary = layout({ count: atomic('u32'), currency: chars(4) }, { name: 'Summary' });
const Tick = layout({ id: 'u32', price: 'f64' }, { name: 'Tick' });
const Ticks = versioned(Summary, { magic: 'TICKS', version: 3, items: Tick });
const LAYOUT = { name: 'Error', code: 'ERR_INTERPROC_LAYOUT' };

/** Memory with the header of Ticks, in which one byte is another. */
function spoiled(at: number, value = 0x77): Uint8Array {
  const memory = new Uint8Array(Ticks.byteLengthFor(4));
  Ticks.format(memory);
  memory[at] = value;
  return memory;
}

/** Asserts that the memory is refused and not changed. */
function assertRefused(memory: Uint8Array, message: RegExp): void {
  const before = Uint8Array.from(memory);
  for (const call of ['check', 'open', 'list', 'hasGrown', 'grow'] as const) {
    assert.throws(() => Ticks[call](memory), { ...LAYOUT, message }, call);
  }
  assert.deepEqual(memory, before);
}

test('an object is formatted before anybody sees it, and opened by who knows its layout', (t) => {
  const name = memoryName(t);
  using made = shm.create(name, { size: Ticks.byteLengthFor(10), prepare: (fresh) => Ticks.format(fresh) });
  using mapping = made.map();
  Ticks.open(mapping).currency = 'EUR';
  using opened = shm.open(name);
  using other = opened.map();
  assert.equal(Ticks.open(other).currency, 'EUR');
  assert.equal(Ticks.list(other)?.length, 10);
  assert.deepEqual(Ticks.check(other), { magic: 'TICKS', version: 3, digest: Ticks.digest, size: 64 + 8 + 160 });
  assert.equal(Ticks.bodyOffset, 64);
  assert.equal(Ticks.itemsOffset, 72);
  assert.equal(Ticks.byteLength, 72);
});

test('another version is refused by an error that names both, and nothing is written', () => {
  const memory = new Uint8Array(Ticks.byteLengthFor(4));
  versioned(Summary, { magic: 'TICKS', version: 2, items: Tick }).format(memory);
  const both = new RegExp(
    `^another version: the memory has 'TICKS' version 2 \\(digest ${Ticks.digest}\\), and this program 'TICKS' version 3 \\(digest ${Ticks.digest}\\)$`,
  );
  assertRefused(memory, both);
});

test('other fields are refused by an error that names both digests', () => {
  const Other = layout({ id: 'u32', prise: 'f64' });
  const memory = new Uint8Array(Ticks.byteLengthFor(4));
  const others = versioned(Summary, { magic: 'TICKS', version: 3, items: Other });
  others.format(memory);
  assert.notEqual(others.digest, Ticks.digest);
  assertRefused(memory, new RegExp(`^other fields: .*digest ${others.digest}.*digest ${Ticks.digest}`));
});

test('another kind of object, no header, and nonsense where a header should be, are refused', () => {
  assertRefused(spoiled(0), /^another kind of object: the memory has 'wICKS' version 3/);
  assertRefused(spoiled(5, 0x1b), /the memory has 'TICKS\\x1B' version 3/);
  assertRefused(
    new Uint8Array(Ticks.byteLengthFor(4)),
    /^the memory has no header yet, and this program wants 'TICKS' version 3/,
  );
  assertRefused(new Uint8Array(Ticks.byteLengthFor(4)).fill(0xff), /^another kind of object/);
  assertRefused(spoiled(8), /^another version: .*version 119/);
  assertRefused(spoiled(12), /^a header of 119 bytes/);
  assertRefused(spoiled(24), /^other fields/);
  assertRefused(spoiled(16, 71), /^a size of 71 bytes/);
  assertRefused(spoiled(23, 0xff), /^a size of 18374686479671623\d{3} bytes/);
});

test('what the header says is checked by itself: items are only those that are mapped', () => {
  const memory = spoiled(18, 0x10); // a size of more than a megabyte
  assert.equal(Ticks.list(memory)?.length, 4);
  assert.equal(Ticks.hasGrown(memory), true);
  const small = new Uint8Array(Ticks.byteLength + 15);
  Ticks.format(small);
  assert.equal(Ticks.list(small), undefined);
});

test('memory that has something in it is not formatted', () => {
  for (const at of [0, 8, 40, 63]) {
    const memory = new Uint8Array(Ticks.byteLength);
    memory[at] = 1;
    assert.throws(() => Ticks.format(memory), { ...LAYOUT, message: /^the memory is not fresh/ });
    assert.equal(
      memory.reduce((sum, byte) => sum + byte),
      1,
    );
  }
  const memory = spoiled(70, 1);
  assert.throws(() => Ticks.format(memory), { ...LAYOUT, message: /it has 'TICKS' version 3/ });
});

test('who mapped a smaller part sees that the object has grown, maps it anew and sees the rest', (t) => {
  const object = newMemory(t, Ticks.byteLengthFor(4));
  using early = object.map();
  Ticks.format(early);
  assert.equal(Ticks.hasGrown(early), false);
  object.grow(Ticks.byteLengthFor(100));
  using grown = object.map();
  assert.equal(Ticks.list(grown)?.length, 4, 'the object is as large as its header says');
  assert.equal(Ticks.grow(grown), Ticks.byteLengthFor(100));
  (Ticks.list(grown) as NonNullable<ReturnType<typeof Ticks.list>>).get(99).price = 5;
  assert.equal(Ticks.hasGrown(early), true);
  assert.equal(Ticks.list(early)?.length, 4);
  assert.equal(Ticks.grow(early), Ticks.byteLengthFor(100), 'it never becomes smaller');
  using again = object.map();
  assert.equal(Ticks.hasGrown(again), false);
  assert.equal(Ticks.list(again)?.get(99).price, 5);
});

test('memory that is only for reading can be opened and not formatted', (t) => {
  const object = newMemory(t, Ticks.byteLengthFor(4));
  using mapping = object.map();
  using opened = shm.open(object.name, { access: 'read' });
  using reading = opened.map();
  assert.throws(() => Ticks.format(reading), { code: 'ERR_INTERPROC_READ_ONLY' });
  Ticks.format(mapping);
  Ticks.open(mapping).count.store(7);
  assert.equal(Ticks.open(reading).count.load(), 7);
  assert.throws(() => Ticks.grow(reading), { code: 'ERR_INTERPROC_READ_ONLY' });
});

test('too little memory, and options that cannot be meant, are refused', () => {
  const short: Memory = new Uint8Array(71);
  for (const call of ['format', 'check', 'open'] as const) {
    assert.throws(() => Ticks[call](short), {
      code: 'ERR_INTERPROC_RANGE',
      message: 'TICKS needs 72 bytes at 0, and the memory has 71',
    });
  }
  const good = { magic: 'A', version: 1 };
  for (const version of [-1, 2 ** 32, 1.5])
    assert.throws(() => versioned(Tick, { ...good, version }), { code: 'ERR_INTERPROC_RANGE' });
  for (const magic of ['', '123456789', '€€€'])
    assert.throws(() => versioned(Tick, { ...good, magic }), { code: 'ERR_INTERPROC_RANGE' });
  for (const magic of ['a\0', 5])
    assert.throws(() => versioned(Tick, { ...good, magic: magic as never }), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.throws(() => versioned({} as never, good), {
    code: 'ERR_INTERPROC_ARGUMENT',
    message: /body must be a layout/,
  });
  assert.throws(() => versioned(Tick, { ...good, items: 5 as never }), {
    code: 'ERR_INTERPROC_ARGUMENT',
    message: /items/,
  });
  assert.throws(() => versioned(Tick, { ...good, item: Tick } as never), /unknown option 'item'/);
  assert.throws(() => versioned(Tick, undefined as never), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.throws(() => versioned(Tick, good).list(new Uint8Array(200)), {
    code: 'ERR_INTERPROC_ARGUMENT',
    message: 'A has no items',
  });
  assert.equal(versioned(layout({ a: array('u8', 3) }), good).byteLength, 67);
});
