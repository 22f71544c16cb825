import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readlinkSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import type { IpcError } from '../../src/core/errors.js';
import { create } from '../../src/pipe/index.js';
import { type ChildDescriptor, children, processGroup, session, spawn } from '../../src/proc/index.js';
import { countDescriptors, flagsOf, openDescriptors, openPoller } from '../support/descriptors.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { isAlive, until } from '../support/proc.js';
import { startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { signalsIn } from '../signal/support.js';
import { outputOf, sleeper, started } from './support.js';

const nullDevice = (): number => openSync('/dev/null', 'r');

function descriptorsOf(pid: number): string[] {
  return [...openDescriptors(pid)].map(([fd, target]) => `${fd} ${target}`).sort();
}

function fails(call: () => unknown): IpcError {
  try {
    call();
  } catch (why) {
    return why as IpcError;
  }
  throw new Error('it did not fail');
}

test('a child gets its arguments, its environment and its folder, and nothing else', async (t) => {
  const script = 'printf "%s," "$0" "$@"; pwd; env | grep -v "^\\(PWD\\|_\\|SHLVL\\|OLDPWD\\)=" | sort';
  const { text, description } = await outputOf(t, 'sh', ['-c', script, 'zero', '', 'ä b'], {
    cwd: '/',
    env: { PATH: process.env.PATH, ONE: 'two', NONE: undefined },
  });
  assert.equal(text, `zero,,ä b,/\nONE=two\nPATH=${process.env.PATH}\n`);
  assert.equal(description, 'exited with code 0');
});

test('an empty environment is empty', async (t) => {
  const { text } = await outputOf(t, '/usr/bin/env', [], { env: {} });
  assert.equal(text, '');
});

test('argv0 is what the program finds as its own name', async (t) => {
  const child = sleeper(t, { argv0: 'a name' });
  // The kernel lets the parent go on when the old memory is left, a moment before it writes this.
  const named = await until('it is written', () => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8'));
  assert.equal(named, 'a name\x001000\0');
});

for (const way of ['close_range', '/proc/self/fd']) {
  test(`a child has the descriptors that were named, on their numbers, and no other (${way})`, async (t) => {
    const before = process.env.INTERPROC_CLOSE_RANGE;
    if (way !== 'close_range') process.env.INTERPROC_CLOSE_RANGE = 'no';
    t.after(() => {
      if (before === undefined) delete process.env.INTERPROC_CLOSE_RANGE;
      else process.env.INTERPROC_CLOSE_RANGE = before;
    });
    const pair = create();
    t.after(() => pair.close());
    const inherited = Array.from({ length: 40 }, nullDevice); // without close-on-exec they would go down
    t.after(() => inherited.forEach((fd) => void closeSync(fd)));
    const child = sleeper(t, { fds: { 0: 'null', 1: 'null', 2: 'closed', 7: pair.reader, 200: pair.writer.fd } });
    const pipe = readlinkSync(`/proc/self/fd/${pair.reader.fd}`);
    const wanted = ['0 /dev/null', '1 /dev/null', `200 ${pipe}`, `7 ${pipe}`];
    // Meanwhile the program may open and close its own libraries.
    await until('it has just those', () => descriptorsOf(child.pid).join() === wanted.join());
  });
}

test('descriptors that stand on each other’s numbers change places', async (t) => {
  const a = openSync('/dev/null', 'r');
  const b = openSync('/dev/zero', 'r');
  t.after(() => [a, b].forEach((fd) => void closeSync(fd)));
  const child = sleeper(t, { fds: { [a]: b, [b]: a, 1: 'null', 0: 'null', 2: 1 } });
  await until('its libraries are closed', () => openDescriptors(child.pid).size === 5);
  const found = openDescriptors(child.pid);
  assert.equal(found.get(a), '/dev/zero');
  assert.equal(found.get(b), '/dev/null');
  assert.equal(found.get(2), readlinkSync('/proc/self/fd/1'));
});

test('one descriptor can stand on many numbers, and a list gives 0, 1, 2', async (t) => {
  const fd = nullDevice();
  t.after(() => closeSync(fd));
  const child = sleeper(t, { fds: [fd, fd, fd, fd] });
  const wanted = ['0 /dev/null', '1 /dev/null', '2 /dev/null', '3 /dev/null'];
  await until('it has just those', () => descriptorsOf(child.pid).join() === wanted.join()); // its libraries are open first
});

test('an end of a pipe that was used here is handed over in blocking mode', async (t) => {
  const { reader, writer } = create();
  t.after(() => reader.close());
  assert.equal(reader.tryRead(), undefined);
  const child = started(t, 'cat', [], { fds: { 0: reader, 1: 'null' } });
  assert.equal(flagsOf(0, child.pid) & 0o4000, 0);
  await writer.write(Buffer.from('x'));
  writer.close();
  assert.equal((await child.wait()).description, 'exited with code 0');
});

test('starting and ending children leaves no descriptor', async (t) => {
  openPoller();
  const before = countDescriptors();
  for (let count = 0; count < 20; count++) await outputOf(t, 'true', []);
  for (let count = 0; count < 20; count++) fails(() => spawn('/does/not/exist', [], { fds: { 0: 'null' } }));
  assert.equal(countDescriptors(), before);
  assert.deepEqual(children(), []);
});

test('a child begins with every signal at its default and none blocked, whatever this process has', async (t) => {
  const child = sleeper(t);
  // The kernel forgets the handlers a moment after the new program is there.
  await until('it handles none', () => signalsIn(`/proc/${child.pid}/status`, 'SigCgt').length === 0);
  for (const field of ['SigIgn', 'SigBlk']) {
    assert.deepEqual(signalsIn(`/proc/${child.pid}/status`, field), [], field);
  }
});

test('a child ignores and blocks what was asked for', (t) => {
  const child = sleeper(t, { signals: { ignore: ['SIGHUP', 'SIGRTMIN+1'], block: ['SIGUSR2', 64] } });
  assert.deepEqual(signalsIn(`/proc/${child.pid}/status`, 'SigIgn'), [1, 35]);
  assert.deepEqual(signalsIn(`/proc/${child.pid}/status`, 'SigBlk'), [12, 64]);
});

test('a child is in our group and session, leads a group, leads a session, or joins a group', (t) => {
  const ours = sleeper(t);
  assert.equal(processGroup(ours.pid), processGroup());
  const leader = sleeper(t, { processGroup: 'new' });
  assert.equal(processGroup(leader.pid), leader.pid);
  assert.equal(session(leader.pid), session());
  const joined = sleeper(t, { processGroup: leader.pid });
  assert.equal(processGroup(joined.pid), leader.pid);
  const own = sleeper(t, { processGroup: 'session' });
  assert.equal(session(own.pid), own.pid);
});

test('killGroup reaches all of the group that a child leads', async (t) => {
  const leader = sleeper(t, { processGroup: 'new' });
  const joined = sleeper(t, { processGroup: leader.pid });
  assert.equal(leader.killGroup('SIGUSR1'), true);
  assert.equal((await joined.wait()).signal, 'SIGUSR1');
  assert.equal((await leader.wait()).signal, 'SIGUSR1');
  assert.equal(leader.killGroup(), false);
});

test('a program that cannot be executed is an error with the reason, and there is no child', (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'program');
  writeFileSync(file, '\x7fELF, but no program');
  // A folder of PATH that this user may not search would make it EACCES, as execvp(3) has it.
  const missing = fails(() => spawn('interproc-has-no-such-program', [], { env: { PATH: '/usr/bin:/bin' } }));
  assert.equal(missing.code, 'ENOENT');
  assert.equal(missing.errno, -2);
  assert.equal(missing.syscall, 'execve');
  assert.equal(missing.path, 'interproc-has-no-such-program');
  assert.match(missing.hint ?? '', /PATH/);
  assert.equal(fails(() => spawn(file)).code, 'EACCES');
  chmodSync(file, 0o700);
  assert.equal(fails(() => spawn(file)).code, 'ENOEXEC');
  assert.equal(fails(() => spawn('/dev/null/x')).code, 'ENOTDIR');
  assert.equal(fails(() => spawn('true', ['x'.repeat(200_000)])).code, 'E2BIG');
  const fd = openSync(file, 'r+');
  assert.equal(fails(() => spawn(file)).code, 'ETXTBSY');
  closeSync(fd);
  assert.deepEqual(children(), []);
});

test('a name is looked for in the PATH of the child', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'program'), '#!/bin/sh\necho found "$1"\n', { mode: 0o700 });
  const { text } = await outputOf(t, 'program', ['it'], { env: { PATH: `/does/not/exist:${folder}` } });
  assert.equal(text, 'found it\n');
  chmodSync(join(folder, 'program'), 0o600);
  assert.equal(fails(() => spawn('program', [], { env: { PATH: `${folder}:/bin` } })).code, 'EACCES');
});

