import assert from 'node:assert/strict';
import { once } from 'node:events';
import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { create } from '../../src/pipe/index.js';
import { children, type ExitStatus, spawn } from '../../src/proc/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { stateOf, threadsOf, until } from '../support/proc.js';
import { start, startFixture } from '../support/program.js';
import { put, sleeper, started } from './support.js';

const code = (wanted: string) => (why: NodeJS.ErrnoException) => why.code === wanted;

test('a child that exits is data and a sentence, in every form of waiting', async (t) => {
  const wanted: ExitStatus = {
    state: 'exited',
    code: 3,
    signal: null,
    signalNumber: null,
    coreDumped: false,
    stopped: false,
    description: 'exited with code 3',
  };
  const child = started(t, 'sh', ['-c', 'exit 3']);
  assert.deepEqual(await Promise.all([child.wait(), child.wait()]), [wanted, wanted]);
  assert.deepEqual(child.tryWait(), wanted);
  assert.deepEqual(child.waitSync({ timeoutMs: 0 }), wanted);
  assert.deepEqual(await child.wait({ timeoutMs: 0 }), wanted);
  assert.deepEqual(started(t, 'sh', ['-c', 'exit 3']).waitSync(), wanted);
  const changes: ExitStatus[] = [];
  for await (const change of child.changes()) changes.push(change);
  assert.deepEqual(changes, [wanted]);
});

test('a child that a signal killed tells its name, number and meaning', async (t) => {
  const child = sleeper(t);
  assert.equal(child.tryWait(), undefined);
  assert.equal(child.kill(), true);
  assert.deepEqual(await child.wait(), {
    state: 'killed',
    code: null,
    signal: 'SIGTERM',
    signalNumber: 15,
    coreDumped: false,
    stopped: false,
    description: 'killed by SIGTERM (terminated)',
  });
  const other = sleeper(t);
  other.kill('SIGRTMIN+3');
  assert.equal((await other.wait()).description, 'killed by SIGRTMIN+3');
});

test('kill is false for a child that has ended, and never reaches another process', async (t) => {
  const child = started(t, 'true', []);
  await child.wait();
  assert.equal(child.kill(), false);
  assert.equal(child.kill(0), false);
  assert.throws(() => child.takeDescriptor(0), code('ESRCH'));
});

test('every stop and continuation is told while somebody listens, and then the end', async (t) => {
  // In a group of its own: SIGTSTP does not stop members of an orphaned group, as ours is in a session without a shell.
  const child = sleeper(t, { processGroup: 'new' });
  const told: string[] = [];
  for await (const change of changesAfter(child)) {
    told.push(change.description);
    if (change.state === 'stopped') {
      assert.equal(change.stopped, true);
      assert.equal(stateOf(child.pid), 'T');
      child.kill('SIGCONT');
    } else if (told.length < 4) {
      child.kill('SIGTSTP');
    } else if (change.state === 'continued') {
      child.kill('SIGKILL');
    }
  }
  assert.deepEqual(told, [
    'stopped by SIGSTOP (stop)',
    'continued',
    'stopped by SIGTSTP (stop from the terminal, Ctrl+Z)',
    'continued',
    'killed by SIGKILL (killed)',
  ]);

  async function* changesAfter(one: typeof child): AsyncGenerator<ExitStatus> {
    one.kill('SIGSTOP');
    yield* one.changes();
  }
});

test('a stop from before anybody listened is told to the first who does', async (t) => {
  const child = sleeper(t);
  child.kill('SIGSTOP');
  await until('it is stopped', () => stateOf(child.pid) === 'T');
  const changes = child.changes();
  assert.equal((await changes.next()).value?.description, 'stopped by SIGSTOP (stop)');
  await changes.return();
});

