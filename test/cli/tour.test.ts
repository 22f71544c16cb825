import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ROWS } from '../../src/cli/tour/rows.js';
import { temporaryFolder } from '../support/folder.js';
import { type Outcome, run } from './cli.js';

interface Row {
  name: string;
  mechanism: string;
  way: string;
  family: string;
  processes: string;
  url: string;
  bytes: number | null;
  messages: number | null;
  seconds: number | null;
  throughputBytesPerSecond: number | null;
  messagesPerSecond: number | null;
  roundTripMicroseconds: number | null;
  peakMemoryBytes: { sender: number; receiver: number };
  verified: boolean;
  error: string | null;
}

const NAMES = [
  'file',
  'file-durable',
  'pipe-child',
  'pipe',
  'fifo',
  'unix',
  'unix-abstract',
  'unixpacket',
  'unixgram',
  'mq',
  'msgq',
  'anonymous',
  'mmap',
  'sysvshm',
  'posixshm',
  'shm',
  'signal',
];
/** Those of synchronization. */
const TURNS = [
  'sem',
  'sem-mapped',
  'sem-recovering',
  'semset',
  'flock',
  'record',
  'ofd',
  'lock-file',
  'eventfd',
  'futex',
  'mutex',
  'rwlock',
  'condition',
  'barrier',
  'semaphore',
  'latch',
  'once',
];
const INPUT = randomBytes(300_001);

function inputFile(t: TestContext, bytes: Uint8Array): string {
  const path = join(temporaryFolder(t), 'a file with spaces');
  writeFileSync(path, bytes);
  return path;
}

function rowsOf({ stdout, stderr }: Outcome): Row[] {
  assert.equal(stderr, '');
  return JSON.parse(String(stdout)).rows;
}

test('the list of rows has every file of rows/ and of primitives/', () => {
  const files = ['rows', 'primitives'].flatMap((folder) =>
    readdirSync(new URL(`../../src/cli/tour/${folder}/`, import.meta.url)).filter((name) => name.endsWith('.js')),
  );
  assert.equal(files.length, ROWS.length);
  assert.deepEqual(
    ROWS.map(({ name }) => name),
    [...NAMES, ...TURNS],
  );
});

test('seventeen rows that move something are verified and measured, and the JSON has the stated shape', async (t) => {
  const words = ['tour', '--json', '--messages', '1000', '--only', NAMES.join(), '--input', inputFile(t, INPUT)];
  const outcome = await run(t, words);
  const rows = rowsOf(outcome);
  assert.deepEqual(
    rows.map(({ name }) => name),
    NAMES,
  );
  for (const row of rows) {
    assert.equal(row.error, null, row.name);
    assert.equal(row.verified, true);
    assert.equal(row.messages, 1000);
    assert.ok(row.seconds! > 0 && row.messagesPerSecond! > 0 && row.roundTripMicroseconds! > 0);
    assert.ok(row.peakMemoryBytes.sender > 1e6 && row.peakMemoryBytes.receiver > 1e6);
    assert.ok(['file', 'kernel', 'memory'].includes(row.way));
    assert.ok(['parent and child', 'siblings', 'unrelated'].includes(row.processes));
    if (row.family === 'signal') {
      assert.deepEqual([row.bytes, row.throughputBytesPerSecond, row.url], [null, null, 'signal:SIGRTMIN+1']);
    } else {
      assert.equal(row.bytes, INPUT.length);
      assert.ok(row.throughputBytesPerSecond! > 0);
    }
  }
  assert.deepEqual(
    new Set(rows.map(({ url }) => url.slice(0, url.indexOf(':')))),
    new Set([
      'file',
      'fd',
      'fifo',
      'unix',
      'unixpacket',
      'unixgram',
      'mq',
      'msgq',
      'mmap',
      'sysvshm',
      'posixshm',
      'shm',
      'signal',
    ]),
  );
  const { machine } = JSON.parse(String(outcome.stdout));
  assert.equal(machine.node, process.version);
  assert.equal(outcome.code, 0);
});

