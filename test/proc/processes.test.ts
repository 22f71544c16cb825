import assert from 'node:assert/strict';
import { closeSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { create } from '../../src/pipe/index.js';
import {
  adopt,
  children,
  isSubreaper,
  openPid,
  processGroup,
  session,
  setProcessGroup,
  setSubreaper,
} from '../../src/proc/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { stateOf, threadsOf, until } from '../support/proc.js';
import { start } from '../support/program.js';
import { sleeper } from './support.js';

const code = (wanted: string) => (why: NodeJS.ErrnoException) => why.code === wanted;
const O_CLOEXEC = 0o2000000;

test('the end of a process that is no child is a promise, and the same in every form', async (t) => {
  // The process is a child of sh, which is one of child_process.
  const program = start(t, 'sh', ['-c', 'sleep 1000 & echo $!; wait']);
  using handle = openPid(Number(await program.line()));
  assert.equal(handle.ended, false);
  const end = handle.wait();
  assert.equal(handle.kill(0), true);
  assert.equal(handle.kill('SIGTERM'), true);
  await end;
  assert.equal(handle.ended, true);
  await handle.wait({ timeoutMs: 0 });
  handle.waitSync();
  assert.equal(handle.kill(), false);
  assert.throws(() => handle.takeDescriptor(0), code('ESRCH'));
});

test('a wait for a process can be aborted and timed out, and close() ends it', async () => {
  openPoller();
  const before = countDescriptors();
  const handle = openPid(process.pid);
  await assert.rejects(handle.wait({ timeoutMs: 5 }), code('ETIMEDOUT'));
  assert.throws(() => handle.waitSync({ timeoutMs: 5 }), code('ETIMEDOUT'));
  await assert.rejects(handle.wait({ signal: AbortSignal.abort() }), code('ABORT_ERR'));
  const pending = handle.wait();
  handle.close();
  await assert.rejects(pending, code('ERR_INTERPROC_CLOSED'));
  assert.throws(() => handle.kill(0), code('ERR_INTERPROC_CLOSED'));
  assert.equal(countDescriptors(), before);
});

test('a descriptor of another process is taken over, and is ours to close', async (t) => {
  const { reader, writer } = create();
  t.after(() => reader.close());
  const child = sleeper(t, { fds: { 9: writer } });
  writer.close();
  using handle = openPid(child.pid);
  for (const from of [handle, child]) {
    const fd = from.takeDescriptor(9);
    assert.notEqual(flagsOf(fd) & O_CLOEXEC, 0);
    closeSync(fd);
    assert.throws(() => from.takeDescriptor(777), code('EBADF'));
    assert.throws(() => from.takeDescriptor(-1), RangeError);
  }
  const input = child.takeDescriptor(0);
  assert.ok(readSync(input, Buffer.alloc(1), 0, 0, null) === 0);
  closeSync(input);
});

test('a process that is gone is ESRCH, what is no pid is refused, and a mere thread is EINVAL or ENOENT', async (t) => {
  const program = start(t, 'true', []);
  await program.ended;
  assert.throws(() => openPid(program.pid), code('ESRCH'));
  assert.throws(() => processGroup(program.pid), code('ESRCH'));
  assert.throws(() => session(program.pid), code('ESRCH'));
  assert.throws(() => children(program.pid), code('ESRCH'));
  assert.throws(() => adopt(program.pid), code('ESRCH'));
  for (const pid of [0, -1, 1.5, 2 ** 22 + 1, Number.NaN]) {
    assert.throws(() => openPid(pid), RangeError);
    assert.throws(() => processGroup(pid), RangeError);
    assert.throws(() => setProcessGroup(pid), RangeError);
    assert.throws(() => adopt(pid), RangeError);
  }
  assert.throws(() => openPid('1' as never), TypeError);
  const thread = threadsOf('self').find((one) => one !== process.pid);
  assert.throws(
    () => openPid(thread as number),
    (why: NodeJS.ErrnoException & { hint: string }) =>
      ['EINVAL', 'ENOENT'].includes(why.code ?? '') && /thread/.test(why.hint),
  );
});

test('only a child can be adopted', () => {
  assert.throws(() => adopt(1), code('ECHILD'));
});

test('a subreaper gets the orphans of its descendants, and waits for those that it adopts', async (t) => {
  setSubreaper(true);
  t.after(() => setSubreaper(false));
  assert.equal(isSubreaper(), true);
  const program = start(t, 'sh', ['-c', 'sleep 1000 & echo $!']);
  const pid = Number(await program.line());
  program.process.stdout?.destroy(); // the orphan has it open
  await until('it is ours', () => children().includes(pid));
  const orphan = adopt(pid);
  orphan.kill('SIGUSR1');
  assert.equal((await orphan.wait()).description, 'killed by SIGUSR1 (user-defined signal 1)');
  assert.equal(stateOf(pid), '');
  setSubreaper(false);
  assert.equal(isSubreaper(), false);
});

test('a child that was started here can be adopted, and both handles tell the same', async (t) => {
  const child = sleeper(t);
  const same = adopt(child.pid);
  child.kill();
  assert.deepEqual(await same.wait(), await child.wait());
});
