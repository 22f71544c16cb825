import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { stream } from '../../src/unix/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { randomName } from '../support/folder.js';
import { leastProcessorTimeMs, stateOf, until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';
import { socketPath } from './support.js';

test('whoever comes first, client and server meet', async (t) => {
  openPoller();
  for (const address of [socketPath(t), `@${randomName('meet')}`]) {
    const before = countDescriptors();
    const early = stream.connectWhenListening(address);
    await nextTurn();
    const listener = stream.listen(address);
    (await listener.accept()).close();
    (await early).close();
    const late = await stream.connectWhenListening(address);
    late.close();
    listener.close();
    assert.equal(countDescriptors(), before);
  }
});

test('what happens in the folder meanwhile does not matter', async (t) => {
  const path = socketPath(t);
  const folder = dirname(path);
  const waiting = stream.connectWhenListening(path);
  for (let index = 0; index < 50; index++) writeFileSync(join(folder, `file${index}`), '');
  await nextTurn();
  mkdirSync(path);
  await nextTurn();
  rmSync(path, { recursive: true });
  using listener = stream.listen(path);
  (await waiting).close();
  listener.tryAccept()?.close();
});

test('a socket that a dead server left is waited beside until the next server comes', async (t) => {
  const path = socketPath(t);
  const dead = startFixture(t, 'unix-server', [path]);
  await dead.line();
  await killed(dead);
  const waiting = stream.connectWhenListening(path);
  await nextTurn();
  using listener = stream.listen(path);
  (await waiting).close();
  listener.tryAccept()?.close();
});

test('a foreign server that binds first and listens later is found, though that makes no event', async (t) => {
  if (!peer(t, 'python3')) return;
  const path = socketPath(t);
  const program = [
    'import socket, sys',
    's = socket.socket(socket.AF_UNIX)',
    'sys.stdin.readline()',
    's.bind(sys.argv[1])',
    'print("bound", flush=True)',
    'sys.stdin.readline()',
    's.listen()',
    's.accept()',
  ].join('\n');
  const server = start(t, 'python3', ['-c', program, path]);
  const waiting = stream.connectWhenListening(path);
  server.say('bind');
  assert.equal(await server.line(), 'bound');
  server.say('listen');
  (await waiting).close();
});

test('the wait is aborted and timed out, and leaves neither descriptor nor listener', async (t) => {
  openPoller();
  for (const address of [socketPath(t), `@${randomName('never')}`]) {
    const before = countDescriptors();
    const abort = new AbortController();
    const waiting = stream.connectWhenListening(address, { signal: abort.signal });
    await nextTurn();
    abort.abort();
    await assert.rejects(waiting, { code: 'ABORT_ERR' });
    assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
    const began = performance.now();
    const late = { code: 'ETIMEDOUT', syscall: 'connect', message: /after 60 ms/ };
    await assert.rejects(stream.connectWhenListening(address, { timeoutMs: 60 }), late);
    assert.ok(performance.now() - began >= 59.9);
    await assert.rejects(stream.connectWhenListening(address, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
    assert.equal(countDescriptors(), before);
  }
});

test('a folder that is not there, or a file in its place, is an error at once', async (t) => {
  const path = socketPath(t);
  writeFileSync(path, '');
  await assert.rejects(stream.connectWhenListening(join(dirname(path), 'none', 's')), { code: 'ENOENT' });
  await assert.rejects(stream.connectWhenListening(join(path, 's')), { code: 'ENOTDIR' });
  await assert.rejects(stream.connectWhenListening('s', { wait: 1 } as never), /unknown option 'wait'/);
});

test('waiting at a path asks nothing: the process sleeps and takes no time', async (t) => {
  const path = socketPath(t);
  const child = startFixture(t, 'unix-wait', [path]);
  assert.equal(await child.line(), 'waiting');
  await until('it sleeps', () => stateOf(child.pid) === 'S');
  const used = await leastProcessorTimeMs(child.pid, 21, () => start(t, 'sleep', ['2']).ended);
  assert.ok(used <= 20, `${used} ms of 2000`);
  using listener = stream.listen(path);
  assert.equal(await child.line(), 'connected');
  listener.tryAccept()?.close();
});