test('what fails before the program is named by its system call', (t) => {
  const folder = fails(() => spawn('true', [], { cwd: '/does/not/exist' }));
  assert.equal(folder.syscall, 'chdir');
  assert.equal(folder.path, '/does/not/exist');
  assert.equal(folder.code, 'ENOENT');
  assert.equal(fails(() => spawn('true', [], { cwd: '/dev/null' })).code, 'ENOTDIR');
  const stranger = sleeper(t, { processGroup: 'session' });
  const group = fails(() => spawn('true', [], { processGroup: stranger.pid }));
  assert.equal(group.syscall, 'setpgid');
  assert.equal(group.code, 'EPERM');
  assert.match(group.hint ?? '', /session/);
  const number = fails(() => spawn('true', [], { fds: { 1000000000: 0 } }));
  assert.equal(number.syscall, 'dup2');
  assert.match(number.hint ?? '', /RLIMIT_NOFILE/);
  const closed = fails(() => spawn('true', [], { fds: { 0: 12_345 } }));
  assert.equal(closed.code, 'EBADF');
  assert.match(closed.message, /descriptor 12345 \(fds\[0\]\)/);
});

test('options that cannot be meant are refused before anything is done, with the nearest name', () => {
  const cases: [unknown[], RegExp][] = [
    [[''], /file must not be empty/],
    [['a\0b'], /NUL/],
    [[7], /file must be a string/],
    [['true', 'x'], /args must be a list/],
    [['true', [1]], /args\[0\] must be a string, got 1/],
    [['true', [], { cmd: 1 }], /unknown option 'cmd'/],
    [['true', [], { processGrupp: 'new' }], /did you mean processGroup\?/],
    [['true', [], { fds: { 1: 'inherrit' } }], /did you mean 'inherit'\?/],
    [['true', [], { fds: { x: 1 } }], /no number: 'x'/],
    [['true', [], { fds: { 1: -1 } }], /fds\[1\] must be a whole number/],
    [['true', [], { fds: { 1: null } }], /fds\[1\] must be a descriptor/],
    [['true', [], { fds: { 1: 'terminal' } }], /no pseudo-terminal/],
    [['true', [], { env: { 'A=B': 'x' } }], /'A=B'/],
    [['true', [], { env: { A: 1 } }], /env.A must be a string/],
    [['true', [], { processGroup: 0 }], /processGroup must be a whole number from 1/],
    [['true', [], { processGroup: 'old' }], /processGroup must be 'new'/],
    [['true', [], { terminal: 'front' }], /openPty/],
    [['true', [], { terminal: 'foreground', processGroup: 'session' }], /no terminal/],
    [['true', [], { parentDeathSignal: 'SIGTREM' }], /did you mean SIGTERM\?/],
    [['true', [], { signals: { ignore: ['SIGKILL'] } }], /SIGKILL can be neither ignored nor blocked/],
    [['true', [], { signals: { ignored: [] } }], /did you mean ignore\?/],
    [['true', [], { signals: { block: 'SIGHUP' } }], /signals.block must be a list/],
    [['true', [], { subreaper: 1 }], /subreaper must be true or false/],
  ];
  for (const [args, message] of cases) {
    const why = fails(() => (spawn as (...args: unknown[]) => unknown)(...args));
    assert.match(why.message, message);
    assert.match(why.code, /^ERR_INTERPROC_/);
  }
});

