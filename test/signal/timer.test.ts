import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import * as signal from '../../src/signal/index.js';
import { attempt } from '../support/elsewhere.js';

/** How many timers this process has (proc(5)). */
function timers(): number {
  return readFileSync('/proc/self/timers', 'utf8').match(/^ID:/gm)?.length ?? 0;
}

test('a timer sends its signal once, with its value, not before its time', async () => {
  using signals = signal.open(['SIGALRM', 'SIGRTMIN+1']);
  for (const sig of ['SIGALRM', 'SIGRTMIN+1']) {
    const began = performance.now();
    using timer = signal.timer(sig, { afterMs: 5.5, value: -3 });
    assert.ok(timer.remainingMs <= 5.5);
    const { name, code, value, pid, overruns } = await signals.receive();
    assert.ok(performance.now() - began >= 5);
    assert.deepEqual([name, code, value, pid, overruns], [sig, 'SI_TIMER', -3, 0, 0]);
    assert.equal(timer.remainingMs, 0);
    using later = signal.timer(sig, { afterMs: 60_000 });
    assert.ok(later.remainingMs > 0 && later.remainingMs <= 60_000);
  }
  using _wide = signal.timer('SIGRTMIN+1', { afterMs: 0, value: 2n ** 40n + 1n });
  assert.equal((await signals.receive()).pointer, 2n ** 40n + 1n);
});

test('a periodic timer sends again and again, and tells how often it was over while its signal waited', async () => {
  using signals = signal.open('SIGRTMIN+1');
  using timer = signal.timer('SIGRTMIN+1', { everyMs: 0.5, value: 7 });
  for (let count = 0; count < 20; count++) assert.equal((await signals.receive()).value, 7);
  {
    using _hold = signal.hold('SIGRTMIN+1');
    while (signals.tryReceive() !== undefined);
    // Twenty periods of another timer pass.
    using alarm = signal.open('SIGALRM');
    using _other = signal.timer('SIGALRM', { afterMs: 10 });
    await alarm.receive();
  }
  assert.ok((await signals.receive()).overruns >= 15);
  timer.stop();
  assert.equal(timer.remainingMs, 0);
  while (signals.tryReceive() !== undefined);
  timer.set({ afterMs: 1 });
  assert.equal((await signals.receive()).code, 'SI_TIMER');
  assert.match(inspect(timer), /^SignalTimer \{ signal: 'SIGRTMIN\+1', remainingMs: 0, closed: false \}$/);
});

test('close, and the end of a worker, end a timer', async (t) => {
  const before = timers();
  const timer = signal.timer('SIGUSR2', { everyMs: 60_000 });
  assert.equal(timers(), before + 1);
  timer.close();
  timer.close();
  assert.equal(timers(), before);
  assert.throws(() => timer.remainingMs, { code: 'ERR_INTERPROC_CLOSED', message: 'the timer of SIGUSR2 is closed' });
  using _signals = signal.open('SIGUSR2');
  const worker = new Worker(new URL('../fixtures/signal-timing-worker.js', import.meta.url));
  t.after(() => worker.terminate());
  await once(worker, 'message');
  assert.equal(timers(), before + 1);
  await worker.terminate();
  assert.equal(timers(), before);
});

test('what cannot be meant is refused', () => {
  const before = timers();
  for (const options of [
    { afterMs: -1 },
    { everyMs: 0 },
    { everyMs: Number.NaN },
    { afterMs: Infinity },
    { afterMs: 1, value: 2 ** 31 },
  ]) {
    assert.throws(() => signal.timer('SIGALRM', options), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  for (const options of [{}, { afterMs: '1' }, { every: 1 }, { afterMs: 1, value: 'x' }]) {
    assert.throws(() => signal.timer('SIGALRM', options as never), {
      name: 'TypeError',
      code: 'ERR_INTERPROC_ARGUMENT',
    });
  }
  assert.throws(() => signal.timer('SIGALARM', { afterMs: 1 }), { message: /did you mean SIGALRM\?/ });
  assert.equal(timers(), before);
});

test('without a place among the queued signals a timer is EAGAIN, and the hint names the limit', async (t) => {
  const outcomes = await attempt(t, { limits: ['--sigpending=0'] }, [['signal.timer', 'SIGALRM', { afterMs: 1000 }]]);
  assert.deepEqual([outcomes?.[0]?.code, outcomes?.[0]?.syscall], ['EAGAIN', 'timer_create']);
  assert.match(outcomes?.[0]?.hint ?? '', /RLIMIT_SIGPENDING/);
});
