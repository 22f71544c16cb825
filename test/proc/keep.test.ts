/** What a pipeline relies on: a child that has ended stays a zombie until whoever keeps it lets it go. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { ExitStatus } from '../../src/proc/index.js';
import { temporaryFolder } from '../support/folder.js';
import { stateOf } from '../support/proc.js';
import { started } from './support.js';

/** Opens 100 files, so that one of them has whatever descriptor was closed last, and checks them after `act`. */
function assertFilesStayOpen(t: TestContext, act: () => void): void {
  const folder = temporaryFolder(t);
  const names = Array.from({ length: 100 }, (_, number) => join(folder, String(number)));
  const open = names.map((name) => openSync(name, 'w'));
  act();
  const found = open.map((fd) => readlinkSync(`/proc/self/fd/${fd}`));
  for (const fd of open) closeSync(fd);
  assert.deepEqual(found, names);
}

test('the group of a child that has ended can be joined while the child is kept, and its accounts be read', async (t) => {
  const leader = started(t, 'true', [], { processGroup: 'new', accounts: true });
  const told: (ExitStatus | Error)[] = [];
  const release = leader.keep((end) => told.push(end));
  const end = await leader.wait();
  assert.deepEqual(told, [end]);
  assert.equal(stateOf(leader.pid), 'Z');
  assert.ok((leader.accounts()?.bytesRead ?? 0) > 0);
  const member = started(t, 'sh', ['-c', 'kill -TERM 0'], { processGroup: leader.pid });
  assert.equal((await member.wait()).signal, 'SIGTERM');
  assert.equal(stateOf(leader.pid), 'Z');
  release();
  assert.equal(stateOf(leader.pid), '');
});

test('the group of a child that was waited for and is kept by nobody is gone: EPERM with a hint', async (t) => {
  const leader = started(t, 'true', [], { processGroup: 'new' });
  await leader.wait();
  assert.throws(() => started(t, 'true', [], { processGroup: leader.pid }), {
    code: 'EPERM',
    syscall: 'setpgid',
    hint: /no such process group/,
  });
});

test('of several who keep a child the last one lets it go, and letting go twice counts once', async (t) => {
  const child = started(t, 'true', []);
  const first = child.keep(() => {});
  const second = child.keep(() => {});
  await child.wait();
  first();
  first();
  assert.equal(stateOf(child.pid), 'Z');
  second();
  assert.equal(stateOf(child.pid), '');
});

test('who lets go before the end has the child waited for at its end', async (t) => {
  const child = started(t, 'true', []);
  child.keep(() => {})();
  await child.wait();
  assert.equal(stateOf(child.pid), '');
});

test('who keeps a child that was waited for is told its end, and letting go closes no descriptor of somebody else', async (t) => {
  const child = started(t, 'true', []);
  const end = await child.wait();
  const told: (ExitStatus | Error)[] = [];
  assertFilesStayOpen(
    t,
    child.keep((how) => told.push(how)),
  );
  assert.deepEqual(told, [end]);
});

test('who keeps a child that another one kept and let go closes no descriptor of somebody else', async (t) => {
  const child = started(t, 'true', []);
  const release = child.keep(() => {});
  await child.wait();
  release();
  assertFilesStayOpen(
    t,
    child.keep(() => {}),
  );
});
