import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import * as signal from '../../src/signal/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { start, startFixture } from '../support/program.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { peer } from '../support/skips.js';
import { signalsIn } from './support.js';

const { pid } = process;
const USR2 = signal.toNumber('SIGUSR2');

/** The next signal that a handler gets. */
function next(t: TestContext, sig: string): { event: Promise<signal.SignalEvent>; handler: signal.SignalHandler } {
  let got: (event: signal.SignalEvent) => void = () => {};
  const event = new Promise<signal.SignalEvent>((resolve) => {
    got = resolve;
  });
  const handler = signal.handle(sig, (one) => got(one));
  t.after(() => handler.close());
  return { event, handler };
}

test('a standard signal is handled with its name, number, way, sender and value', async (t) => {
  const queued = next(t, 'SIGUSR2');
  assert.equal(queued.handler.previous, 'default');
  signal.queue(pid, 'SIGUSR2', -7);
  assert.deepEqual(await queued.event, {
    name: 'SIGUSR2',
    number: USR2,
    code: 'SI_QUEUE',
    pid,
    uid: process.getuid?.(),
    value: -7,
    pointer: 0xfffffff9n,
    status: null,
    overruns: 0,
    fd: null,
    band: null,
  });
  queued.handler.close();
  if (!peer(t, 'python3')) return;
  const killed = next(t, 'SIGTERM');
  const python = start(t, 'python3', ['-c', `import os, signal; os.kill(${pid}, signal.SIGTERM)`]);
  const { code, pid: from, value } = await killed.event;
  assert.deepEqual([code, from, value], ['SI_USER', python.pid, 0]);
});

test('listeners of process.on are called, too, whenever they came and whoever is removed', async (t) => {
  const heard: string[] = [];
  const early = (): void => void heard.push('early');
  const late = (): void => void heard.push('late');
  process.on('SIGUSR2', early);
  const handler = signal.handle('SIGUSR2', () => heard.push('ours'));
  t.after(() => handler.close());
  assert.equal(handler.previous, 'handler');
  process.on('SIGUSR2', late);
  const send = async (...expected: string[]): Promise<void> => {
    signal.kill(pid, 'SIGUSR2');
    await until(`${expected} were called`, () => heard.length >= expected.length);
    assert.deepEqual(heard.splice(0).sort(), expected.sort());
  };
  await send('early', 'ours', 'late');
  process.off('SIGUSR2', early);
  await send('ours', 'late');
  process.removeAllListeners('SIGUSR2');
  await send('ours');
  process.on('SIGUSR2', late);
  await send('ours', 'late');
  handler.close();
  await send('late');
  process.off('SIGUSR2', late);
  assert.equal(signal.disposition('SIGUSR2'), 'default');
});

test('handlers are called in their order and in their context, and what one throws reaches nobody else', async (t) => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const thrown = new Error('on purpose');
  process.setUncaughtExceptionCaptureCallback((why) => seen.push(why));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  using _first = signal.handle('SIGUSR2', () => {
    seen.push('first');
    throw thrown;
  });
  using _second = storage.run('the context', () => signal.handle('SIGUSR2', () => seen.push(storage.getStore())));
  signal.kill(pid, 'SIGUSR2');
  await until('all is said', () => seen.length === 3);
  assert.deepEqual(seen, ['first', 'the context', thrown]);
});

test('a handler keeps the process alive, one that was unref()ed does not', async (t) => {
  const program = startFixture(t, 'signal-handled', ['alive']);
  assert.equal(await program.line(), 'ready');
  process.kill(program.pid, 'SIGTERM');
  assert.equal(await program.line(), `SIGTERM from ${pid}`);
  assert.deepEqual(await program.ended, { code: 0, signal: null });
  const leaving = startFixture(t, 'signal-handled', ['unref']);
  assert.equal(await leaving.line(), 'ready');
  assert.deepEqual(await leaving.ended, { code: 0, signal: null });
});

