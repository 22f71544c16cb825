/** Who waits for whom: locks on files and robust mutexes, by real processes that are deadlocked, or seem so. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { circlesIn } from '../../src/lock/waits/cycles.js';
import type { Found } from '../../src/lock/waits/found.js';
import { type Edge, waits } from '../../src/lock/waits/index.js';
import { look, standsIn } from '../../src/lock/waits/look.js';
import { stateOf, until } from '../support/proc.js';
import { killed, type Program } from '../support/program.js';
import { peer } from '../support/skips.js';
import { among, deadlockOf, short, type Short, Stage, told, untilEdges } from './waitsSupport.js';

/** Each has its own and wants that of the next, the last that of the first; each is named by its kind. */
async function circle(t: TestContext, kinds: readonly string[]): Promise<Program[]> {
  const stage = new Stage(t);
  const things: string[] = [];
  for (const [index, kind] of kinds.entries()) {
    const path = stage.file(`${index}-${kind}`);
    if (kind === 'mutex') await stage.having(`init ${path} 64`);
    things.push(kind === 'mutex' ? `mutex ${path} 64` : `${kind} ${path} w`);
  }
  const peers = await Promise.all(things.map((thing) => stage.having(thing)));
  for (const [index, one] of peers.entries()) one.say(things[(index + 1) % things.length] as string);
  return peers;
}

for (const kinds of [
  ['flock', 'flock'],
  ['flock', 'ofd'],
  ['record', 'flock'],
  ['ofd', 'ofd'],
  ['mutex', 'mutex'],
  ['mutex', 'flock'],
  ['flock', 'record', 'mutex'],
]) {
  test(`${kinds.length} processes that wait for each other by ${kinds.join(', ')} are a deadlock, proven`, async (t) => {
    if (!peer(t, 'cc')) return;
    const peers = await circle(t, kinds);
    const { edges, parties, proven, others } = await deadlockOf(...peers);
    assert.deepEqual([proven, others], [true, []]);
    const expected = peers.map(({ pid }, index): Short => {
      const next = (index + 1) % peers.length;
      return [pid, (peers[next] as Program).pid, kinds[next] as string, 'kernel'];
    });
    assert.deepEqual(edges.map(short).sort(), expected.sort());
    edges.forEach((edge, index) => {
      const following = edges[(index + 1) % edges.length];
      assert.deepEqual([edge.to.pid, edge.to.startTime], [following?.from.pid, following?.from.startTime]);
      assert.match(edge.object, /\/\d-\w+(, at 64)?$/);
      assert.equal(edge.mode, 'exclusive');
    });
    for (const { pid, tid, name, command, startTime, stopped } of parties) {
      assert.deepEqual([tid, name, stopped], [pid, 'waits-peer', false]);
      assert.match(command, /\/waits-peer$/);
      assert.equal(String(startTime), readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]);
    }
  });
}

test('a circle that the kernel refuses is none: the one who was refused goes on', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const [first, second] = [stage.file('first'), stage.file('second')];
  const one = await stage.having(`record ${first} w`);
  const other = await stage.having(`record ${second} w`);
  one.say(`record ${second} w`);
  await untilEdges(1, one, other);
  other.say(`record ${first} w`);
  assert.equal(await other.line(), 'Resource deadlock avoided');
  const { edges, deadlocks } = among(await waits(), one, other);
  assert.deepEqual([edges.map(short), deadlocks], [[[one.pid, other.pid, 'record', 'kernel']], []]);
});

test('who waits for a lock that several share waits for each of them', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  for (const kind of ['flock', 'ofd', 'record']) {
    const [shared, alone] = [stage.file(`${kind}-shared`), stage.file(`${kind}-alone`)];
    const readers = await Promise.all([1, 2, 3].map(() => stage.having(`${kind} ${shared} r`)));
    const writer = await stage.having(`flock ${alone} w`);
    writer.say(`${kind} ${shared} w`);
    const { edges, deadlocks } = await untilEdges(3, writer, ...readers);
    assert.deepEqual(
      edges.map(short).sort(),
      readers.map(({ pid }): Short => [writer.pid, pid, kind, 'kernel']).sort(),
    );
    assert.deepEqual(deadlocks, []);
    // The last of them waits for the writer: though the other two can go, it is a deadlock.
    readers[2]?.say(`flock ${alone} w`);
    const { proven, parties } = await deadlockOf(writer, ...readers);
    assert.deepEqual([proven, parties.map(({ pid }) => pid).sort()], [true, [writer.pid, readers[2]?.pid].sort()]);
  }
});

