/** What the kernel refuses of datagram and seqpacket sockets: one test for each errno that nothing else provokes. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { datagram, seqpacket, stream } from '../../src/unix/index.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { startFixture } from '../support/program.js';
import { skip } from '../support/skips.js';
import { bytes, messagePair, socketPath } from './support.js';

const isRoot = process.getuid?.() === 0;

test('sending to where no datagram socket receives is an error that says why', async (t) => {
  const path = socketPath(t);
  const folder = dirname(path);
  writeFileSync(join(folder, 'file'), '');
  using _stream = stream.listen(path);
  using _seqpacket = seqpacket.listen(`${path}-5`);
  using socket = datagram.bind();
  const cases: [address: string, code: string, hint: RegExp | undefined][] = [
    [join(folder, 'none'), 'ENOENT', /receiver is not running/],
    [join(folder, 'file', 's'), 'ENOTDIR', undefined],
    [join(folder, 'file'), 'ECONNREFUSED', /nobody receives/],
    [path, 'EPROTOTYPE', /another type/],
    [`${path}-5`, 'EPROTOTYPE', /another type/],
  ];
  for (const [to, code, hint] of cases) {
    const refused = { name: 'IpcError', code, syscall: 'sendmsg', path: to, ...(hint === undefined ? {} : { hint }) };
    await assert.rejects(socket.send(bytes('x'), { to }), refused);
    assert.throws(() => socket.sendSync(bytes('x'), { to }), refused);
    assert.throws(() => socket.trySend(bytes('x'), { to }), refused);
    await assert.rejects(socket.sendMany([bytes('x')], { to }), { ...refused, sent: 0 });
    assert.throws(() => datagram.connect(to), { name: 'IpcError', code, syscall: 'connect', path: to });
  }
  await assert.rejects(socket.send(bytes('x'), { to: '@interproc-test-nobody' }), {
    code: 'ECONNREFUSED',
    object: '@interproc-test-nobody',
  });
});

test('a folder that is missing, or is none, is ENOENT or ENOTDIR of bind', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => datagram.bind(join(folder, 'none', 's')), { code: 'ENOENT' });
  assert.throws(() => datagram.bind(join(folder, 'file', 's')), { code: 'ENOTDIR' });
  assert.throws(() => seqpacket.listen(join(folder, 'file', 's')), { code: 'ENOTDIR' });
});

test('a folder on a read-only file system is EROFS of bind', async (t) => {
  const folder = temporaryFolder(t);
  const before = `mount -t tmpfs tmpfs ${folder}; mount -o remount,bind,ro ${folder}`;
  const outcomes = await attempt(t, { unshared: ['mount'], before }, [
    ['unix.datagram'],
    ['$0.bind', join(folder, 's')],
    ['unix.seqpacket'],
    ['$2.listen', join(folder, 's')],
  ]);
  if (outcomes !== undefined) assert.deepEqual([outcomes[1]?.code, outcomes[3]?.code], ['EROFS', 'EROFS']);
});

test('a socket whose mode does not let another user in is EACCES of send and of connect', async (t) => {
  if (!isRoot) return skip(t, 'root');
  const path = socketPath(t);
  chmodSync(dirname(path), 0o711);
  using server = datagram.bind(path);
  using open = datagram.bind(`${path}-open`, { mode: 0o666 });
  using _listener = seqpacket.listen(`${path}-5`);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['unix.datagram'],
    ['$0.bind'],
    ['$1.trySend', { bytes: 1 }, { to: path }],
    ['$0.connect', path],
    ['unix.seqpacket'],
    ['$4.connect', `${path}-5`],
    ['$1.trySend', { bytes: 1 }, { to: `${path}-open` }],
    ['$0.bind', `${path}-own`],
  ]);
  assert.match(outcomes?.[2]?.hint ?? '', /write permission/);
  assert.deepEqual(
    [2, 3, 5, 7].map((index) => [outcomes?.[index]?.code, outcomes?.[index]?.syscall]),
    [
      ['EACCES', 'sendmsg'],
      ['EACCES', 'connect'],
      ['EACCES', 'connect'],
      ['EACCES', 'open'],
    ],
  );
  assert.equal(outcomes?.[6]?.value, true);
  assert.equal(server.tryReceive(), undefined);
  assert.equal(open.tryReceive()?.length, 1);
});

test('an ordinary user can neither forge the credentials of a message nor have too many descriptors on their way', async (t) => {
  for (const kind of ['datagram', 'seqpacket']) {
    const child = startFixture(t, 'unix-messages-unprivileged', [kind]);
    for (const name of ['uid', 'gid', 'pid']) {
      const said = JSON.parse(await child.line());
      assert.deepEqual([said.name, said.code], [name, 'EPERM']);
      assert.match(said.hint, /CAP_SETUID/);
    }
    const tooMany = JSON.parse(await child.line());
    assert.deepEqual([tooMany.name, tooMany.code], ['send', 'ETOOMANYREFS']);
    assert.match(tooMany.hint, /RLIMIT_NOFILE/);
    assert.deepEqual(JSON.parse(await child.line()), { name: 'again', fds: 1 });
    assert.equal((await child.ended).code, 0, child.errors());
  }
});

test('credentials of a process that does not exist are ESRCH, where anybody may be named', (t) => {
  if (!isRoot) return skip(t, 'root');
  for (const kind of ['datagram', 'seqpacket'] as const) {
    const { first, second } = messagePair(t, kind);
    const credentials = { pid: 0x7ffffffe, uid: 0, gid: 0 };
    assert.throws(() => first.trySend(bytes('x'), { credentials }), { code: 'ESRCH', hint: /no process has the pid/ });
    second.passCredentials = true;
    assert.equal(first.trySend(bytes('x'), { credentials: { pid: 1, uid: 5, gid: 6 } }), true);
    assert.deepEqual(second.tryReceive()?.credentials, { pid: 1, uid: 5, gid: 6 });
  }
});

test('a message that the buffer allows and the kernel cannot make is ENOBUFS, where buffers may be so large', (t) => {
  const most = Number(readFileSync('/proc/sys/net/core/wmem_max', 'utf8'));
  for (const kind of ['datagram', 'seqpacket'] as const) {
    const { first, second } = messagePair(t, kind);
    first.sendBuffer = most;
    const longest = new Uint8Array(Math.min(first.longestMessage, 0x1fff_ffff));
    try {
      first.trySend(longest);
      assert.equal(second.tryReceive()?.data.length, longest.length);
    } catch (why) {
      const { code, hint } = why as { code: string; hint: string };
      assert.equal(code, 'ENOBUFS');
      assert.match(hint, /4 MiB/);
      assert.ok(longest.length > 4 * 1024 * 1024);
      assert.equal(second.tryReceive(), undefined);
    }
  }
});

test('at the limit of descriptors making a socket is EMFILE, and so is waiting for room at one that is named', async (t) => {
  const child = startFixture(t, 'unix-sockets-at-limit');
  assert.equal(await child.line(), 'bind EMFILE, pair EMFILE, connect EMFILE, send EMFILE, sendSync EMFILE, left 0');
  assert.equal(await child.line(), 'sent');
  assert.equal((await child.ended).code, 0, child.errors());
});