test('after close a signal does what it did before: it ends the process, also one that Node handles itself', async (t) => {
  for (const sig of ['SIGUSR2', 'SIGTERM', 'SIGINT', 'SIGALRM']) {
    const program = startFixture(t, 'signal-handled', ['close', sig]);
    assert.equal(await program.line(), `${sig} from ${program.pid}`);
    assert.deepEqual(await program.ended, { code: null, signal: sig });
  }
});

test('SIGPIPE and SIGXFSZ, which Node ignores, are ignored again after close', () => {
  for (const sig of ['SIGPIPE', 'SIGXFSZ']) {
    const handler = signal.handle(sig, () => {});
    assert.equal(handler.previous, 'ignore');
    assert.equal(signal.disposition(sig), 'handler');
    handler.close();
    handler.close();
    assert.equal(signal.disposition(sig), 'ignore');
  }
});

test('ignore and restoreDefault say what was there before, and give it back', async (t) => {
  const heard: string[] = [];
  {
    using change = signal.ignore('SIGUSR2');
    assert.equal(change.previous, 'default');
    assert.ok(signalsIn('/proc/self/status', 'SigIgn').includes(USR2));
    signal.kill(pid, 'SIGUSR2');
    using again = signal.restoreDefault('SIGUSR2');
    assert.equal(again.previous, 'ignore');
    assert.equal(signal.disposition('SIGUSR2'), 'default');
    again.restore();
    assert.equal(signal.disposition('SIGUSR2'), 'ignore');
    using handler = signal.handle('SIGUSR2', () => heard.push('handled'));
    assert.equal(handler.previous, 'ignore');
    assert.equal(signal.disposition('SIGUSR2'), 'handler');
    handler.close();
    assert.equal(signal.disposition('SIGUSR2'), 'ignore');
  }
  assert.equal(signal.disposition('SIGUSR2'), 'default');
  using _handler = signal.handle('SIGUSR2', () => heard.push('handled'));
  const listener = (): void => void heard.push('listener');
  process.on('SIGUSR2', listener);
  t.after(() => process.off('SIGUSR2', listener));
  const ignored = signal.ignore('SIGUSR2');
  assert.equal(ignored.previous, 'handler');
  signal.kill(pid, 'SIGUSR2');
  ignored.restore();
  signal.kill(pid, 'SIGUSR2');
  await until('both are called', () => heard.length === 2);
  assert.deepEqual(heard.sort(), ['handled', 'listener'], 'the ignored one was discarded');
  const real = signal.ignore('SIGRTMIN+3');
  signal.queue(pid, 'SIGRTMIN+3', 1);
  real.restore();
});

test('what already waits when its signal is begun to be ignored is discarded', () => {
  for (const sig of ['SIGUSR2', 'SIGRTMIN+3']) {
    const held = signal.hold(sig);
    signal.kill(pid, sig);
    assert.deepEqual(signal.pending(), [sig]);
    const ignored = signal.ignore(sig);
    assert.deepEqual(signal.pending(), []);
    ignored.restore();
    assert.equal(signal.disposition(sig), 'default');
    held.release(); // what waited would end this process now
  }
});

test('a handler that is closed while the signal is ignored leaves it ignored', () => {
  const handler = signal.handle('SIGUSR2', () => {});
  const ignored = signal.ignore('SIGUSR2');
  handler.close();
  assert.equal(signal.disposition('SIGUSR2'), 'ignore');
  ignored.restore();
  assert.equal(signal.disposition('SIGUSR2'), 'default');
});