test('two that share a range and both want it alone are a deadlock, though their locks look alike', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const path = stage.file('range');
  const peers = await Promise.all([1, 2].map(() => stage.having(`ofd ${path} r 100 1`)));
  for (const one of peers) one.say(`convert ${path} w 100 1`);
  const { edges, proven } = await deadlockOf(...peers);
  assert.equal(proven, true);
  assert.deepEqual(
    edges.map(({ object }) => object),
    Array(2).fill(`${path}, bytes 100 to 100`),
  );
  // Who opens the file once more is in its own way.
  const self = await stage.having(`ofd ${path} r 200 1`);
  self.say(`ofd ${path} w 200 1`);
  assert.deepEqual((await deadlockOf(self)).edges.map(short), [[self.pid, self.pid, 'ofd', 'kernel']]);
});

test('a wait that is about to end is an edge and no deadlock', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const [first, second] = [stage.file('first'), stage.file('second')];
  const one = await stage.having(`flock ${first} w`);
  const other = await stage.having(`flock ${second} w`);
  other.say(`flock ${first} w`);
  const { edges, deadlocks } = await untilEdges(1, one, other);
  assert.deepEqual([edges.map(short), deadlocks], [[[other.pid, one.pid, 'flock', 'kernel']], []]);
  await told(one, `release ${first}`);
  assert.equal(await other.line(), 'held');
  one.say(`flock ${second} w`);
  await untilEdges(1, one, other);
  assert.deepEqual(among(await waits(), one, other).deadlocks, []);
  assert.deepEqual(among(await waits(), one, other).edges.map(short), [[one.pid, other.pid, 'flock', 'kernel']]);
});

test('those who have one lock at a time, and wait for each other in turn, are never a deadlock', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const [file, mutex] = [stage.file('file'), stage.file('mutex')];
  await stage.having(`init ${mutex} 0`);
  const peers = [1, 2, 3].map(() => stage.peer());
  for (const one of peers) one.say(`turns ${file} ${mutex}`);
  const pids = peers.map(({ pid }) => pid);
  const circles = (found: readonly Found[]): Found[][] =>
    circlesIn(found, () => 1).filter((circle) => circle.every(({ edge }) => pids.includes(edge.from.pid)));
  let before = look(pids);
  for (let seeming = 0; seeming < 5; ) {
    const now = look(pids);
    const found = circles(now.found);
    if (found.length > 0) seeming++;
    assert.deepEqual(
      found.filter((one) => standsIn(one, before, now)),
      [],
    );
    before = now;
  }
  await Promise.all(peers.map((one) => killed(one)));
});

test('a process with another thread may give up what it has: the circle is told, and not called proven', async (t) => {
  if (!peer(t, 'cc')) return;
  const [one, other] = (await circle(t, ['flock', 'flock'])) as [Program, Program];
  assert.equal((await deadlockOf(one, other)).proven, true);
  const stage = new Stage(t);
  const [first, second] = [stage.file('first'), stage.file('second')];
  const alone = await stage.having(`flock ${first} w`);
  const several = await stage.having(`flock ${second} w`, 'thread');
  alone.say(`flock ${second} w`);
  several.say(`flock ${first} w`);
  const { proven, others } = await deadlockOf(alone, several);
  assert.deepEqual([proven, others.map(({ pid, tid }) => [pid, tid])], [false, [[several.pid, undefined]]]);
});

test('who waits on one thread and has a mutex on another is in no circle: the other thread goes on', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const [mutexes, file] = [stage.file('mutexes'), stage.file('file')];
  const one = await stage.having(`init ${mutexes} 0`, `mutex ${mutexes} 0`);
  const other = await stage.having(`flock ${file} w`);
  await told(one, `thread flock ${file} w`);
  other.say(`mutex ${mutexes} 0`);
  const { edges, deadlocks } = await untilEdges(2, one, other);
  assert.deepEqual([edges.map(({ mechanism }) => mechanism).sort(), deadlocks], [['flock', 'mutex'], []]);
  const [flock, mutex] = edges as [Edge, Edge];
  assert.deepEqual([mutex.to.tid, flock.from.tid === one.pid], [one.pid, false]);
  // As soon as the thread that has it waits, too, it is one.
  one.say(`flock ${file} w`);
  assert.equal((await deadlockOf(one, other)).proven, true);
});

test('those who share an open file have its lock together', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const [first, second] = [stage.file('first'), stage.file('second')];
  const parent = await stage.having(`flock ${first} w`);
  parent.say('child');
  const child = { pid: Number(await parent.line()) };
  t.after(() => process.kill(child.pid, 'SIGKILL'));
  assert.equal(await parent.line(), 'held');
  const other = await stage.having(`flock ${second} w`);
  other.say(`flock ${first} w`);
  const { edges } = await untilEdges(2, parent, child, other);
  const expected: Short[] = [parent, child].map(({ pid }) => [other.pid, pid, 'flock', 'kernel']);
  assert.deepEqual(edges.map(short).sort(), expected.sort());
  parent.say(`flock ${second} w`);
  const { proven, others } = await deadlockOf(parent, other);
  assert.deepEqual([proven, others.map(({ pid }) => pid)], [false, [child.pid]]);
});

