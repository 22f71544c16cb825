import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../support/folder.js';
import { openDescriptors } from '../support/descriptors.js';
import { isAlive, until } from '../support/proc.js';
import { type Running, run, start } from './cli.js';

/** A row with so many messages is not over before it is interrupted. */
const ENDLESS = ['--messages', '10000000'];

function inputFile(t: TestContext): string {
  const path = join(temporaryFolder(t), 'input');
  writeFileSync(path, 'a short file');
  return path;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** The tour's program that runs now, as soon as `busy` holds for it. */
function program(
  tour: Running,
  role: 'parent' | 'sender' | 'receiver',
  url: string,
  busy: (pid: number) => boolean,
): Promise<number> {
  return until(`the ${role} of ${url} works`, () => {
    const started = childrenOf(tour.pid);
    for (const pid of [...started, ...started.flatMap((parent) => childrenOf(Number(parent)))]) {
      const command = commandOf(pid);
      if (command.includes(`/${role}.js ${url}`) && busy(Number(pid))) return Number(pid);
    }
    return undefined;
  });
}

function childrenOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  } catch {
    return [];
  }
}

const holds =
  (what: RegExp) =>
  (pid: number): boolean => {
    try {
      return [...openDescriptors(pid).values()].some((target) => what.test(target));
    } catch {
      return false;
    }
  };

/** A folder for the tour to make its own folder in, where it can be seen whether that is left. */
function scratch(t: TestContext): { folder: string; env: { TMPDIR: string } } {
  const folder = temporaryFolder(t);
  return { folder, env: { TMPDIR: folder } };
}

/** A side of a row for synchronization, as soon as it has joined: its descriptor 3 is the memory. */
function turning(tour: Running, primitive: string, side: 0 | 1): Promise<number> {
  return until(`side ${side} of ${primitive} works`, () =>
    childrenOf(tour.pid)
      .filter((pid) => commandOf(pid).includes(`/turns.js ${primitive} ${side} `) && holds(/memfd:/)(Number(pid)))
      .map(Number)
      .at(0),
  );
}

/** What a tour has in /dev/shm. */
function objectsOf(tour: Running): string[] {
  return readdirSync('/dev/shm').filter((name) => name.includes(`interproc-tour-${tour.pid}-`));
}

const KILLED: [row: string, role: 'parent' | 'sender' | 'receiver', url: string, holding: RegExp][] = [
  ['mq', 'receiver', 'mq:', /^\/interproc-tour-.*mq$/],
  ['file', 'sender', 'file:', /\/log$/],
  ['unix', 'receiver', 'unix:', /^socket:/],
  ['pipe-child', 'receiver', 'fd:', /^pipe:/],
  ['pipe-child', 'parent', 'fd:', /^pipe:/],
];
for (const [row, role, url, holding] of KILLED) {
  test(`a ${role} that is killed in the middle of ${row} fails that row, and the next one runs`, async (t) => {
    const { folder, env } = scratch(t);
    const only = ['--only', `${row},futex`, '--input', inputFile(t)];
    const tour = start(t, ['tour', '--json', ...only, ...ENDLESS], { env });
    process.kill(await program(tour, role, url, holds(holding)), 'SIGKILL');
    const { code, stdout, stderr } = await tour.done;
    const rows = JSON.parse(String(stdout)).rows;
    assert.equal(stderr, '');
    assert.deepEqual(
      rows.map(({ name, verified }: { name: string; verified: boolean }) => [name, verified]),
      [
        [row, false],
        ['futex', true],
      ],
    );
    assert.equal(rows[0].error, `the ${role === 'parent' ? 'sender' : role} was killed by SIGKILL`);
    assert.equal(code, 1);
    assert.deepEqual(readdirSync(folder), [], 'its folder is gone');
  });
}

for (const [side, name] of [
  [0, 'first'],
  [1, 'second'],
] as const) {
  test(`a process that is killed with or without the turn fails its row and not the next, and nothing is left (the ${name} one)`, async (t) => {
    const { folder, env } = scratch(t);
    const tour = start(t, ['tour', '--json', '--only', 'sem,lock-file,futex', ...ENDLESS], { env });
    process.kill(await turning(tour, 'sem', side), 'SIGKILL');
    process.kill(await turning(tour, 'lock-file', side), 'SIGKILL');
    const { code, stdout, stderr } = await tour.done;
    const rows: { error: string | null }[] = JSON.parse(String(stdout)).rows;
    const killed = `the ${name} process was killed by SIGKILL`;
    assert.deepEqual(
      rows.map(({ error }) => error),
      [killed, killed, null],
    );
    assert.deepEqual([code, stderr], [1, '']);
    assert.deepEqual(readdirSync(folder), []);
    assert.deepEqual(objectsOf(tour), []);
  });
}

test('what a primitive has made is removed when the tour itself is killed', async (t) => {
  const tour = start(t, ['tour', '--only', 'sem', ...ENDLESS], { env: scratch(t).env });
  const sides = await Promise.all([turning(tour, 'sem', 0), turning(tour, 'sem', 1)]);
  assert.equal(objectsOf(tour).length, 2);
  tour.kill('SIGKILL');
  await tour.done;
  await until('both processes are gone', () => sides.every((pid) => !isAlive(pid)));
  assert.deepEqual(objectsOf(tour), []);
});

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends the tour and its programs, and nothing is left`, async (t) => {
    const { folder, env } = scratch(t);
    const tour = start(t, ['tour', '--only', 'posixshm', '--input', inputFile(t), ...ENDLESS], { env });
    const objects = (): string[] => objectsOf(tour);
    const receiver = await program(tour, 'receiver', 'posixshm:', () => objects().length > 0);
    tour.kill(signal);
    const { code, stdout, stderr } = await tour.done;
    assert.deepEqual([code, String(stdout), stderr], [expected, '', '']);
    assert.ok(!isAlive(receiver), 'the receiver is gone');
    assert.deepEqual(objects(), []);
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('its programs end when the tour itself is killed', async (t) => {
  const tour = start(t, ['tour', '--only', 'pipe', '--input', inputFile(t), ...ENDLESS], { env: scratch(t).env });
  const sender = await program(tour, 'sender', 'fd:', holds(/^pipe:/));
  const receiver = await program(tour, 'receiver', 'fd:', holds(/^pipe:/));
  tour.kill('SIGKILL');
  await tour.done;
  await until('both programs are gone', () => !isAlive(sender) && !isAlive(receiver));
});

test('two tours at the same time do not meet', async (t) => {
  const words = ['tour', '--json', '--messages', '500', '--input', inputFile(t)];
  const both = await Promise.all([run(t, words), run(t, words)]);
  for (const { code, stdout, stderr } of both) {
    assert.equal(stderr, '');
    for (const row of JSON.parse(String(stdout)).rows) assert.equal(row.error, null, row.name);
    assert.equal(code, 0);
  }
});