test('every thread that handles a standard signal is told, and a worker’s end takes only its own handlers', async (t) => {
  const heard: string[] = [];
  const { event } = next(t, 'SIGUSR2');
  const workers = await Promise.all(
    ['wait', 'busy'].map(async (how) => {
      const worker = new Worker(new URL('../fixtures/signal-handling-worker.js', import.meta.url), {
        workerData: { sig: 'SIGUSR2', how },
      });
      t.after(() => worker.terminate());
      await once(worker, 'message');
      worker.on('message', (text: string) => heard.push(text));
      return worker;
    }),
  );
  signal.queue(pid, 'SIGUSR2', 3);
  assert.equal((await event).value, 3);
  await until('a worker has heard it', () => heard.length > 0);
  assert.deepEqual(heard, ['SI_QUEUE 3']);
  for (const worker of workers) await worker.terminate();
  const again = next(t, 'SIGUSR2');
  signal.queue(pid, 'SIGUSR2', 4);
  assert.equal((await again.event).value, 4);
});

test('the last worker that handled a signal gives it back when it is terminated', async (t) => {
  for (const how of ['wait', 'busy']) {
    const worker = new Worker(new URL('../fixtures/signal-handling-worker.js', import.meta.url), {
      workerData: { sig: 'SIGUSR2', how },
    });
    t.after(() => worker.terminate());
    await once(worker, 'message');
    assert.equal(signal.disposition('SIGUSR2'), 'handler');
    await worker.terminate();
    assert.equal(signal.disposition('SIGUSR2'), 'default');
  }
});

test('workers that handle signals are terminated, and the process exits, in the middle of 15,000 signals a second', async (t) => {
  const program = startFixture(t, 'signal-leaving');
  assert.deepEqual(await program.ended, { code: 7, signal: null }, program.errors());
});

test('while nobody takes them 256 are kept with all they tell, and further ones coalesce as the kernel’s do', () => {
  using receiver = signal.open(['SIGUSR2', 'SIGWINCH']);
  for (let count = 0; count < 300; count++) signal.raise('SIGUSR2');
  signal.raise('SIGWINCH');
  signal.raise('SIGUSR2');
  const got = [];
  for (let one = receiver.tryReceive(); one !== undefined; one = receiver.tryReceive()) got.push(one);
  assert.equal(got.length, 256 + 2);
  assert.deepEqual(
    got.slice(-2).map(({ name, code }) => [name, code]),
    [
      ['SIGUSR2', 'SI_TKILL'],
      ['SIGWINCH', 'SI_TKILL'],
    ],
  );
  signal.raise('SIGUSR2');
  assert.equal(receiver.tryReceive()?.name, 'SIGUSR2');
});

test('one receiver takes standard and real-time signals, and every receiver of a standard one is told', async () => {
  openPoller();
  const descriptors = countDescriptors();
  using mixed = signal.open(['SIGRTMIN+1', 'SIGUSR2']);
  using other = signal.open('SIGUSR2');
  signal.queue(pid, 'SIGRTMIN+1', 1);
  signal.queue(pid, 'SIGUSR2', 2);
  const got = [await mixed.receive(), mixed.receiveSync()];
  assert.deepEqual(got.map(({ value }) => value).sort(), [1, 2]);
  assert.equal((await other.receive()).value, 2);
  const waiting = mixed.receive();
  signal.queue(pid, 'SIGUSR2', 3);
  assert.equal((await waiting).value, 3);
  mixed.close();
  other.close();
  assert.equal(countDescriptors(), descriptors);
  assert.throws(() => signal.open(['SIGUSR2', 'SIGRTMIN+1', 'SIGKILL']), { code: 'EINVAL' });
  using _taken = signal.open('SIGRTMIN+1');
  assert.throws(() => signal.open(['SIGUSR2', 'SIGRTMIN+1']), { code: 'EBUSY' });
  assert.equal(signal.disposition('SIGUSR2'), 'default');
});

test('real-time signals can be handled, too, by several handlers of a thread, each one in order', async () => {
  const got: number[] = [];
  {
    using _first = signal.handle('SIGRTMIN+1', ({ value }) => got.push(value));
    using second = signal.handle('SIGRTMIN+1', ({ value }) => got.push(-value));
    assert.equal(second.previous, 'handler');
    assert.throws(() => signal.open('SIGRTMIN+1'), { code: 'EBUSY' });
    for (const value of [1, 2, 3]) signal.queue(pid, 'SIGRTMIN+1', value);
    await until('all were handled', () => got.length === 6);
  }
  assert.deepEqual(got, [1, -1, 2, -2, 3, -3]);
  signal.open('SIGRTMIN+1').close();
});