test('each primitive hands a turn over, which is verified and measured, and moves no bytes', async (t) => {
  const outcome = await run(t, ['tour', '--json', '--messages', '201', '--only', TURNS.join()]);
  const rows = rowsOf(outcome);
  assert.deepEqual(
    rows.map(({ name }) => name),
    TURNS,
  );
  for (const row of rows) {
    assert.equal(row.error, null, row.name);
    assert.equal(row.verified, true);
    assert.equal(row.family, 'sync');
    assert.deepEqual([row.bytes, row.throughputBytesPerSecond], [null, null]);
    assert.ok(row.seconds! > 0 && row.roundTripMicroseconds! > 0);
    assert.ok(Math.abs(row.messagesPerSecond! - row.messages! / row.seconds!) < 1e-6 * row.messagesPerSecond!);
    // There and back, so their number is even; a slow machine has no time for all.
    assert.ok(row.messages! >= 2 && row.messages! <= 202 && row.messages! % 2 === 0, `${row.name}: ${row.messages}`);
    assert.ok(row.peakMemoryBytes.sender > 1e6 && row.peakMemoryBytes.receiver > 1e6);
    assert.ok(['siblings', 'unrelated'].includes(row.processes));
    assert.ok(row.url.startsWith(`${row.name}:`), row.url);
  }
  const inMemory = rows.filter(({ way }) => way === 'memory').map(({ name }) => name);
  assert.deepEqual(inMemory, ['sem', 'sem-mapped', ...TURNS.slice(TURNS.indexOf('futex'))]);
  assert.equal(outcome.code, 0);
});

test('a turn that is taken without waiting makes each row of a primitive, and only that one, unverified', async (t) => {
  await Promise.all(
    [TURNS.slice(0, 8), TURNS.slice(8)].map(async (names) => {
      for (const name of names) {
        const other = name === 'futex' ? 'eventfd' : 'futex';
        const words = ['tour', '--json', '--messages', '100', '--only', `${name},${other}`];
        const outcome = await run(t, words, { env: { INTERPROC_TOUR_CORRUPT: name } });
        const rows = rowsOf(outcome);
        for (const row of rows) assert.equal(row.verified, row.name !== name, `${row.name} while ${name} is changed`);
        // Which of both notices first, and how, depends on who is quicker.
        assert.match(rows.find((row) => row.name === name)!.error!, /^the turns did not alternate: /);
        assert.equal(outcome.code, 1);
      }
    }),
  );
});

test('one byte that changes on its way makes each row, and only that one, unverified', async (t) => {
  const input = inputFile(t, INPUT);
  await Promise.all(
    [NAMES.slice(0, 6), NAMES.slice(6)].map(async (names) => {
      for (const name of names) {
        const other = name === 'shm' ? 'unix' : 'shm';
        const words = ['tour', '--json', '--messages', '100', '--only', `${name},${other}`, '--input', input];
        const outcome = await run(t, words, { env: { INTERPROC_TOUR_CORRUPT: name } });
        const rows = rowsOf(outcome);
        for (const row of rows) assert.equal(row.verified, row.name !== name, `${row.name} while ${name} is changed`);
        assert.match(rows.find((row) => row.name === name)!.error!, /SHA-256 differs/);
        assert.equal(outcome.code, 1);
      }
    }),
  );
});

test('an empty file arrives, and a changed byte is then noticed in the messages', async (t) => {
  const words = [
    'tour',
    '--json',
    '--messages',
    '100',
    '--only',
    'file,pipe,mq',
    '--input',
    inputFile(t, Buffer.alloc(0)),
  ];
  const outcome = await run(t, words, { env: { INTERPROC_TOUR_CORRUPT: 'mq' } });
  const rows = rowsOf(outcome);
  assert.deepEqual(
    rows.map(({ verified }) => verified),
    [true, true, false],
  );
  for (const row of rows) assert.deepEqual([row.bytes, row.throughputBytesPerSecond], [0, null]);
});

