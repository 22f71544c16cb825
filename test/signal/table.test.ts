import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as signal from '../../src/signal/index.js';
import { commandElsewhere } from '../support/elsewhere.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';

const PYTHON = `
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGRTMIN + 2])
signal.signal(signal.SIGTERM, lambda *_: None)
print('ready', flush=True)
sys.stdin.readline()
`;

function named(states: readonly signal.SignalState[], which: (state: signal.SignalState) => boolean): string[] {
  return states.filter(which).map(({ name }) => name);
}

test('the table says what another process catches, ignores, blocks and has pending', async (t) => {
  if (!peer(t, 'python3')) return;
  const python = start(t, 'python3', ['-c', PYTHON]);
  assert.equal(await python.line(), 'ready');
  signal.queue(python.pid, 'SIGRTMIN+2', 1);
  const states = signal.table(python.pid);
  assert.deepEqual(
    named(states, ({ caught }) => caught),
    ['SIGINT', 'SIGTERM'],
  );
  assert.deepEqual(
    named(states, ({ ignored }) => ignored),
    ['SIGHUP', 'SIGPIPE', 'SIGXFSZ'],
  );
  assert.deepEqual(
    named(states, ({ blocked }) => blocked),
    ['SIGUSR2', 'SIGRTMIN+2'],
  );
  assert.deepEqual(
    named(states, ({ pending }) => pending),
    ['SIGRTMIN+2'],
  );
  assert.deepEqual(
    states.find(({ name }) => name === 'SIGUSR2'),
    {
      name: 'SIGUSR2',
      number: 12,
      caught: false,
      ignored: false,
      blocked: true,
      blockedBy: [python.pid],
      pending: false,
    },
  );
});

test('a signal is blocked for a process only if all its threads block it, and those that do are named', () => {
  const { number } = signal.table(process.pid).find(({ name }) => name === 'SIGUSR1') as signal.SignalState;
  const state = signal.table(process.pid)[number - 1] as signal.SignalState;
  assert.equal(state.blocked, false);
  assert.ok(state.blockedBy.length > 0, 'V8’s threads block it');
  assert.ok(!state.blockedBy.includes(process.pid));
  using _receiver = signal.open('SIGRTMIN+1');
  const received = signal.table(process.pid).find(({ name }) => name === 'SIGRTMIN+1');
  assert.equal(received?.blocked, true);
  assert.equal(received?.blockedBy.includes(process.pid), true);
});

test('a signal that waits for one thread is pending, too', async (t) => {
  const worker = new Worker('setInterval(() => {}, 1e6)', { eval: true });
  t.after(() => worker.terminate());
  using receiver = signal.open('SIGRTMIN+1');
  signal.raise('SIGRTMIN+1');
  const pending = (): boolean =>
    signal.table(process.pid).find(({ name }) => name === 'SIGRTMIN+1')?.pending as boolean;
  assert.equal(pending(), true);
  assert.equal(receiver.tryReceive()?.code, 'SI_TKILL');
  await until('it was taken', () => !pending());
});

test('a process that is gone is ESRCH, what is no pid is refused', async (t) => {
  const program = start(t, 'true', []);
  await program.ended;
  assert.throws(() => signal.table(program.pid), {
    name: 'IpcError',
    code: 'ESRCH',
    path: `/proc/${program.pid}/status`,
    hint: 'no process has this pid',
  });
  for (const pid of [0, -1, 1.5, 2 ** 22 + 1]) {
    assert.throws(() => signal.table(pid), { code: 'ERR_INTERPROC_RANGE', message: /pid/ });
  }
  assert.throws(() => signal.table('1' as never), { code: 'ERR_INTERPROC_ARGUMENT' });
});

test('an ordinary user sees the table of another user’s process', async (t) => {
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const words = commandElsewhere(t, [process.execPath, main, 'trap', '--json', String(process.pid)], {
    asNobody: true,
  });
  if (words === undefined) return;
  const program = start(t, words[0] as string, words.slice(1));
  assert.equal(await program.line(), '[');
  assert.equal((await program.ended).code, 0);
});