test('nothing is lost between a storm of standard signals and child_process: the last one is handled, every child ends', async (t) => {
  if (!peer(t, 'perl')) return;
  let handled = 0;
  using _handler = signal.handle('SIGUSR2', () => {
    handled++;
  });
  const storm = start(t, 'perl', ['-e', `$| = 1; kill "USR2", ${pid} for 1 .. 20000; print "sent\\n"; <STDIN>`]);
  const children = Array.from({ length: 50 }, () => once(spawn('true'), 'close'));
  for (const child of children) assert.deepEqual(await child, [0, null]);
  await storm.line();
  await until('some were handled', () => handled > 0);
  const before = handled;
  signal.kill(pid, 'SIGUSR2');
  await until('the last one is handled', () => handled > before);
  t.diagnostic(`${handled} of 20,001 were told apart`);
});

test('a handler shows what it is', (t) => {
  const { handler } = next(t, 'SIGUSR2');
  assert.match(inspect(handler), /^SignalHandler \{ signal: 'SIGUSR2', previous: 'default', closed: false \}$/);
});

test('10,000 rounds of handling and closing leave no descriptor and no memory', (t) =>
  assertNothingLeaks(t, 'signal.handle', 10_000));

test('what is ignored, or has its default, stays so whoever begins and stops to listen with process.on', async () => {
  const listener = (): void => {};
  for (const [change, wanted] of [
    [signal.ignore, 'ignore'],
    [signal.restoreDefault, 'default'],
  ] as const) {
    process.on('SIGUSR2', listener);
    const changed = change('SIGUSR2');
    assert.equal(changed.previous, 'handler');
    process.off('SIGUSR2', listener);
    assert.equal(signal.disposition('SIGUSR2'), wanted, 'after the last listener');
    process.on('SIGUSR2', listener);
    assert.equal(signal.disposition('SIGUSR2'), wanted, 'after a new listener');
    using handler = signal.handle('SIGUSR2', () => {});
    assert.equal(signal.disposition('SIGUSR2'), 'handler');
    handler.close();
    assert.equal(signal.disposition('SIGUSR2'), wanted, 'after a handler');
    changed.restore();
    assert.equal(signal.disposition('SIGUSR2'), 'handler', 'the listener’s');
    process.off('SIGUSR2', listener);
    assert.equal(signal.disposition('SIGUSR2'), 'default');
  }
});

test('what Node ignores, or handles itself, comes back after it was ignored', () => {
  for (const sig of ['SIGPIPE', 'SIGTERM', 'SIGINT', 'SIGHUP']) {
    const before = signal.disposition(sig);
    const change = signal.restoreDefault(sig);
    assert.equal(signal.disposition(sig), 'default');
    change.restore();
    assert.equal(signal.disposition(sig), before);
    signal.ignore(sig).restore();
    assert.equal(signal.disposition(sig), before);
  }
});

test('what is taken back while a handler stands over it does not come back with the handler’s end', () => {
  const ignored = signal.ignore('SIGUSR2');
  const handler = signal.handle('SIGUSR2', () => {});
  ignored.restore();
  assert.equal(signal.disposition('SIGUSR2'), 'handler');
  handler.close();
  assert.equal(signal.disposition('SIGUSR2'), 'default');
});

test('a listener that leaves while a handler or a wish stands over it leaves the default behind', () => {
  const listener = (): void => {};
  for (const cover of [() => signal.handle('SIGUSR2', () => {}), () => signal.ignore('SIGUSR2')]) {
    process.on('SIGUSR2', listener);
    const covering = cover();
    process.off('SIGUSR2', listener);
    covering[Symbol.dispose]();
    assert.equal(signal.disposition('SIGUSR2'), 'default');
  }
});