test('at the limit of processes a start is EAGAIN with a hint', async (t) => {
  const outcomes = await attempt(t, { asNobody: true }, [
    ['proc.spawn', 'sh', ['-c', 'prlimit --pid $PPID --nproc=1:1']],
    ['$0.waitSync'],
    ['proc.spawn', 'true'],
  ]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[2]?.code, 'EAGAIN');
  assert.equal(outcomes[2]?.syscall, 'clone');
  assert.match(outcomes[2]?.hint ?? '', /RLIMIT_NPROC/);
});

test('at the limit of descriptors a start is EMFILE, and leaves no child', async (t) => {
  const program = startFixture(t, 'proc-at-limit');
  assert.equal(await program.line(), 'EMFILE 0 children', program.errors());
});

test('an unprivileged user may not execute what is not his, nor enter a folder', async (t) => {
  const outcomes = await attempt(t, { asNobody: true }, [
    ['proc.spawn', '/etc/shadow'],
    ['proc.spawn', 'true', [], { cwd: '/root' }],
    ['proc.openPid', 1],
    ['$2.kill', 'SIGTERM'],
    ['$2.takeDescriptor', 0],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code, syscall }) => `${code} ${syscall}`),
    ['EACCES execve', 'EACCES chdir', 'undefined undefined', 'EPERM pidfd_send_signal', 'EPERM pidfd_getfd'],
  );
  assert.match(outcomes[3]?.hint ?? '', /CAP_KILL/);
  assert.match(outcomes[4]?.hint ?? '', /trace/);
});

