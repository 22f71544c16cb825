import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { root } from './checkout.js';

/**
 * Takes the lock again and again. Inside it writes its pid into a file, gives others every chance, and looks whether it
 * is still its own. Sometimes it dies there. Every way out of the loop but the last is a death with the lock held.
 */
const CONTENDER = `
  import { readFileSync, writeFileSync, appendFileSync } from 'node:fs';
  import { setImmediate } from 'node:timers/promises';
  const [module, dir, file, rounds, dies] = process.argv.slice(1);
  const { lock } = await import(module);
  for (let round = 1; round <= Number(rounds); round++) {
    const release = await lock(dir);
    writeFileSync(file, String(process.pid));
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    if (readFileSync(file, 'utf8') !== String(process.pid)) appendFileSync(file + '.broken', 'two at once\\n');
    if (dies === 'yes' && round === Number(rounds)) process.kill(process.pid, 'SIGKILL');
    release();
  }
`;

const HOLDER = `
  import { spawn } from 'node:child_process';
  const [module, dir, helper] = process.argv.slice(1);
  const { lock } = await import(module);
  await lock(dir);
  let pid = 0;
  if (helper === 'helper') pid = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true }).pid;
  process.stdout.write('held ' + pid + '\\n');
  setInterval(() => {}, 1 << 30);
`;

const MODULE = join(root, 'scripts', 'lib', 'lock.mjs');
type Lock = (dir: string, onWait?: () => void) => Promise<() => void>;

describe('the lock of the set-up', () => {
  let folder: string;
  let lock: Lock;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'interproc-lock-'));
    ({ lock } = await import(MODULE));
  });
  after(() => rmSync(folder, { recursive: true }));

  const run = (program: string, ...words: string[]): ChildProcess =>
    spawn(process.execPath, ['--input-type=module', '-e', program, MODULE, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });

  async function holder(dir: string, helper = ''): Promise<{ process: ChildProcess; helper: number }> {
    const child = run(HOLDER, dir, helper);
    const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    return { process: child, helper: Number(line.split(' ')[1]) };
  }

  test('is held by one at a time, however many want it and whoever dies with it', async () => {
    const dir = join(folder, 'contended');
    const file = join(folder, 'inside');
    const contenders = Array.from({ length: 12 }, (_, index) =>
      run(CONTENDER, dir, file, '5', index % 3 === 0 ? 'yes' : 'no'),
    );
    const ends = await Promise.all(contenders.map((child) => once(child, 'close')));
    assert.deepEqual(
      ends.map(([, signal]) => signal),
      contenders.map((_, index) => (index % 3 === 0 ? 'SIGKILL' : null)),
    );
    assert.throws(() => readFileSync(`${file}.broken`), { code: 'ENOENT' });
    assert.equal(readdirSync(dir).filter((name) => /^\d+$/.test(name)).length, 1, 'old tickets are tidied up');
  });

  test('makes others wait while its holder lives, and is free at once when it is killed', async () => {
    const dir = join(folder, 'killed');
    const held = await holder(dir);
    const { promise: waiting, resolve: onWait } = withResolvers();
    const taken = lock(dir, onWait);
    await waiting;
    held.process.kill('SIGKILL');
    (await taken)();
  });

  test('makes others wait while something lives that a dead holder had started', async () => {
    const dir = join(folder, 'orphan');
    const held = await holder(dir, 'helper');
    held.process.kill('SIGKILL');
    await once(held.process, 'close');
    const { promise: waiting, resolve: onWait } = withResolvers();
    const taken = lock(dir, onWait);
    await waiting;
    process.kill(held.helper, 'SIGKILL');
    (await taken)();
  });

  test('is free when the pid of a dead holder belongs to another process, or it is of an earlier boot', async () => {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    for (const ticket of [
      { pid: process.pid, start: '1', boot, namespace: null },
      { pid: 1, start: '0', boot: 'another', namespace: null },
    ]) {
      const dir = mkdtempSync(join(folder, 'stale-'));
      const own = await lock(dir);
      const [name] = readdirSync(dir).filter((entry) => /^\d+$/.test(entry));
      const mine = JSON.parse(readFileSync(join(dir, name!), 'utf8'));
      own();
      writeFileSync(join(dir, name!), JSON.stringify({ ...mine, ...ticket, namespace: mine.namespace }));
      (await lock(dir, () => assert.fail('it waited for a dead holder')))();
    }
  });

  test('is free when its ticket makes no sense', async () => {
    const dir = join(folder, 'nonsense');
    mkdirSync(dir);
    writeFileSync(join(dir, '3'), '');
    (await lock(dir, () => assert.fail('it waited for nobody')))();
  });
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
