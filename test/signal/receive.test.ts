import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as signal from '../../src/signal/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { start, startFixture } from '../support/program.js';
import { assertNothingLeaks } from '../support/rounds.js';
import { peer, skip } from '../support/skips.js';
import { assertWaitsBearSignals, assertWaitsSleep } from '../support/waiting.js';
import { isBlocked, isFree, signalsIn } from './support.js';

const { pid } = process;
const FIRST = signal.toNumber('SIGRTMIN+1');

/** What takes a signal away from what it did before. */
const TAKING: ((sig: string | number) => unknown)[] = [
  signal.open,
  (sig) => signal.handle(sig, () => {}),
  signal.ignore,
  signal.restoreDefault,
];

function receiver(t: TestContext, sigs: string | number | string[]): signal.SignalReceiver {
  const made = signal.open(sigs);
  t.after(() => made.close());
  return made;
}

test('a signal arrives with its name, number, way, sender and value', async (t) => {
  const signals = receiver(t, 'SIGRTMIN+1');
  signal.queue(pid, 'SIGRTMIN+1', -42);
  assert.deepEqual(await signals.receive(), {
    name: 'SIGRTMIN+1',
    number: FIRST,
    code: 'SI_QUEUE',
    pid,
    uid: process.getuid?.(),
    value: -42,
    pointer: 0xffffffd6n,
    status: null,
    overruns: 0,
    fd: null,
    band: null,
  });
  signal.queue(pid, FIRST, 2n ** 40n + 7n);
  const { value, pointer } = signals.receiveSync();
  assert.deepEqual([value, pointer], [7, 2n ** 40n + 7n]);
  signal.kill(pid, FIRST);
  assert.equal(signals.tryReceive()?.code, 'SI_USER');
  assert.equal(signals.tryReceive(), undefined);
});

test('signals of other programs arrive: procps’ kill with a value, python’s os.kill, tgkill(2)', async (t) => {
  const signals = receiver(t, ['SIGRTMIN+1', 'SIGRTMIN+2']);
  const kill = start(t, '/bin/kill', ['-q', '4242', '-s', 'RTMIN+1', String(pid)]);
  const queued = await signals.receive();
  assert.deepEqual(
    [queued.code, queued.pid, queued.uid, queued.value],
    ['SI_QUEUE', kill.pid, process.getuid?.(), 4242],
  );
  if (!peer(t, 'python3')) return;
  const python = start(t, 'python3', ['-c', `import os, signal; os.kill(${pid}, signal.SIGRTMIN + 2)`]);
  const killed = await signals.receive();
  assert.deepEqual([killed.name, killed.code, killed.pid], ['SIGRTMIN+2', 'SI_USER', python.pid]);
  if (process.arch !== 'x64') return skip(t, 'x64');
  if (!peer(t, 'perl')) return;
  const perl = start(t, 'perl', ['-e', `syscall(234, ${pid}, ${pid}, ${FIRST})`]);
  const aimed = signals.receiveSync({ timeoutMs: 20_000 });
  assert.deepEqual([aimed.code, aimed.pid], ['SI_TKILL', perl.pid]);
});

const FORGES = `
import ctypes, struct, sys
pid, number = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
for code in (0, 0x80, -6, -1): # SI_USER, SI_KERNEL, SI_TKILL, SI_QUEUE
    info = ctypes.create_string_buffer(struct.pack('iiiiiIq', number, 0, code, 0, 1, 4321, 5), 128)
    done = libc.syscall(129, pid, number, info) # rt_sigqueueinfo
    print(code, 0 if done == 0 else ctypes.get_errno(), flush=True)
`;

test('another process cannot pretend that the kernel or kill(2) sent a signal, but any sender with SI_QUEUE', async (t) => {
  if (process.arch !== 'x64') return skip(t, 'x64');
  if (!peer(t, 'python3')) return;
  const signals = receiver(t, ['SIGRTMIN+1']);
  const python = start(t, 'python3', ['-c', FORGES, String(pid), String(FIRST)]);
  for (const refused of ['0', '128', '-6']) assert.equal(await python.line(), `${refused} 1`, 'EPERM');
  assert.equal(await python.line(), '-1 0');
  const forged = await signals.receive();
  assert.deepEqual([forged.code, forged.pid, forged.uid, forged.value], ['SI_QUEUE', 1, 4321, 5]);
  assert.equal(signals.tryReceive(), undefined);
});

