/** A struct that one language writes is what the others read: 1,000 layouts at random, all kinds of fields. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Kind, Layout, PlainOf, Fields } from '../../src/layout/index.js';
import { temporaryFolder } from '../support/folder.js';
import { peer } from '../support/skips.js';
import { cMain, cSource, leavesOf, PYTHON, shapeOf } from './peers.js';
import { Maker } from './random.js';

const LAYOUTS = 1000;
const FILES = 4;
const run = promisify(execFile);

interface Case {
  name: string;
  one: Layout;
  offset: number;
}

const seed = Number(process.env.INTERPROC_SEED ?? Math.floor(Math.random() * 2 ** 32));
const maker = new Maker(seed);
const cases: Case[] = [];
let end = 0;
for (let index = 0; index < LAYOUTS; index++) {
  const name = `L${index}`;
  const one = maker.layout(2, `N${index}`);
  const offset = Math.ceil(end / one.alignment) * one.alignment;
  cases.push({ name, one, offset });
  end = offset + one.byteLength;
}
const byteLength = end;

const valuesOfAll = (): unknown[] => cases.map(({ one }) => maker.value(one));
const leavesOfAll = (values: readonly unknown[]): Buffer =>
  Buffer.concat(cases.flatMap(({ one }, index) => leavesOf(one, values[index])));

/** Everything below a kind that is of another sort. */
function sortsIn(kind: Kind, found: Set<string>): void {
  if (typeof kind === 'string') found.add(kind);
  else if (!('kind' in kind)) {
    found.add('struct');
    for (const field of kind.fields) sortsIn(field.kind, found);
  } else if (kind.kind === 'array') {
    found.add(`array of ${typeof kind.of === 'string' ? kind.of : 'kind' in kind.of ? kind.of.kind : 'struct'}`);
    sortsIn(kind.of, found);
  } else found.add(kind.kind === 'atomic' ? `atomic ${kind.of}` : kind.kind);
}

/** Sets every field through a view, each element and each nested field by itself. */
function setBySteps(kind: Layout, view: Record<string, unknown>, value: Record<string, unknown>): void {
  for (const { name, kind: inner } of kind.fields) {
    if (typeof inner === 'string') view[name] = value[name];
    else if (!('kind' in inner))
      setBySteps(inner, view[name] as Record<string, unknown>, value[name] as Record<string, unknown>);
    else if (inner.kind === 'atomic') (view[name] as { store(value: unknown): void }).store(value[name]);
    else if (inner.kind === 'array' && ArrayBuffer.isView(view[name])) {
      for (const [index, element] of (value[name] as unknown[]).entries())
        (view[name] as unknown as unknown[])[index] = element;
    } else if (inner.kind === 'array') {
      const array = view[name] as { set(index: number, value: unknown): void };
      for (const [index, element] of (value[name] as unknown[]).entries()) array.set(index, element);
    } else view[name] = value[name];
  }
}

/** What a view shows, field by field. */
function seenBySteps(kind: Kind, shown: unknown): unknown {
  if (typeof kind === 'string') return shown;
  if (!('kind' in kind)) {
    return Object.fromEntries(
      kind.fields.map(({ name, kind: inner }) => [name, seenBySteps(inner, (shown as Record<string, unknown>)[name])]),
    );
  }
  if (kind.kind === 'atomic') return (shown as { load(): unknown }).load();
  if (kind.kind === 'array') return Array.from(shown as Iterable<unknown>, (element) => seenBySteps(kind.of, element));
  return kind.kind === 'bytes' ? Uint8Array.from(shown as Uint8Array) : shown;
}

const seenAs = `seed ${seed}; INTERPROC_SEED=${seed} runs it again`;

function assertSeen(memory: Uint8Array, values: readonly unknown[], by: string): void {
  for (const [index, { name, one, offset }] of cases.entries()) {
    const about = `${name} as ${by} has written it; ${seenAs}`;
    assert.deepEqual(one.read(memory, offset), values[index], about);
    assert.deepEqual(seenBySteps(one, one.view(memory, offset)), values[index], about);
  }
}