test('two who listen hear the same, and waits beside them do, too', async (t) => {
  const child = sleeper(t);
  const hear = async (): Promise<string[]> => {
    const heard: string[] = [];
    for await (const { state } of child.changes()) {
      heard.push(state);
      if (state === 'stopped') child.kill('SIGCONT');
      if (state === 'continued') child.kill('SIGKILL');
    }
    return heard;
  };
  const both = Promise.all([hear(), hear(), child.wait()]);
  child.kill('SIGSTOP');
  const [first, second, end] = await both;
  assert.deepEqual(first, ['stopped', 'continued', 'killed']);
  assert.deepEqual(second, first);
  assert.equal(end.state, 'killed');
});

test('leaving the loop of changes ends its thread’s wait, and the child goes on', async (t) => {
  const child = sleeper(t);
  child.kill('SIGSTOP');
  for await (const change of child.changes()) {
    assert.equal(change.state, 'stopped');
    break;
  }
  const blocked = (): number => threadsOf('self').filter((thread) => stateOf(process.pid, thread) === 'S').length;
  assert.ok(blocked() > 0);
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  assert.equal((await child.wait()).signal, 'SIGTERM');
});

test('a time-out and an abort leave the child as it is, and no listener', async (t) => {
  const child = sleeper(t);
  await assert.rejects(child.wait({ timeoutMs: 0 }), code('ETIMEDOUT'));
  await assert.rejects(child.wait({ timeoutMs: 5 }), code('ETIMEDOUT'));
  assert.throws(() => child.waitSync({ timeoutMs: 5 }), code('ETIMEDOUT'));
  await assert.rejects(child.changes({ timeoutMs: 5 }).next(), code('ETIMEDOUT'));
  const abort = new AbortController();
  const waits = [child.wait({ signal: abort.signal }), child.changes({ signal: abort.signal }).next()];
  abort.abort('enough');
  for (const wait of waits) await assert.rejects(wait, { code: 'ABORT_ERR', cause: 'enough' });
  await assert.rejects(child.wait({ signal: abort.signal }), code('ABORT_ERR'));
  assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
  await assert.rejects(child.wait({ timeoutMs: -1 }), RangeError);
  await assert.rejects(child.wait({ timeOutMs: 1 } as never), /did you mean timeoutMs/);
  child.kill();
  assert.equal((await child.wait()).signal, 'SIGTERM');
});

test('an end is given to the wait that an abort was aimed at, or to the next one', async (t) => {
  let aborted = 0;
  for (let round = 0; round < 300; round++) {
    const abort = new AbortController();
    const child = started(t, 'true', []);
    const wait = child.wait({ signal: abort.signal });
    const aim = (turns: number): void => void (turns === 0 ? abort.abort() : setImmediate(aim, turns - 1));
    aim(round % 12);
    const end = await wait.catch((why: NodeJS.ErrnoException) => {
      assert.equal(why.code, 'ABORT_ERR');
      aborted++;
      return child.wait();
    });
    assert.equal(end.description, 'exited with code 0');
  }
  t.diagnostic(`${aborted} of 300 were aborted`);
  assert.deepEqual(children(), []);
});

test('close() ends pending waits and not the child, which is waited for when it ends', async () => {
  const child = spawn('sleep', ['1000']);
  const { pid } = child;
  const waits = [child.wait(), child.changes().next()];
  child.close();
  child.close();
  for (const wait of waits) await assert.rejects(wait, code('ERR_INTERPROC_CLOSED'));
  await assert.rejects(child.wait(), code('ERR_INTERPROC_CLOSED'));
  assert.throws(() => child.kill(), code('ERR_INTERPROC_CLOSED'));
  assert.notEqual(stateOf(pid), '');
  process.kill(pid, 'SIGKILL');
  await until('it is no zombie', () => stateOf(pid) === '');
});

test('nobody has to wait: a child that ends is no zombie', async () => {
  openPoller();
  const before = countDescriptors();
  const pids = Array.from({ length: 20 }, () => spawn('true').pid);
  await until('all are gone', () => pids.every((pid) => stateOf(pid) === ''));
  await until('the descriptors are back', () => countDescriptors() <= before);
});

test('a handle that was collected leaves no zombie', async (t) => {
  const program = start(t, process.execPath, [
    '--expose-gc',
    fileURLToPath(new URL('../fixtures/proc-collected.js', import.meta.url)),
  ]);
  assert.equal(await program.line(), 'collected, and no zombie', program.errors());
  assert.equal((await program.ended).code, 0);
});