test('a child with a parent-death signal gets it when this process is killed', async (t) => {
  const program = startFixture(t, 'proc-parent', ['SIGTERM']);
  const pid = Number(await program.line());
  assert.ok(isAlive(pid));
  program.process.kill('SIGKILL');
  await program.ended;
  await until('the child is gone', () => !isAlive(pid));
});

test('a child of a worker with a parent-death signal gets it when the worker ends', async () => {
  const worker = new Worker(new URL('../fixtures/proc-worker.js', import.meta.url), { workerData: 'tied' });
  const [pid] = (await once(worker, 'message')) as [number];
  assert.ok(isAlive(pid));
  await worker.terminate();
  await until('the child is gone, and no zombie', () => !children().includes(pid));
});

test('a child that is a subreaper gets its orphans', async (t) => {
  if (!peer(t, 'python3')) return;
  // A child of its child ends before its own child, the orphan, which tells whose it is then.
  const program = `
import os
if os.fork() == 0:
    if os.fork() == 0:
        os.read(3, 1)
        print(os.getppid() == os.getsid(0))
        os._exit(0)
    os._exit(0)
os.wait()
os.write(4, b'x')
os.wait()`;
  const [gate, done] = [create(), create()];
  t.after(() => [gate, done].forEach((one) => void one.close()));
  const told = outputOf(t, 'python3', ['-uc', program], {
    fds: { 3: gate.reader, 4: done.writer },
    subreaper: true,
    processGroup: 'session', // so the session has its pid, which the orphan can ask for
  });
  await done.reader.read();
  await gate.writer.write(Buffer.from('x'));
  const { text, description } = await told;
  assert.equal(text, 'True\n');
  assert.equal(description, 'exited with code 0');
});

test('what a child reads and writes is counted until its end and told after it, also of one that ends at once', async (t) => {
  const child = started(t, 'sh', ['-c', 'read line; printf %s "$line"; exec cat'], {
    accounts: true,
    fds: pipesFor(t),
  });
  await child.wait();
  assert.equal(child.accounts()?.bytesWritten, 5 + 6);
  assert.ok((child.accounts()?.bytesRead ?? 0) >= 12);
  for (let round = 0; round < 50; round++) {
    const quick = started(t, 'printf', ['%s', 'four'], { accounts: true, fds: ['null', 'null', 'null'] });
    await quick.wait();
    assert.equal(quick.accounts()?.bytesWritten, 4);
  }
  const other = started(t, 'true', []);
  await other.wait();
  assert.equal(other.accounts(), null, 'it was not asked for');
});

/** Standard input with a line of five letters and one of six bytes behind it. */
function pipesFor(t: TestContext): ChildDescriptor[] {
  const { reader, writer } = create();
  writer.writeSync(Buffer.from('hello\nthere\n'));
  writer.close();
  t.after(() => reader.close());
  return [reader, 'null', 'inherit'];
}
