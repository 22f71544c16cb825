/** The C header and the Python module of a layout: what is in them, and what they refuse. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { array, atomic, bytes, chars, layout, versioned } from '../../src/layout/index.js';
import { temporaryFolder } from '../support/folder.js';
import { peer } from '../support/skips.js';

const Point = layout({ x: 'f64', y: 'f64' }, { name: 'Point' });
const Tick = layout({
  id: 'u32',
  on: 'bool',
  name: chars(16),
  raw: bytes(3),
  tail: array('u64', 8),
  words: array(chars(4), 3),
  at: Point,
  path: array(array(Point, 2), 4),
  inner: layout({ deep: layout({ value: 'i16' }) }),
  ready: atomic('i32'),
  slots: array(atomic('u64'), 2),
});

const NAME = { name: 'TypeError', code: 'ERR_INTERPROC_NAME' };

function compile(t: TestContext, compiler: string, standard: string, source: string): void {
  const folder = temporaryFolder(t);
  const file = join(folder, standard.includes('++') ? 'a.cc' : 'a.c');
  writeFileSync(file, source);
  execFileSync(
    compiler,
    [`-std=${standard}`, '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-c', file, '-o', join(folder, 'a.o')],
    {
      stdio: 'pipe',
    },
  );
}

test('nested structs come first and each once, under their names or where they are found', () => {
  const c = Tick.toC('Tick');
  const structs = [...c.matchAll(/^struct (\w+) \{$/gm)].map(([, name]) => name);
  assert.deepEqual(structs, ['Point', 'Tick_inner_deep', 'Tick_inner', 'Tick']);
  for (const member of [
    'uint32_t id;',
    'bool on;',
    'char name[16];',
    'uint8_t raw[3];',
    'uint64_t tail[8];',
    'char words[3][4];',
    'struct Point at;',
    'struct Point path[4][2];',
    'struct Tick_inner inner;',
    'INTERPROC_ATOMIC(int32_t) ready;',
    'INTERPROC_ATOMIC(uint64_t) slots[2];',
  ]) {
    assert.ok(c.includes(`  ${member}\n`), member);
  }
  assert.ok(c.includes(`digest ${Tick.digest}`));
  const python = Tick.toPython('Tick');
  assert.deepEqual(
    [...python.matchAll(/^class (\w+)/gm)].map(([, name]) => name),
    structs,
  );
  assert.ok(python.includes('("path", (Point * 2) * 4),'));
  assert.ok(python.includes('("words", (ctypes.c_char * 4) * 3),'));
});

test('the header compiles as C11, C17 and C++11, without a warning, and twice in one file', (t) => {
  if (!peer(t, 'gcc')) return;
  const source = `${Tick.toC('Tick')}${Tick.toC('Tick')}${layout({ at: Point }).toC('Other')}int main(void) { return 0; }\n`;
  for (const standard of ['c11', 'c17']) compile(t, 'gcc', standard, source);
  if (!peer(t, 'g++')) return;
  const use =
    'int touch(Tick *tick) { tick->ready.fetch_add(1); return tick->ready.load() + (int)tick->path[3][1].x; }\n';
  for (const standard of ['c++11', 'c++20']) compile(t, 'g++', standard, `${Tick.toC('Tick')}${use}`);
});

test('the asserts fail where a compiler would lay out otherwise', (t) => {
  if (!peer(t, 'gcc') || !peer(t, 'python3')) return;
  const packed = Tick.toC('Tick').replace('#include <stdbool.h>', '#pragma pack(1)\n#include <stdbool.h>');
  assert.throws(() => compile(t, 'gcc', 'c11', packed), /static assertion failed/);
  const python = Tick.toPython('Tick').replaceAll('    _fields_ = [', '    _pack_ = 1\n    _fields_ = [');
  assert.throws(() => execFileSync('python3', ['-c', python], { stdio: 'pipe' }), /AssertionError/);
  execFileSync('python3', ['-c', Tick.toPython('Tick')], { stdio: 'pipe' });
});

test('a field whose name means something in the other language is refused there, and only there', () => {
  for (const name of ['class', 'int', 'register', 'uint32_t', 'unix', 'INT32_MAX', '_Bool', '__x', 'and']) {
    assert.throws(() => layout({ [name]: 'u8' }).toC('A'), {
      ...NAME,
      message: new RegExp(`the field A.${name} cannot be written in C,`),
    });
  }
  for (const name of ['class', 'from', 'None', 'and', '_fields_', '__x', 'from_buffer']) {
    assert.throws(() => layout({ [name]: 'u8' }).toPython('A'), {
      ...NAME,
      message: new RegExp(`the field A.${name} cannot be written in Python,`),
    });
  }
  layout({ int: 'u8' }).toPython('A');
  layout({ from: 'u8', None: 'u8' }).toC('A');
  assert.throws(() => layout({ at: layout({ int: 'u8' }) }).toC('A'), { ...NAME, message: /the field A_at.int/ });
  for (const name of ['int', 'class', '1a', '', 'a b']) assert.throws(() => Tick.toC(name), NAME);
  for (const name of ['class', '1a', '', 'ctypes']) assert.throws(() => Tick.toPython(name), NAME);
});

test('every keyword that a compiler would stumble over is refused', (t) => {
  if (!peer(t, 'gcc')) return;
  const names =
    'auto break case const default do else enum extern for goto if inline long restrict return short signed sizeof static struct switch typedef union unsigned void volatile while linux NULL'.split(
      ' ',
    );
  for (const name of names) {
    assert.throws(() => layout({ [name]: 'u8' }).toC('A'), NAME, name);
    assert.throws(
      () => compile(t, 'gcc', 'gnu11', `#include <stddef.h>\nstruct A { char ${name}; };\n`),
      /error/,
      name,
    );
  }
});

test('two different structs of one name are refused, the same one twice is not', () => {
  const other = layout({ x: 'f32' }, { name: 'Point' });
  assert.throws(() => layout({ a: Point, b: other }).toC('A'), {
    ...NAME,
    message: /two different layouts are called Point/,
  });
  assert.throws(() => layout({ a: Point }).toPython('Point'), {
    ...NAME,
    message: /two different layouts are called Point/,
  });
  const twin = layout({ x: 'f64', y: 'f64' }, { name: 'Point' });
  const c = layout({ a: Point, b: twin }).toC('A');
  assert.equal(c.match(/^struct Point \{$/gm)?.length, 1);
  assert.ok(c.includes('  struct Point b;\n'));
});

test('a versioned object is written with its header, its items and what the header must say', (t) => {
  if (!peer(t, 'gcc') || !peer(t, 'python3')) return;
  const Ticks = versioned(layout({ count: 'u32' }), { magic: 'TICKS', version: 3, items: Tick });
  const memory = new Uint8Array(Ticks.byteLengthFor(2));
  Ticks.format(memory);
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'memory'), memory);
  writeFileSync(
    join(folder, 'a.c'),
    `${Ticks.toC('Ticks')}
#include <stdio.h>
#include <string.h>
int main(void) {
  struct Ticks ticks;
  FILE *file = fopen("memory", "rb");
  if (fread(&ticks, sizeof ticks, 1, file) != 1) return 2;
  printf("%d %d %d %d %d\\n", ticks.header.magic == Ticks_MAGIC, ticks.header.version == Ticks_VERSION,
         memcmp(ticks.header.digest, Ticks_DIGEST, sizeof ticks.header.digest) == 0, (int)ticks.header.size, Ticks_ITEMS_OFFSET + 2 * (int)sizeof(struct Ticks_item));
  return 0;
}
`,
  );
  execFileSync('gcc', ['-std=c11', '-Wall', '-Wextra', '-Werror', 'a.c', '-o', 'a'], { cwd: folder });
  assert.equal(execFileSync('./a', { cwd: folder, encoding: 'utf8' }), `1 1 1 ${memory.length} ${memory.length}\n`);
  const python = `${Ticks.toPython('Ticks')}
ticks = Ticks.from_buffer_copy(open('memory', 'rb').read())
print(ticks.header.magic == Ticks_MAGIC, ticks.header.version == Ticks_VERSION, bytes(ticks.header.digest) == Ticks_DIGEST, ticks.header.size, Ticks_ITEMS_OFFSET + 2 * ctypes.sizeof(Ticks_item))
`;
  assert.equal(
    execFileSync('python3', ['-c', python], { cwd: folder, encoding: 'utf8' }),
    `True True True ${memory.length} ${memory.length}\n`,
  );
});