test('the child of a terminated worker is no zombie when it ends', async (t) => {
  const before = countDescriptors();
  const pids: number[] = [];
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(new URL('../fixtures/proc-worker.js', import.meta.url), { workerData: 'untied' });
    const [pid] = (await once(worker, 'message')) as [number];
    pids.push(pid);
    t.after(() => put(pid, 'SIGKILL'));
    await worker.terminate();
    assert.notEqual(stateOf(pid), '', 'it goes on without its worker');
  }
  for (const pid of pids) {
    process.kill(pid, 'SIGKILL');
    await until('it is no zombie', () => stateOf(pid) === '');
  }
  await until('the descriptors are back', () => countDescriptors() <= before);
});

const WAITS = new URL('../fixtures/proc-waits.js', import.meta.url);

for (const kind of ['wait', 'waitSync', 'changes', 'openPid']) {
  test(`a worker is terminated in the middle of ${kind}`, async () => {
    const before = countDescriptors();
    const worker = new Worker(WAITS, { workerData: { kind } });
    const [pid] = (await once(worker, 'message')) as [number];
    await worker.terminate();
    process.kill(pid, 'SIGKILL');
    await until('it is no zombie', () => stateOf(pid) === '');
    await until('the descriptors are back', () => countDescriptors() <= before);
  });

  test(`process.exit() in the middle of ${kind} exits`, async (t) => {
    const program = startFixture(t, 'proc-waits', [kind, 'exit']);
    const pid = Number(await program.line());
    assert.deepEqual(await program.ended, { code: 7, signal: null }, program.errors());
    put(pid, 'SIGKILL');
  });
}

test('a pending wait keeps the process alive, a running child or an unref’d wait does not', async (t) => {
  for (const kind of ['idle', 'unref']) {
    const program = startFixture(t, 'proc-waits', [kind, 'stay']);
    const pid = Number(await program.line());
    assert.deepEqual(await program.ended, { code: 0, signal: null }, kind);
    put(pid, 'SIGKILL');
  }
  for (const kind of ['wait', 'changes']) {
    const program = startFixture(t, 'proc-waits', [kind, 'stay']);
    const pid = Number(await program.line());
    process.kill(pid, 'SIGKILL');
    assert.equal(await program.line(), 'killed by SIGKILL (killed)', kind);
    assert.equal((await program.ended).code, 0, kind);
  }
});

test('where somebody else has waited for a child, its end is known and how it ended is not: ECHILD', async (t) => {
  const program = startFixture(t, 'proc-waits', ['lost', 'stay']);
  await program.line();
  assert.match(await program.line(), /^ECHILD .*SIGCHLD/, program.errors());
});

test('inspect shows what a child is and how it is', async (t) => {
  const child = sleeper(t);
  assert.match(
    inspect(child),
    /^Child \{\s+pid: \d+,\s+file: 'sleep',\s+state: 'running or stopped',\s+closed: false\s+\}$/,
  );
  child.kill();
  await child.wait();
  assert.match(inspect(child), /state: 'killed by SIGTERM \(terminated\)'/);
});

test('children of child_process and ours do not take each other’s ends', async (t) => {
  const ours: Promise<ExitStatus>[] = [];
  const theirs: Promise<{ code: number | null }>[] = [];
  const gate = create();
  for (let number = 0; number < 20; number++) {
    const script = ['-c', `read line; exit ${number}`];
    ours.push(started(t, 'sh', script, { fds: { 0: gate.reader } }).wait());
    theirs.push(start(t, 'sh', script, { stdio: [gate.reader.handOver(), 'pipe', 'pipe'] }).ended);
  }
  gate.close();
  assert.deepEqual(
    (await Promise.all(ours)).map(({ code }) => code),
    Array.from({ length: 20 }, (_, n) => n),
  );
  assert.deepEqual(
    (await Promise.all(theirs)).map(({ code }) => code),
    Array.from({ length: 20 }, (_, n) => n),
  );
});
