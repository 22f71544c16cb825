import assert from 'node:assert/strict';
import { lstatSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openPid } from '../../src/proc/index.js';
import { stream } from '../../src/unix/index.js';
import { flagsOf } from '../support/descriptors.js';
import { type Program, start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, socketPath, text } from './support.js';

const SERVER = fileURLToPath(new URL('../fixtures/unix-activated.js', import.meta.url));

/** statfs(2): pidfds have a file system of their own since Linux 6.9. */
const PID_FS_MAGIC = 0x50494446;

/** Passes sockets as systemd does: made here, at 3 and on, LISTEN_PID set between fork and exec. */
const MANAGER = `
import ctypes, os, socket, struct, sys
kinds, names, pid, pidfd, count, argv = sys.argv[1].split(','), *sys.argv[2:6], sys.argv[6:]
made = []
for kind in kinds:
    what, _, where = kind.partition('=')
    if what == 'tcp':
        s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
    elif what == 'datagram':
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(where)
    elif what == 'connected':
        s, other = socket.socketpair(); made.append(other)
    elif what == 'file':
        s = open('/dev/null')
    elif what == 'full':
        s = socket.socket(socket.AF_UNIX)
        if ctypes.CDLL(None).bind(s.fileno(), struct.pack('H108s', socket.AF_UNIX, where.encode()), 110) < 0: sys.exit('bind')
        s.listen()
    else:
        s = socket.socket(socket.AF_UNIX)
        s.bind(bytes([0]) + where[1:].encode() if where.startswith('@') else where); s.listen()
    made.insert(0, s)
passed = [os.dup(s.fileno()) for s in reversed(made[:len(kinds)])]
high = [__import__('fcntl').fcntl(fd, 0, 100) for fd in passed]
for index, fd in enumerate(high): os.dup2(fd, 3 + index, True)
os.closerange(3 + len(high), 200)
env = dict(os.environ, LISTEN_FDS=count or str(len(high)), LISTEN_PID=pid or str(os.getpid()))
if names: env['LISTEN_FDNAMES'] = names
if pidfd == 'own': env['LISTEN_PIDFDID'] = str(os.fstat(os.pidfd_open(os.getpid())).st_ino)
elif pidfd: env['LISTEN_PIDFDID'] = pidfd
os.execvpe(argv[0], argv, env)
`;

interface Passing {
  names?: string;
  pid?: string;
  /** LISTEN_PIDFDID; `'own'`: that of the server. */
  pidfd?: string;
  count?: string;
  argument?: string;
}

function activate(
  t: TestContext,
  kinds: string[],
  { names = '', pid = '', pidfd = '', count = '', argument = '' }: Passing,
): Program {
  const server = [process.execPath, SERVER, argument];
  return start(t, 'python3', ['-c', MANAGER, kinds.join(','), names, pid, pidfd, count, ...server]);
}

test('listeners that a service manager passes are taken over by name, served, and their files left alone', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  const abstract = `@interproc-activated-${process.pid}`;
  const server = activate(t, [`listening=${path}`, `listening=${abstract}`], { names: 'control:data' });
  const said = JSON.parse(await server.line());
  const name = Object.fromEntries(bytes(abstract.slice(1)).entries());
  assert.deepEqual(said.passed, [
    ['control', 3, path],
    ['data', 4, name],
  ]);
  assert.deepEqual(said.left.sort(), ['LISTEN_FDNAMES', 'LISTEN_FDS', 'LISTEN_PID']);
  for (const [address, served] of [
    [path, 'control'],
    [abstract, 'data'],
  ] as const) {
    using client = await stream.connect(address);
    assert.equal(text(await client.read()), `served by ${served}`);
  }
  assert.match(await server.line(), /taken over before/);
  assert.equal((await server.ended).code, 0, server.errors());
  assert.ok(lstatSync(path).isSocket(), 'the file is the manager’s');
});

test('the variables can be taken from the environment, so that children do not see them', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  const server = activate(t, [`listening=${path}`], { argument: 'unset' });
  assert.deepEqual(JSON.parse(await server.line()), { passed: [['unknown', 3, path]], closedOnExec: true, left: [] });
  using client = await stream.connect(path);
  assert.equal(text(await client.read()), 'served by unknown');
  assert.equal((await server.ended).code, 0, server.errors());
});