test('a lock whose taker is gone is that of those who have its open file', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const path = stage.file('file');
  const parent = await stage.having(`flock ${path} w`);
  parent.say('child');
  const child = { pid: Number(await parent.line()) };
  t.after(() => process.kill(child.pid, 'SIGKILL'));
  await killed(parent);
  const other = stage.peer();
  other.say(`flock ${path} w`);
  const { edges } = await untilEdges(1, child, other);
  assert.deepEqual(edges.map(short), [[other.pid, child.pid, 'flock', 'kernel']]);
});

test('a stopped process has what it has, and one that is stopped while it waits does not wait', async (t) => {
  if (!peer(t, 'cc')) return;
  const [one, other] = (await circle(t, ['flock', 'ofd'])) as [Program, Program];
  await deadlockOf(one, other);
  one.process.kill('SIGSTOP');
  await until('it is stopped', () => stateOf(one.pid) === 'T');
  const { edges, deadlocks } = among(await waits(), one, other);
  assert.deepEqual([edges.map(short), deadlocks], [[[other.pid, one.pid, 'flock', 'kernel']], []]);
  assert.deepEqual([edges[0]?.to.stopped, edges[0]?.from.stopped], [true, false]);
  one.process.kill('SIGCONT');
  await deadlockOf(one, other);
});

test('a zombie has nothing and waits for nothing', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const path = stage.file('mutexes');
  await stage.having(`init ${path} 0`);
  const parent = stage.peer();
  parent.say('child'); // which its parent never waits for
  const child = Number(await parent.line());
  assert.equal(await parent.line(), 'held');
  process.kill(child, 'SIGKILL');
  await until('it is a zombie', () => stateOf(child) === 'Z');
  // As one would stand there who took it without the kernel knowing.
  await told(parent, `write ${path} 0 ${(child | 0x8000_0000) >>> 0}`);
  const waiter = stage.peer();
  waiter.say(`mutex ${path} 0`);
  await until('it sleeps', () => readFileSync(`/proc/${waiter.pid}/wchan`, 'utf8').startsWith('futex'));
  assert.deepEqual(
    (await waits()).edges.filter(({ from }) => from.pid === waiter.pid),
    [],
  );
});

test('a process that got the number of a dead owner is not taken for it', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const path = stage.file('mutexes');
  await stage.having(`init ${path} 0`);
  const stranger = stage.peer(); // lives, and has never seen the file
  const writer = await stage.having(`write ${path} 0 ${(stranger.pid | 0x8000_0000) >>> 0}`);
  const waiter = stage.peer();
  waiter.say(`mutex ${path} 0`);
  await until('it sleeps', () => readFileSync(`/proc/${waiter.pid}/wchan`, 'utf8').startsWith('futex'));
  assert.deepEqual(
    (await waits()).edges.filter(({ from }) => from.pid === waiter.pid),
    [],
  );
  await told(writer, `write ${path} 0 ${(writer.pid | 0x8000_0000) >>> 0}`); // one that has it mapped
  assert.deepEqual((await untilEdges(1, writer, waiter)).edges.map(short), [
    [waiter.pid, writer.pid, 'mutex', 'kernel'],
  ]);
});

test('a process whose first thread has ended lives on, and has what it has', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const path = stage.file('file');
  const one = await stage.having(`flock ${path} w`, 'leave');
  await until('its first thread has ended', () => stateOf(one.pid) === 'Z');
  const other = stage.peer();
  other.say(`flock ${path} w`);
  assert.deepEqual((await untilEdges(1, one, other)).edges.map(short), [[other.pid, one.pid, 'flock', 'kernel']]);
});

test('a mutex is known by its memory, wherever it is mapped, and one that waits for itself is a deadlock', async (t) => {
  if (!peer(t, 'cc')) return;
  const stage = new Stage(t);
  const path = stage.file('mutexes');
  await stage.having(`init ${path} 128`, `init ${path} 0`);
  const self = await stage.having(`mutex ${path} 128`);
  self.say(`mutex ${path} 128`);
  const { proven, edges } = await deadlockOf(self);
  assert.deepEqual([proven, edges.map(short)], [true, [[self.pid, self.pid, 'mutex', 'kernel']]]);
  assert.deepEqual([edges[0]?.object, edges[0]?.to.tid], [`${path}, at 128`, self.pid]);
});
