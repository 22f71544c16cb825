import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFixture } from '../support/program.js';
import { socketPath } from './support.js';

test('where the process can open no more, everything that opens is EMFILE, and who has connected waits on', async (t) => {
  const child = startFixture(t, 'unix-at-limit', [socketPath(t)]);
  const said = JSON.parse(await child.line());
  assert.deepEqual(said, [
    ['pair', 'EMFILE', 'socketpair', 'hint'],
    ['connect', 'EMFILE', 'socket', 'hint'],
    ['connectSync', 'EMFILE', 'socket', 'hint'],
    ['tryConnect', 'EMFILE', 'socket', 'hint'],
    ['listen at a name', 'EMFILE', 'socket', 'hint'],
    ['listen at a path', 'EMFILE', 'open', 'hint'],
    ['accept', 'EMFILE', 'accept', 'hint'],
    ['acceptSync', 'EMFILE', 'accept', 'hint'],
    ['tryAccept', 'EMFILE', 'accept', 'hint'],
    ['peerProcess', 'EMFILE', 'getsockopt(SO_PEERPIDFD)', 'hint'],
    ['send that waits', 'EMFILE', 'fcntl(F_DUPFD_CLOEXEC)', 'hint'],
  ]);
  assert.equal(await child.line(), 'still in the backlog');
  assert.equal((await child.ended).code, 0, child.errors());
});
