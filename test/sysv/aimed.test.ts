/** Aborts that are aimed at the moment at which a message comes or goes: what was sent is what was received and what is still there. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { messageQueue } from '../../src/sysv/index.js';
import { SEED, seeded, spinMicroseconds } from '../core/support.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { newQueue } from './support.js';

const ROUNDS = 10_000;

/** What a wait gave, `undefined` if it was aborted. */
async function unlessAborted<T>(wait: Promise<T>): Promise<T | undefined> {
  try {
    return await wait;
  } catch (why) {
    assert.equal((why as { code?: string }).code, 'ABORT_ERR');
    return undefined;
  }
}

async function abortReceives(t: TestContext, rounds: number): Promise<void> {
  const queue = newQueue(t);
  const random = seeded(SEED);
  let delivered = 0;
  let aborted = 0;
  for (let round = 1; round <= rounds; round++) {
    const controller = new AbortController();
    const wait = unlessAborted(queue.receive({ signal: controller.signal }));
    spinMicroseconds(random() * 30);
    const size = random() < 0.5 ? 0 : 8;
    const late = random() < 0.5;
    if (late) controller.abort();
    if (late) spinMicroseconds(random() * 20);
    assert.equal(queue.trySend(round, new Uint8Array(size)), true);
    if (random() < 0.3) await new Promise(setImmediate);
    spinMicroseconds(random() * 20);
    if (round % 10 !== 0) controller.abort(); // now and then it is not aborted before it came
    const message = await wait;
    const left = queue.tryReceive();
    if (message === undefined) aborted++;
    else delivered++;
    const found = message ?? left;
    assert.deepEqual([found?.type, found?.data.length], [round, size], `SEED=${SEED}`);
    assert.ok(message === undefined || left === undefined, `SEED=${SEED}: round ${round} came twice`);
  }
  assert.ok(delivered > 0 && aborted > 0, `SEED=${SEED}: ${delivered} delivered, ${aborted} aborted`);
}

test('an abort aimed at completion, 10,000 times: each message was received or is still there', (t) =>
  abortReceives(t, ROUNDS));

test('the same where waits have no thread', async (t) => {
  const before = messageQueue.configureWaiting();
  t.after(() => messageQueue.configureWaiting(before));
  messageQueue.configureWaiting({ threads: 0, intervalMs: 1 });
  await abortReceives(t, 1000);
});

test('an abort aimed at completion of a send, 10,000 times: the message is in the queue exactly if the wait says so', async (t) => {
  const queue = newQueue(t, { maxBytes: 8 });
  const random = seeded(SEED);
  let sent = 0;
  let aborted = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    assert.equal(queue.trySend(1, new Uint8Array(8)), true);
    const controller = new AbortController();
    const wait = queue.send(round + 1, new Uint8Array(8), { signal: controller.signal }).then(() => true);
    spinMicroseconds(random() * 30);
    const late = random() < 0.5;
    if (late) controller.abort();
    if (late) spinMicroseconds(random() * 20);
    assert.equal(queue.tryReceive()?.type, 1);
    spinMicroseconds(random() * 20);
    controller.abort();
    const told = (await unlessAborted(wait)) === true;
    if (told) sent++;
    else aborted++;
    assert.equal(queue.tryReceive()?.type, told ? round + 1 : undefined, `SEED=${SEED}`);
  }
  assert.ok(sent > 0 && aborted > 0, `SEED=${SEED}: ${sent} sent, ${aborted} aborted`);
});

test('aborts at random while another process sends 20,000 messages: all are received, once and in their order', async (t) => {
  if (!peer(t, 'perl')) return;
  const queue = newQueue(t, { maxBytes: 4 }); // one message: whoever is quicker waits for the other
  const code = `my $size = $ARGV[1]; for my $n (1 .. $size) { msgsnd($ARGV[0], pack('l! L', 1 + $n % 3, $n), 0) or die $! }`;
  const total = 20_000;
  const perl = start(t, 'perl', ['-e', code, String(queue.id), String(total)]);
  const random = seeded(SEED);
  let next = 1;
  let aborted = 0;
  while (next <= total) {
    const controller = new AbortController();
    const wait = unlessAborted(queue.receive({ signal: controller.signal }));
    spinMicroseconds(random() * 20);
    if (random() < 0.5) controller.abort();
    const message = await wait;
    if (message === undefined) {
      aborted++;
      continue;
    }
    const number = Buffer.from(message.data).readUInt32LE();
    assert.deepEqual([number, message.type], [next, 1 + (next % 3)], `SEED=${SEED}`);
    next++;
  }
  assert.ok(aborted > 0, `SEED=${SEED}`);
  assert.equal((await perl.ended).code, 0, perl.errors());
  assert.equal(queue.tryReceive(), undefined);
});
