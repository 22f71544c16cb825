/** What becomes of locks and of waits for them when their worker or process ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as filelock from '../../src/filelock/index.js';
import { countDescriptors, openWaiting } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { killed, start } from '../support/program.js';
import { ALL, held, holder, KINDS, newFile, release, waiter } from './support.js';
import { fileURLToPath } from 'node:url';

const WORKER = new URL('../fixtures/filelock-worker.js', import.meta.url);

async function worker(data: object): Promise<Worker> {
  const made = new Worker(WORKER, { workerData: data });
  await once(made, 'online');
  return made;
}

for (const kind of [...ALL, 'lockFile'] as const) {
  const take = (path: string): { release(): void } | undefined =>
    kind === 'lockFile' ? filelock.tryLockFile(path) : KINDS[kind].tryAcquire(path);

  test(`${kind}: a worker that is terminated has the lock no longer`, async (t) => {
    await openWaiting();
    const path = newFile(t);
    const before = countDescriptors();
    const made = await worker({ kind, path });
    assert.deepEqual(await once(made, 'message'), ['held']);
    await made.terminate();
    held(t, take(path)).release();
    await until('the descriptors are back', () => countDescriptors() <= before);
  });

  for (const form of ['acquire', 'acquireSync']) {
    test(`${kind}: a worker that is terminated in the middle of ${form} takes no lock any more`, async (t) => {
      await openWaiting();
      const path = newFile(t);
      const other = await holder(t, kind, path);
      const before = countDescriptors();
      for (let round = 0; round < 10; round++) {
        const made = await worker({ kind, path, form });
        await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
        await made.terminate();
      }
      assert.equal(filelock.holders(path).filter(({ waiting }) => waiting).length, 0);
      await release(other);
      held(t, take(path)).release();
      await until('the descriptors are back', () => countDescriptors() <= before);
    });
  }

  test(`${kind}: a killed holder’s lock goes to who waits, and a killed waiter is forgotten`, async (t) => {
    const path = newFile(t);
    const first = await holder(t, kind, path);
    const second = waiter(t, kind, path);
    await until('the second waits', () => filelock.holders(path).some(({ waiting }) => waiting));
    const third = waiter(t, kind, path);
    await until('the third waits', () => filelock.holders(path).filter(({ waiting }) => waiting).length === 2);
    await killed(second);
    await killed(first);
    assert.equal(await third.line(), 'held');
    await release(third);
  });

  test(`${kind}: process.exit() in the middle of a wait exits`, async (t) => {
    const path = newFile(t);
    const other = await holder(t, kind, path);
    const module = fileURLToPath(new URL('../../src/filelock/index.js', import.meta.url));
    const call = kind === 'lockFile' ? 'lockFile' : `${kind}.acquire`;
    const code = `import * as filelock from ${JSON.stringify(module)};
      filelock.${call}(process.argv[1]); setTimeout(() => process.exit(7), 30);`;
    const child = start(t, process.execPath, ['--input-type=module', '-e', code, path]);
    assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
    await release(other);
  });
}

for (const kind of ['flock', 'ofd'] as const) {
  test(`${kind}: what a thread got for a worker that was busy is given back when the worker is terminated, though the file stays open`, async (t) => {
    const path = newFile(t);
    const fd = openSync(path, 'r+');
    t.after(() => closeSync(fd));
    const other = await holder(t, kind, path);
    const made = new Worker(WORKER, { workerData: { kind, path: fd, form: 'busy' } });
    await once(made, 'message');
    await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
    await killed(other);
    await until('the thread has it', () => filelock.holders(path).some(({ waiting }) => !waiting));
    await made.terminate();
    held(t, KINDS[kind].tryAcquire(path)).release();
  });
}

test('two threads of a process exclude each other by locks of open files', async (t) => {
  for (const kind of ['flock', 'ofd'] as const) {
    const path = newFile(t);
    const lock = held(t, KINDS[kind].tryAcquire(path));
    const made = await worker({ kind, path, options: { timeoutMs: 20 } });
    assert.deepEqual(await once(made, 'message'), ['ETIMEDOUT']);
    await made.terminate();
    lock.release();
  }
});

test('an idle lock does not keep the process alive, a wait does', async (t) => {
  const path = newFile(t);
  const module = fileURLToPath(new URL('../../src/filelock/index.js', import.meta.url));
  const idle = `import * as filelock from ${JSON.stringify(module)};
    globalThis.kept = [filelock.ofd.tryAcquire(process.argv[1]), filelock.flock.tryAcquire(process.argv[1]),
      filelock.tryLockFile(process.argv[1] + '.lock')];`;
  const child = start(t, process.execPath, ['--input-type=module', '-e', idle, path]);
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
  const lock = held(t, filelock.ofd.tryAcquire(path));
  const other = waiter(t, 'ofd', path);
  await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
  lock.release();
  assert.equal(await other.line(), 'held');
});

test('a lock that is collected without having been released is given back, with a warning', async (t) => {
  const path = newFile(t);
  const module = fileURLToPath(new URL('../../src/filelock/index.js', import.meta.url));
  const code = `import * as filelock from ${JSON.stringify(module)};
    process.on('warning', ({ code, message }) => { console.log(code, message); process.exit(filelock.ofd.tryAcquire(process.argv[1]) ? 0 : 1); });
    (() => { filelock.ofd.tryAcquire(process.argv[1]); })();
    setInterval(() => globalThis.gc(), 5);`;
  const child = start(t, process.execPath, ['--expose-gc', '--input-type=module', '-e', code, path]);
  assert.match(await child.line(), /^INTERPROC_NOT_CLOSED a lock \(ofd\) on .* was garbage collected without release/);
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});
