/** How waits for queues wait: on threads up to a limit, beyond it by a timer. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { messageQueue } from '../../src/sysv/index.js';
import { commandElsewhere } from '../support/elsewhere.js';
import { threadsOf } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, newQueue, removedAfter, text } from './support.js';

const STANDARD = { threads: 256, intervalMs: 200 };

/** Sets how waits wait for as long as the test lasts. */
function waiting(t: TestContext, options: messageQueue.WaitingOptions): void {
  t.after(() => messageQueue.configureWaiting(STANDARD));
  messageQueue.configureWaiting(options);
}

function queues(t: TestContext, count: number): messageQueue.MessageQueue[] {
  return Array.from({ length: count }, () => {
    const queue = messageQueue.create('private');
    removedAfter(t, queue);
    return queue;
  });
}

async function allReceive(all: readonly messageQueue.MessageQueue[], meanwhile: () => void): Promise<void> {
  const waits = all.map((queue) => queue.receive({ timeoutMs: 60_000 }));
  meanwhile();
  all.forEach((queue, index) => {
    assert.equal(queue.trySend(index + 1, bytes(`for ${index}`)), true);
  });
  const received = await Promise.all(waits);
  received.forEach(({ type, data }, index) => {
    assert.deepEqual([type, text(data)], [index + 1, `for ${index}`]);
  });
}

test('the limit of threads and the interval are known, and can be changed', (t) => {
  assert.deepEqual(messageQueue.configureWaiting(), STANDARD);
  waiting(t, { threads: 3 });
  assert.deepEqual(messageQueue.configureWaiting({ intervalMs: 5 }), { threads: 3, intervalMs: 5 });
  for (const wrong of [{ threads: -1 }, { threads: 0.5 }, { intervalMs: 0 }, { intervalMs: Number.NaN }]) {
    assert.throws(() => messageQueue.configureWaiting(wrong), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => messageQueue.configureWaiting({ thread: 1 } as never), /did you mean threads\?/);
});

test('1,000 queues are waited for at once, with threads for as many as the limit says and none lost', async (t) => {
  const all = queues(t, 1000);
  const before = threadsOf('self').length;
  await allReceive(all, () => {
    const more = threadsOf('self').length - before;
    assert.ok(more <= STANDARD.threads, `${more} threads more`);
  });
});

test('1,000 queues are waited for at once on 1,000 threads', async (t) => {
  waiting(t, { threads: 1000 });
  const before = threadsOf('self').length;
  await allReceive(queues(t, 1000), () => {
    assert.ok(threadsOf('self').length - before > 700, 'threads that another test left idle are used first');
  });
});

test('1,000 queues are waited for at once without a thread', async (t) => {
  waiting(t, { threads: 0, intervalMs: 5 });
  const before = threadsOf('self').length;
  await allReceive(queues(t, 1000), () => assert.ok(threadsOf('self').length <= before));
});

test('waits for the same messages share a thread, waits for others have one each', async (t) => {
  waiting(t, { threads: 1 });
  const queue = newQueue(t);
  const same = Array.from({ length: 50 }, () => queue.receive({ type: 1 }));
  const other = queue.receive({ type: 2, timeoutMs: 60_000 });
  for (let index = 0; index < 50; index++) queue.trySend(1, bytes(String(index)));
  const received = (await Promise.all(same)).map(({ data }) => text(data));
  assert.deepEqual(
    received,
    Array.from({ length: 50 }, (_, index) => String(index)),
  );
  queue.trySend(2, bytes('other'));
  assert.equal(text((await other).data), 'other');
});

test('a wait beyond the limit gets the thread of one that is over', async (t) => {
  waiting(t, { threads: 1, intervalMs: 3_600_000 });
  const [first, second] = [newQueue(t), newQueue(t)];
  const waits = [first.receive(), second.receive()] as const;
  second.trySend(1, bytes('early'));
  first.trySend(1, bytes('first'));
  assert.equal(text((await waits[0]).data), 'first');
  assert.equal(text((await waits[1]).data), 'early', 'the timer comes in an hour');
});

test('a raised limit gives threads to those that wait without, and so does the end of a wait by abort', async (t) => {
  waiting(t, { threads: 0, intervalMs: 3_600_000 });
  const [first, second] = [newQueue(t), newQueue(t)];
  const controller = new AbortController();
  const aborted = assert.rejects(first.receive({ signal: controller.signal }), { name: 'AbortError' });
  const wait = second.receive();
  messageQueue.configureWaiting({ threads: 1 });
  controller.abort();
  await aborted;
  second.trySend(1, bytes('on a thread'));
  assert.equal(text((await wait).data), 'on a thread');
});

test('abort, time-out, close and removal end a wait without a thread, and room and messages are noticed', async (t) => {
  waiting(t, { threads: 0, intervalMs: 2 });
  const queue = newQueue(t, { maxBytes: 8 });
  const controller = new AbortController();
  const aborted = assert.rejects(queue.receive({ signal: controller.signal }), { name: 'AbortError' });
  await assert.rejects(queue.receive({ type: 2, timeoutMs: 10 }), { code: 'ETIMEDOUT' });
  controller.abort();
  await aborted;
  queue.trySend(1, new Uint8Array(8));
  const sends = [queue.send(2, bytes('a')), queue.send(3, bytes('b'))];
  const fails = assert.rejects(queue.send(1, new Uint8Array(8), { timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  await fails;
  queue.tryReceive();
  await Promise.all(sends);
  assert.deepEqual([queue.tryReceive()?.type, queue.tryReceive()?.type], [2, 3]);
  const removed = assert.rejects(queue.receive(), { code: 'EIDRM' });
  queue.remove();
  await removed;
  const other = newQueue(t);
  const closed = assert.rejects(other.receive(), { code: 'ERR_INTERPROC_CLOSED' });
  other.close();
  await closed;
});

test('where no thread can be made a wait does without', async (t) => {
  if (!peer(t, 'prlimit')) return;
  const queue = newQueue(t, { mode: 0o666 });
  const file = fileURLToPath(new URL('../fixtures/sysv-threadless.js', import.meta.url));
  // RLIMIT_NPROC does not bind root.
  const asNobody = (...words: string[]): [string, string[]] => {
    const own = commandElsewhere(t, words, { asNobody: process.getuid?.() === 0 }) as [string, ...string[]];
    return [own[0], own.slice(1)];
  };
  const child = start(t, ...asNobody(process.execPath, file, String(queue.id)));
  assert.equal(await child.line(), 'ready');
  execFileSync(...asNobody('prlimit', '--pid', String(child.pid), '--nproc=0:'));
  const before = threadsOf(child.pid).length;
  child.say('go on');
  assert.equal(await child.line(), 'waiting');
  assert.equal(threadsOf(child.pid).length, before);
  queue.trySend(1, bytes('without a thread'));
  assert.equal(await child.line(), 'without a thread');
});
