import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as signal from '../../src/signal/index.js';
import { native } from '../../src/sys/index.js';
import { attempt } from '../support/elsewhere.js';
import { stateOf, until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';

const PYTHON = `
import ctypes, os, signal, struct, sys
number = int(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [number])
print('ready', flush=True)
libc = ctypes.CDLL(None, use_errno=True)
wanted = (ctypes.c_ulong * 16)(1 << (number - 1))
info = ctypes.create_string_buffer(128)
for index in range(int(sys.argv[2])):
    while libc.sigwaitinfo(wanted, info) < 0: pass
    signo, _, code, _, pid, uid, value = struct.unpack_from('iiiiiiq', info.raw)
    print(signo, code, pid, uid, value, flush=True)
`;

test('kill sends a signal, and signal 0 only asks', async (t) => {
  const program = start(t, 'sleep', ['1000']);
  signal.kill(program.pid, 0);
  signal.kill(program.pid, 'SIGTERM');
  assert.deepEqual(await program.ended, { code: null, signal: 'SIGTERM' });
  const gone = {
    name: 'IpcError',
    code: 'ESRCH',
    errno: -3,
    object: String(program.pid),
    hint: 'no process has this pid',
  };
  assert.throws(() => signal.kill(program.pid, 0), { ...gone, syscall: 'kill' });
  assert.throws(() => signal.queue(program.pid, 'SIGTERM', 1), { ...gone, syscall: 'sigqueue' });
  assert.throws(() => signal.tryQueue(program.pid, 'SIGTERM', 1), { ...gone, syscall: 'sigqueue' });
});

test('what a C program waits for arrives as it was queued: in order, with sender and value, also a pointer’s size', async (t) => {
  if (!peer(t, 'python3')) return;
  const number = signal.toNumber('SIGRTMIN+4');
  const values = [0, 1, -1, 0x7fffffff, -0x80000000, 2n ** 40n + 1n, -(2n ** 63n), 2n ** 64n - 1n];
  const python = start(t, 'python3', ['-c', PYTHON, String(number), String(values.length)]);
  assert.equal(await python.line(), 'ready');
  for (const value of values) signal.queue(python.pid, 'SIGRTMIN+4', value);
  for (const value of values) {
    const [signo, code, pid, uid, wide] = (await python.line()).split(' ');
    assert.deepEqual([signo, code, pid, uid], [number, -1, process.pid, process.getuid?.()].map(String));
    const got = BigInt(wide as string);
    if (typeof value === 'number') assert.equal(BigInt.asIntN(32, got), BigInt(value));
    else assert.equal(got, BigInt.asIntN(64, value));
  }
});

test('what cannot be meant is refused, and nothing is sent', () => {
  for (const call of [signal.queue, signal.tryQueue]) {
    for (const value of [2 ** 31, -(2 ** 31) - 1, 1.5, Number.NaN, 2n ** 64n, -(2n ** 63n) - 1n]) {
      assert.throws(() => call(process.pid, 'SIGKILL', value), {
        name: 'RangeError',
        code: 'ERR_INTERPROC_RANGE',
        message: /value/,
      });
    }
    assert.throws(() => call(process.pid, 'SIGKILL', '1' as never), {
      name: 'TypeError',
      code: 'ERR_INTERPROC_ARGUMENT',
    });
    assert.throws(() => call(process.pid, 'SIGKILL', undefined as never), { code: 'ERR_INTERPROC_ARGUMENT' });
    assert.throws(() => call(process.pid, 65, 1), { code: 'ERR_INTERPROC_RANGE' });
  }
  for (const pid of [0, -1, 1.5, -process.pid, 2 ** 22 + 1, -(2 ** 31), 2 ** 31, Number.NaN]) {
    assert.throws(() => signal.kill(pid, 'SIGKILL'), {
      name: 'RangeError',
      code: 'ERR_INTERPROC_RANGE',
      message: /pid/,
    });
    assert.throws(() => signal.queue(pid, 'SIGKILL', 1), { code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => signal.kill(String(process.pid) as never, 'SIGKILL'), { code: 'ERR_INTERPROC_ARGUMENT' });
  for (const sig of [-1, 65, 'SIGNONE'])
    assert.throws(() => signal.kill(process.pid, sig), { code: /^ERR_INTERPROC_(RANGE|NAME)$/ });
});

test('another user’s process is EPERM, and the hint says what it would take', async (t) => {
  const outcomes = await attempt(t, { asNobody: true }, [
    ['signal.kill', process.pid, 'SIGTERM'],
    ['signal.kill', process.pid, 0],
    ['signal.killThread', process.pid, process.pid, 'SIGTERM'],
    ['signal.queue', process.pid, 'SIGTERM', 1],
    ['signal.tryQueue', process.pid, 'SIGTERM', 1],
  ]);
  if (outcomes === undefined) return;
  for (const refused of outcomes) {
    assert.equal(refused.code, 'EPERM');
    assert.match(refused.hint ?? '', /CAP_KILL/);
  }
});

test('at the receiver’s RLIMIT_SIGPENDING tryQueue is false, queue is EAGAIN, and nothing that was taken is lost', async (t) => {
  if (!peer(t, 'python3')) return;
  const number = signal.toNumber('SIGRTMIN+4');
  const python = start(
    t,
    'prlimit',
    ['--sigpending=64', 'python3', '-c', `import sys\nsys.stdin.readline()\n${PYTHON}`, String(number), '64'],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  python.say('block it');
  assert.equal(await python.line(), 'ready');
  process.kill(python.pid, 'SIGSTOP');
  await until('it is stopped', () => stateOf(python.pid) === 'T');
  let taken = 0;
  while (signal.tryQueue(python.pid, number, taken)) taken++;
  // What else waits for this user counts, too, and may be taken meanwhile: then there is room for a few more.
  const fill = (): void => {
    for (; taken <= 64; taken++) signal.queue(python.pid, number, taken);
  };
  assert.throws(fill, {
    name: 'IpcError',
    code: 'EAGAIN',
    errno: -11,
    syscall: 'sigqueue',
    hint: /RLIMIT_SIGPENDING allows \(ulimit -i\)/,
  });
  signal.kill(python.pid, number); // kill(2) says nothing of the full queue, and what waits is as it was
  process.kill(python.pid, 'SIGCONT');
  for (let value = 0; value < taken; value++) assert.equal((await python.line()).split(' ')[4], String(value));
});

test('killGroup reaches all processes of a group, killThread one thread, raise this one', async (t) => {
  const group = start(t, 'setsid', ['sh', '-c', 'sleep 1000 & echo $$; wait']);
  const leader = Number(await group.line());
  signal.killGroup(leader, 0);
  signal.killGroup(leader, 'SIGKILL');
  assert.deepEqual((await group.ended).signal, 'SIGKILL');
  const nobody = start(t, 'true', []);
  await nobody.ended;
  assert.throws(() => signal.killGroup(nobody.pid, 0), {
    code: 'ESRCH',
    syscall: 'killpg',
    object: String(nobody.pid),
    hint: /no process is in this group/,
  });
  using signals = signal.open('SIGRTMIN+4');
  signal.killThread(process.pid, process.pid, 'SIGRTMIN+4');
  signal.raise('SIGRTMIN+4');
  assert.deepEqual([signals.tryReceive()?.code, signals.tryReceive()?.code], ['SI_TKILL', 'SI_TKILL']);
  signal.raise(0);
  assert.throws(() => signal.killThread(process.pid, group.pid, 0), {
    code: 'ESRCH',
    syscall: 'tgkill',
    hint: /no thread with this id/,
  });
  for (const call of [
    () => signal.killGroup(0, 'SIGKILL'),
    () => signal.killGroup(1, 'SIGKILL'),
    () => signal.killGroup(-2, 'SIGKILL'),
    () => signal.killThread(0, 1, 'SIGKILL'),
    () => signal.killThread(process.pid, -1, 'SIGKILL'),
    () => signal.killThread(process.pid, 0, 'SIGKILL'),
    () => signal.sendToPidfd(-1, 'SIGKILL'),
  ]) {
    assert.throws(call, { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /pid|pgid|tid/ });
  }
});

test('what is queued with signal 0 only asks', (t) => {
  signal.queue(process.pid, 0, 1);
  const program = start(t, 'sleep', ['1000']);
  assert.equal(signal.tryQueue(program.pid, 0, 1), true);
});

test('through a pidfd a process is reached as long as it is that process', async (t) => {
  const program = start(t, 'sleep', ['1000']);
  const fd = native().pidfdOpen(program.pid);
  t.after(() => native().close(fd));
  signal.sendToPidfd(fd, 0);
  signal.sendToPidfd(fd, 'SIGTERM', 1);
  await program.ended;
  assert.throws(() => signal.sendToPidfd(fd, 0), { code: 'ESRCH', syscall: 'pidfd_send_signal', hint: /has ended/ });
  assert.throws(() => signal.sendToPidfd(2, 0), { code: 'EBADF' });
});

const PRINTS_NUMBERS = `
import signal
numbers = range(signal.SIGRTMIN, signal.SIGRTMAX + 1)
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print('ready', flush=True)
while True: print(signal.sigwaitinfo(numbers).si_signo, flush=True)
`;

test('/bin/kill sends the same number for each real-time signal, counted from SIGRTMIN, and so do we', async (t) => {
  if (!peer(t, 'python3')) return;
  const python = start(t, 'python3', ['-c', PRINTS_NUMBERS]);
  assert.equal(await python.line(), 'ready');
  const real = signal.list().filter(({ number }) => number > 31);
  assert.equal(real.length, 31);
  // procps sends by no name that counts from SIGRTMAX; the shell's table has these.
  for (const [offset, { name, number }] of real.entries()) {
    const counted = `SIGRTMIN+${offset}`;
    execFileSync('/bin/kill', ['-s', counted, String(python.pid)]);
    assert.equal(await python.line(), String(number), `/bin/kill -s ${counted}`);
    for (const ours of [name, counted]) {
      signal.kill(python.pid, ours);
      assert.equal(await python.line(), String(number), ours);
    }
  }
});