test('the lowest number comes first, and those of one number in their order', (t) => {
  const signals = receiver(t, ['SIGRTMIN+3', 'SIGRTMIN+1', 'SIGRTMIN+2']);
  for (const [offset, value] of [
    [3, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [1, 5],
  ] as const)
    signal.queue(pid, `SIGRTMIN+${offset}`, value);
  const got = Array.from({ length: 5 }, () => signals.tryReceive());
  assert.deepEqual(
    got.map((one) => [(one?.number ?? 0) - FIRST + 1, one?.value]),
    [
      [1, 2],
      [1, 5],
      [2, 3],
      [3, 1],
      [3, 4],
    ],
  );
});

test('a receiver takes only its own signals: the others wait for theirs', (t) => {
  const first = receiver(t, 'SIGRTMIN+1');
  const second = receiver(t, 'SIGRTMIN+2');
  signal.queue(pid, 'SIGRTMIN+1', 1);
  signal.queue(pid, 'SIGRTMIN+2', 2);
  assert.equal(second.tryReceive()?.value, 2);
  assert.equal(second.tryReceive(), undefined);
  assert.equal(first.tryReceive()?.value, 1);
});

test('several waits are served one signal each, in their order', async (t) => {
  const signals = receiver(t, FIRST);
  const waits = Promise.all([signals.receive(), signals.receive(), signals.receive()]);
  for (const value of [1, 2, 3]) signal.queue(pid, FIRST, value);
  assert.deepEqual(
    (await waits).map(({ value }) => value),
    [1, 2, 3],
  );
});

test('reserved signals, faults, SIGKILL and SIGSTOP are refused, with the reason and a way out, and so is what is no signal', () => {
  const last = signal.toNumber('SIGRTMAX');
  const refused = { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' };
  for (const [sig, message, hint] of [
    ['SIGCHLD', /SIGCHLD is reserved: .*child_process/, /events of child_process/],
    ['SIGPROF', /SIGPROF is reserved: .*profiler/, /timer/],
    ['SIGUSR1', /SIGUSR1 is reserved: .*inspector/, /SIGUSR2/],
    ['SIGRTMAX-1', /is reserved: interproc uses/, /SIGRTMIN to SIGRTMAX-3/],
    ['SIGRTMAX-2', /is reserved: interproc uses/, /SIGRTMAX$/],
    [last - 1, /is reserved: interproc uses/, /are free/],
    ['SIGSEGV', /SIGSEGV is a fault/, /the parent can observe it/],
    ['SIGBUS', /SIGBUS is a fault/, /the parent can observe it/],
    ['SIGFPE', /SIGFPE is a fault/, /the parent can observe it/],
    ['SIGILL', /SIGILL is a fault/, /the parent can observe it/],
  ] as const) {
    for (const call of TAKING) assert.throws(() => call(sig), { ...refused, message, hint });
  }
  for (const sig of ['SIGKILL', 'SIGSTOP', 9]) {
    const subject = { object: signal.toName(signal.toNumber(sig)), hint: /the kernel lets nobody/ };
    for (const call of TAKING)
      assert.throws(() => call(sig), { name: 'IpcError', code: 'EINVAL', errno: -22, ...subject });
  }
  for (const sig of [32, 33, 0, last + 1, 'SIGRTMIN+99']) {
    for (const call of TAKING) assert.throws(() => call(sig), { code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => signal.open([]), { code: 'ERR_INTERPROC_ARGUMENT', message: /at least one/ });
  assert.throws(() => signal.handle('SIGTERM', 1 as never), refused);
  signal.open('SIGRTMAX').close();
});

test('a second receiver of a signal is EBUSY, names it, and keeps none of the others it asked for', (t) => {
  receiver(t, 'SIGRTMIN+2');
  assert.throws(() => signal.open(['SIGRTMIN+1', 'SIGRTMIN+2']), {
    name: 'IpcError',
    code: 'EBUSY',
    errno: -16,
    syscall: 'signalfd',
    object: 'SIGRTMIN+2',
    message: /already receives the signal, here or in another worker/,
  });
  assert.ok(isFree(FIRST));
  receiver(t, ['SIGRTMIN+1', 'SIGRTMIN+1']);
});

test('a received signal is blocked in every thread, also of workers, new and busy ones, and after close in none', async (t) => {
  const busy = new Worker('for (;;);', { eval: true });
  t.after(() => busy.terminate());
  await once(busy, 'online');
  const signals = signal.open(FIRST);
  assert.ok(isBlocked(FIRST), 'every thread that was there');
  const fresh = new Worker('setInterval(() => {}, 1e6)', { eval: true });
  t.after(() => fresh.terminate());
  await once(fresh, 'online');
  assert.ok(isBlocked(FIRST), 'and every new one');
  const before = execFileSync('cat', ['/proc/self/status'], { encoding: 'utf8' });
  assert.match(before, /^SigBlk:\s+0+$/m, 'children begin with a clean mask');
  signals.close();
  assert.ok(isFree(FIRST));
  assert.ok(!signalsIn('/proc/self/status', 'SigCgt').includes(FIRST));
  assert.ok(!signalsIn('/proc/self/status', 'SigIgn').includes(FIRST));
});

test('after close the signal does what it did before: it ends the process', async (t) => {
  const program = start(t, 'sh', [
    '-c',
    '"$@"; echo "$?"',
    'sh',
    process.execPath,
    fileURLToPath(new URL('../fixtures/signal-closed.js', import.meta.url)),
  ]);
  assert.equal(await program.line(), 'got 1');
  assert.equal(await program.line(), String(128 + FIRST));
});

test('children have clean masks and dispositions while signals are received', async (t) => {
  receiver(t, ['SIGRTMIN+1', 'SIGRTMIN+2']);
  const listed = execFileSync('env', ['--list-signal-handling', 'true'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  assert.equal(listed, '');
  const child = spawn('sleep', ['1000']);
  await once(child, 'spawn');
  assert.deepEqual(signalsIn(`/proc/${child.pid}/status`, 'SigBlk'), []);
  signal.queue(child.pid as number, FIRST, 1);
  await once(child, 'close');
});

test('process.on and child_process work while signals pour in', async (t) => {
  const signals = receiver(t, FIRST);
  const sender = startFixture(t, 'signal-sender', [String(pid), String(FIRST), '5000']);
  let usr2 = 0;
  const count = (): void => {
    usr2++;
  };
  process.on('SIGUSR2', count);
  const children = Array.from({ length: 100 }, () => {
    process.kill(pid, 'SIGUSR2');
    return once(spawn('true'), 'close');
  });
  for (let value = 0; value < 5000; value++) assert.equal((await signals.receive()).value, value);
  for (const child of children) assert.deepEqual(await child, [0, null]);
  await until('SIGUSR2 was handled', () => usr2 > 0);
  process.off('SIGUSR2', count);
  await sender.ended;
});

test('an empty receiver: tryReceive is undefined, the others wait, until abort, time-out or close', async (t) => {
  openPoller();
  const before = countDescriptors();
  const signals = receiver(t, FIRST);
  assert.equal(signals.tryReceive(), undefined);
  assert.throws(() => signals.receiveSync({ timeoutMs: 0 }), { code: 'ETIMEDOUT', syscall: 'signalfd' });
  const began = performance.now();
  assert.throws(() => signals.receiveSync({ timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  await assert.rejects(signals.receive({ timeoutMs: 20 }), { code: 'ETIMEDOUT', syscall: 'signalfd' });
  assert.ok(performance.now() - began >= 40);
  for (const timeoutMs of [-1, Number.NaN]) {
    assert.throws(() => signals.receiveSync({ timeoutMs }), { code: 'ERR_INTERPROC_RANGE' });
    await assert.rejects(signals.receive({ timeoutMs }), { code: 'ERR_INTERPROC_RANGE' });
  }
  const controller = new AbortController();
  const reason = new Error('enough');
  const aborted = signals.receive({ signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(aborted, { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  signal.queue(pid, FIRST, 9);
  assert.equal((await signals.receive({ timeoutMs: 0 })).value, 9, 'an aborted wait has taken none');
  const pending = signals.receive();
  signals.close();
  signals.close();
  const closed = { code: 'ERR_INTERPROC_CLOSED', message: 'the signal receiver is closed' };
  await assert.rejects(pending, closed);
  await assert.rejects(signals.receive(), closed);
  assert.throws(() => signals.receiveSync(), closed);
  assert.throws(() => signals.tryReceive(), closed);
  assert.equal(countDescriptors(), before);
  assert.match(inspect(signals), /^SignalReceiver \{ signals: \[ 'SIGRTMIN\+1' \], fd: -1, closed: true \}$/);
});

test('what still waits at close is dropped', (t) => {
  const signals = signal.open(FIRST);
  for (const value of [1, 2, 3]) signal.queue(pid, FIRST, value);
  signals.close();
  assert.equal(receiver(t, FIRST).tryReceive(), undefined);
});

test('events() begins with the loop and gives the signals back when it is left, or aborted', async () => {
  const got: number[] = [];
  const events = signal.events(['SIGRTMIN+1', 'SIGRTMIN+2']);
  const first = events.next();
  for (const value of [1, 2, 3]) signal.queue(pid, 'SIGRTMIN+2', value);
  got.push((await first).value?.value as number);
  for await (const { value } of events) {
    got.push(value);
    if (value === 3) break;
  }
  assert.deepEqual(got, [1, 2, 3]);
  assert.ok(isFree(FIRST));
  const controller = new AbortController();
  const aborted = signal.events(FIRST, { signal: controller.signal }).next();
  assert.ok(isBlocked(FIRST));
  controller.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  assert.ok(isFree(FIRST));
});

test('a worker that owns a signal gives it back when it ends, whatever it is doing', async (t) => {
  openPoller();
  const descriptors = countDescriptors();
  for (const how of ['wait', 'waitSync', 'busy', 'leave']) {
    const worker = new Worker(new URL('../fixtures/signal-worker.js', import.meta.url), {
      workerData: { sig: FIRST, how },
    });
    t.after(() => worker.terminate());
    const exited = once(worker, 'exit');
    await once(worker, 'message');
    if (how !== 'leave') {
      assert.throws(() => signal.open(FIRST), { code: 'EBUSY' });
      assert.ok(isBlocked(FIRST));
      await worker.terminate();
    }
    await exited;
    assert.ok(isFree(FIRST), how);
    const again = receiver(t, FIRST);
    signal.queue(pid, FIRST, 5);
    assert.equal(again.tryReceive()?.value, 5);
    again.close();
    await until('its descriptors are closed', () => countDescriptors() === descriptors);
  }
});

test('a receiver that was collected without close gives its signals back, too', async (t) => {
  const program = start(t, process.execPath, [
    '--expose-gc',
    '--no-warnings',
    fileURLToPath(new URL('../fixtures/signal-collected.js', import.meta.url)),
  ]);
  assert.equal(await program.line(), 'again 1', program.errors());
});

test('where no signal can be queued any more, receivers still open and close at once', async (t) => {
  const program = startFixture(t, 'signal-full');
  const said = JSON.parse(await program.line()) as { blocked: boolean; free: boolean; elapsed: number };
  assert.deepEqual([said.blocked, said.free], [true, true]);
  assert.ok(said.elapsed < 1000, `it took ${said.elapsed} ms`);
});

test('every wait for a signal sleeps', (t) => assertWaitsSleep(t, ['signal.receive', 'signal.receiveSync']));

test('handled signals neither end nor stretch a wait for another', async (t) => {
  if (peer(t, 'perl')) await assertWaitsBearSignals(t, ['signal.receive', 'signal.receiveSync']);
});

test('1,000 rounds of opening and closing leave no descriptor and no memory', (t) =>
  assertNothingLeaks(t, 'signal.open', 1000));