describe(`1,000 layouts at random (${seenAs})`, () => {
  test('all kinds of fields are among them, in arrays and nested, too', () => {
    const found = new Set<string>();
    for (const { one } of cases) sortsIn(one, found);
    const integers = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64'];
    const scalars = [...integers, 'f32', 'f64', 'bool'];
    const wanted = [
      ...scalars,
      ...scalars.map((kind) => `array of ${kind}`),
      ...integers.map((kind) => `atomic ${kind}`),
      ...[
        'chars',
        'bytes',
        'struct',
        'array of struct',
        'array of array',
        'array of chars',
        'array of bytes',
        'array of atomic',
      ],
    ];
    assert.deepEqual(
      wanted.filter((sort) => !found.has(sort)),
      [],
    );
  });

  test('what is stored through views and as a whole is read again, both ways', () => {
    const memory = new Uint8Array(new ArrayBuffer(byteLength));
    const values = valuesOfAll();
    for (const [index, { one, offset }] of cases.entries()) one.write(memory, values[index] as PlainOf<Fields>, offset);
    assertSeen(memory, values, 'write()');
    const others = valuesOfAll();
    for (const [index, { one, offset }] of cases.entries()) {
      setBySteps(one, one.view(memory, offset), others[index] as Record<string, unknown>);
    }
    assertSeen(memory, others, 'the views');
  });

  test('what TypeScript, C and Python write, the others read, by the header and the class made of the layout', async (t) => {
    if (!peer(t, 'gcc') || !peer(t, 'python3')) return;
    const folder = temporaryFolder(t);
    const at = (name: string): string => join(folder, name);
    const values = { ours: valuesOfAll(), c: valuesOfAll(), python: valuesOfAll() };
    for (const [by, all] of Object.entries(values)) writeFileSync(at(`${by}.leaves`), leavesOfAll(all));

    const memory = new Uint8Array(new ArrayBuffer(byteLength)).fill(0xa5);
    for (const [index, { one, offset }] of cases.entries()) {
      one.write(memory, values.ours[index] as PlainOf<Fields>, offset);
    }
    writeFileSync(at('ours'), memory);
    writeFileSync(at('c'), new Uint8Array(byteLength).fill(0xa5));
    writeFileSync(at('python'), new Uint8Array(byteLength).fill(0xa5));

    const named = cases.map(({ name, one }) => [name, one] as const);
    const part = Math.ceil(named.length / FILES);
    const compiled = Array.from({ length: FILES }, async (_, file) => {
      writeFileSync(at(`${file}.c`), cSource(named.slice(file * part, (file + 1) * part)));
      await run('gcc', [
        '-std=c11',
        '-O0',
        '-Wall',
        '-Wextra',
        '-Werror',
        '-c',
        at(`${file}.c`),
        '-o',
        at(`${file}.o`),
      ]);
    });
    writeFileSync(
      at('main.c'),
      cMain(
        named,
        cases.map(({ offset }) => offset),
        byteLength,
      ),
    );
    await Promise.all(compiled);
    await run('gcc', [
      '-std=c11',
      at('main.c'),
      ...Array.from({ length: FILES }, (_, file) => at(`${file}.o`)),
      '-o',
      at('peer'),
    ]);
    const c = await run(at('peer'), [at('ours'), at('ours.leaves'), at('c'), at('c.leaves')]);
    assert.equal(c.stdout, '0 faults\n', seenAs);

    writeFileSync(at('classes.py'), named.map(([name, one]) => one.toPython(name)).join('\n'));
    const shapes = cases.map(({ one }) =>
      Object.fromEntries(one.fields.map(({ name, kind }) => [name, shapeOf(kind)])),
    );
    const facts = [cases.map(({ name }) => name), cases.map(({ offset }) => offset), shapes];
    writeFileSync(at('classes.py.json'), JSON.stringify(facts));
    writeFileSync(at('peer.py'), PYTHON);
    const files = ['classes.py', 'ours', 'ours.leaves', 'c', 'c.leaves', 'python', 'python.leaves'];
    const python = await run('python3', [at('peer.py'), ...files.map(at)]);
    assert.equal(python.stdout, '0 faults\n', seenAs);

    assertSeen(readFileSync(at('c')), values.c, 'C');
    assertSeen(readFileSync(at('python')), values.python, 'Python');
  });
});