test('what was passed to another process is not ours', async (t) => {
  if (!peer(t, 'python3')) return;
  const server = activate(t, [`listening=${socketPath(t)}`], { pid: '1' });
  assert.deepEqual(JSON.parse(await server.line()).passed, []);
  assert.deepEqual(stream.activated(), []);
});

test('systemd names the process by its pidfd, too: where the kernel tells them apart another’s is not ours', async (t) => {
  if (!peer(t, 'python3')) return;
  const own = activate(t, [`listening=${socketPath(t)}`], { pidfd: 'own' });
  assert.equal(JSON.parse(await own.line()).passed.length, 1);
  const unset = activate(t, [`listening=${socketPath(t)}`], { pidfd: 'own', argument: 'unset' });
  assert.deepEqual(JSON.parse(await unset.line()).left, []);
  const other = activate(t, [`listening=${socketPath(t)}`], { pidfd: '1' });
  using self = openPid(process.pid);
  const perProcess = statfsSync(`/proc/self/fd/${self.fd}`).type === PID_FS_MAGIC;
  assert.equal(JSON.parse(await other.line()).passed.length, perProcess ? 0 : 1);
  const wrong = activate(t, [`listening=${socketPath(t)}`], { pidfd: 'x' });
  assert.equal(await wrong.line(), "ERR_INTERPROC_ARGUMENT: LISTEN_PIDFDID must be a number, got 'x'");
});

test('a listener may have been bound to what we would not bind: a path of 108 bytes, without a NUL', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t).padEnd(108, 'x');
  const server = activate(t, [`full=${path}`], {});
  assert.deepEqual(JSON.parse(await server.line()).passed, [['unknown', 3, path]]);
});

test('a worker does not take over what was passed to the process', async (t) => {
  if (!peer(t, 'python3')) return;
  const server = activate(t, [`listening=${socketPath(t)}`], { argument: 'worker' });
  assert.match(await server.line(), /^ERR_INTERPROC_ARGUMENT: .* by its main thread$/);
});

test('what was passed and is no listening Unix stream socket is an error that names it', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  for (const kind of ['tcp', `datagram=${join(dirname(path), 'd')}`, 'connected', 'file']) {
    const server = activate(t, [`listening=${path}${kind.length}`, kind], { names: 'good:bad' });
    const expected = `descriptor 4 ('bad') is not a ${kind === 'file' ? 'socket' : 'listening Unix stream socket'}`;
    assert.equal(await server.line(), `ERR_INTERPROC_ARGUMENT: ${expected}`);
  }
});

test('variables that are malformed, or say more than was passed, are errors', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  const cases: [Passing, RegExp][] = [
    [{ count: 'two' }, /ERR_INTERPROC_ARGUMENT: LISTEN_FDS must be a number .*got 'two'/],
    [{ pid: '-3' }, /ERR_INTERPROC_ARGUMENT: LISTEN_PID must be a number .*got '-3'/],
    [{ count: '2' }, /descriptor 4 \('unknown'\) is not a |EBADF: /],
    [{ names: 'a:b' }, /LISTEN_FDNAMES names 2 descriptors, and LISTEN_FDS says 1: 'a:b'/],
  ];
  for (const [index, [passing, expected]] of cases.entries()) {
    assert.match(await activate(t, [`listening=${path}${index}`], passing).line(), expected);
  }
});

test('a listener from any descriptor is close-on-exec, does not block, and takes a policy', async (t) => {
  const path = socketPath(t);
  const first = stream.listen(path);
  const { first: one, second: other } = stream.pair();
  await one.send(bytes('a listener'), { fds: [first] });
  const [fd] = (await other.receive())?.fds ?? [];
  one.close();
  other.close();
  using second = stream.listenerFromFd(fd as number, { allow: () => false });
  assert.equal(second.address, `${path}.new`, 'the name that it was bound to');
  assert.equal(flagsOf(second.fd) & 0o2000000, 0o2000000);
  assert.equal(second.tryAccept(), undefined);
  using client = await stream.connect(path);
  assert.equal(second.tryAccept(), undefined);
  assert.equal(second.refused, 1);
  assert.equal(await client.read(), null);
  second.close();
  assert.ok(lstatSync(path).isSocket());
  first.close();
  assert.throws(() => stream.listenerFromFd(1 << 20), { code: 'EBADF' });
  assert.throws(() => stream.listenerFromFd(-1), { code: 'ERR_INTERPROC_RANGE' });
});