test('the memory of both processes is bounded for a file that is longer than the room to gather it', async (t) => {
  const input = inputFile(t, Buffer.alloc(150_000_000, 'interproc'));
  const outcome = await run(t, ['tour', '--json', '--messages', '100', '--only', 'unix,posixshm', '--input', input]);
  for (const row of rowsOf(outcome)) {
    assert.equal(row.verified, true);
    assert.equal(row.bytes, 150_000_000);
    assert.ok(row.peakMemoryBytes.sender < 120e6, `the sender's peak is ${row.peakMemoryBytes.sender}`);
    assert.ok(row.peakMemoryBytes.receiver < 220e6, `the receiver's peak is ${row.peakMemoryBytes.receiver}`);
  }
});

test('the table is grouped by way and ends with a sentence that compares the ways', async (t) => {
  const words = [
    'tour',
    '--messages',
    '500',
    '--only',
    'file,file-durable,unix,shm,signal',
    '--input',
    inputFile(t, INPUT),
  ];
  const { code, stdout, stderr } = await run(t, words);
  const text = String(stdout);
  const at = ['through a file', "through the kernel's buffers", 'through shared memory', 'notify'].map((title) =>
    text.indexOf(title),
  );
  assert.ok(
    at.every((place, index) => place > (at[index - 1] ?? 0)),
    text,
  );
  assert.match(text, /│ +ring in a memfd +│ unrelated │ .*\/s │ .*\/s │ .*s │ .*B, .*B │ yes/);
  const speed = String.raw`(?:[\d.]+ (?:\w+ )?times (?:slower|faster)|about as fast) with`;
  const both = `${speed} blocks of 64 KiB and ${speed} messages of 64 bytes`;
  assert.match(
    text.trimEnd().split('\n').at(-1)!,
    new RegExp(
      `^On this machine, compared with the kernel's buffers, a file made durable message by message is ${both}, and ` +
        `a file in the page cache is ${both}; compared with shared memory, the kernel's buffers are ${both}\\.$`,
    ),
  );
  assert.deepEqual([stderr, code], ['', 0], 'no progress where there is no terminal');
});

test('turns have a table and a sentence of their own, and need no file', async (t) => {
  const { code, stdout, stderr } = await run(t, ['tour', '--messages', '100', '--only', 'flock,eventfd,futex']);
  const lines = String(stdout).trimEnd().split('\n');
  assert.match(lines[0]!, /^Turns that two processes hand to each other/);
  assert.match(lines[2]!, /│ mechanism +│ processes +│ hand-overs │ there and back │ peak memory, both │ verified │/);
  const titles = lines.filter((line) => line.includes('take turns')).map((line) => line.replace(/[│ ]+$/, ''));
  assert.deepEqual(titles, ['│ take turns, by a state in the kernel', '│ take turns, by a word in shared memory']);
  assert.match(
    String(stdout),
    /│ +eventfd as a semaphore +│ siblings +│ +[\d.]+ k?\/s │ +[\d.]+ [mµ]?s │ .*B, .*B │ yes/,
  );
  assert.match(
    lines.at(-1)!,
    /^A turn is handed over most often by: of what is in shared memory, futex on a word of a mapping, [\d.]+ (thousand )?times a second; of what is in the kernel, /,
  );
  assert.deepEqual([stderr, code], ['', 0]);
});

const UNUSABLE: [what: string, path: (folder: string) => string, said: RegExp][] = [
  ['is missing', (folder) => join(folder, 'none'), /ENOENT/],
  ['is a directory', (folder) => folder, /is a directory/],
  ['is a device', () => '/dev/zero', /is not a regular file/],
];
for (const [what, path, said] of UNUSABLE) {
  test(`an input that ${what} is refused before anything starts`, async (t) => {
    const { code, stdout, stderr } = await run(t, ['tour', '--json', '--input', path(temporaryFolder(t))]);
    assert.match(stderr, /^interproc tour: /);
    assert.match(stderr, said);
    assert.equal(stderr.trimEnd().split('\n').length, 1);
    assert.deepEqual([code, String(stdout)], [1, '']);
  });
}
