/** Who uses a queue keeps its name, and a temporary one is gone after its last user: the steps of two transfers in every order. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as channel from '../../src/channel/index.js';
import { LOCK_EX, LOCK_NB, LOCK_UN, native } from '../../src/sys/index.js';
import * as mq from '../../src/mq/index.js';
import { queueName } from '../mq/support.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';

const TEMPORARY = { temporary: true };
const SOON = { timeoutMs: 10_000 };
const text = (message: Uint8Array | null): string | null => message && Buffer.from(message).toString();

/** Whether a queue has the name. */
function exists(name: string): boolean {
  try {
    mq.open(name).close();
    return true;
  } catch (why) {
    assert.equal((why as { code: string }).code, 'ENOENT');
    return false;
  }
}

/** Opens an end that is gone when the test is over, however it ends. */
async function opened<End extends { destroy(): void }>(t: TestContext, opening: Promise<End>): Promise<End> {
  const end = await opening;
  t.after(() => end.destroy());
  return end;
}

const sender = (t: TestContext, url: string, options?: channel.OpenSender): Promise<channel.Sender> =>
  opened(t, channel.sender(url, options));
const receiver = (t: TestContext, url: string, options?: channel.OpenReceiver): Promise<channel.Receiver> =>
  opened(t, channel.receiver(url, options));

/** A first transfer, up to where its receiver has read the end and has not closed yet. */
async function endedTransfer(t: TestContext): Promise<{ name: string; url: string; close(): Promise<void> }> {
  const name = queueName(t);
  const url = `mq:${name}`;
  const out = await sender(t, url, TEMPORARY);
  const into = await receiver(t, url, TEMPORARY);
  await out.send(Buffer.from('first'));
  await out.close();
  assert.equal(text(await into.receive(SOON)), 'first');
  assert.equal(await into.receive(SOON), null);
  return { name, url, close: () => into.close() };
}

/** Sends and receives over ends that are open, and closes them. */
async function transfer(out: channel.Sender, into: channel.Receiver): Promise<void> {
  await out.send(Buffer.from('next'));
  assert.equal(text(await into.receive(SOON)), 'next');
  await out.close();
  assert.equal(await into.receive(SOON), null);
  await into.close();
}

test('a sender that comes before the last receiver has closed is found by the next receiver', async (t) => {
  const before = await endedTransfer(t);
  const out = await sender(t, before.url, TEMPORARY);
  await before.close();
  const into = await receiver(t, before.url, TEMPORARY);
  await transfer(out, into);
  assert.ok(!exists(before.name), 'the last one removes it, whoever made it');
});

test('a receiver that comes before the last one has closed is found by the next sender', async (t) => {
  const before = await endedTransfer(t);
  const into = await receiver(t, before.url, TEMPORARY);
  await before.close();
  const out = await sender(t, before.url, TEMPORARY);
  await transfer(out, into);
  assert.ok(!exists(before.name));
});

test('what was sent before the last receiver closes waits for the next one', async (t) => {
  const before = await endedTransfer(t);
  const out = await sender(t, before.url, TEMPORARY);
  await out.send(Buffer.from('next'));
  await out.close();
  await before.close();
  const into = await receiver(t, before.url, TEMPORARY);
  assert.equal(text(await into.receive(SOON)), 'next');
  assert.equal(await into.receive(SOON), null);
  await into.close();
  assert.ok(!exists(before.name));
});

test('a second sender of a receiver that waits for one keeps its queue', async (t) => {
  const name = queueName(t);
  const url = `mq:${name}`;
  const [first, second] = [await sender(t, url, TEMPORARY), await sender(t, url, TEMPORARY)];
  const into = await receiver(t, url, TEMPORARY);
  await first.close();
  assert.equal(await into.receive(SOON), null);
  await into.close();
  await transfer(second, await receiver(t, url, TEMPORARY));
  assert.ok(!exists(name));
});

test('a sender that was destroyed, and a receiver that has read the end, do not keep a queue', async (t) => {
  const before = await endedTransfer(t);
  const out = await sender(t, before.url, TEMPORARY);
  const into = await receiver(t, before.url, TEMPORARY);
  out.destroy();
  into.destroy();
  await before.close();
  assert.ok(!exists(before.name));
});

test('a receiver that closes late leaves the queue of a later transfer alone', async (t) => {
  const before = await endedTransfer(t);
  await transfer(await sender(t, before.url, TEMPORARY), await receiver(t, before.url, TEMPORARY));
  assert.ok(!exists(before.name), 'who has read the end does not use it');
  const out = await sender(t, before.url);
  await before.close();
  assert.ok(exists(before.name));
  await out.close();
});

test('a queue that somebody else made stays, though both ends are temporary', async (t) => {
  const name = queueName(t);
  using _made = mq.create(name);
  const url = `mq:${name}`;
  await transfer(await sender(t, url, TEMPORARY), await receiver(t, url, TEMPORARY));
  assert.ok(exists(name));
});

test('a temporary queue that a crash left is removed by the next temporary pair', async (t) => {
  const name = queueName(t);
  const url = `mq:${name}`;
  // A process that is killed gives back no more than this.
  (await sender(t, url, TEMPORARY)).destroy();
  await transfer(await sender(t, url, TEMPORARY), await receiver(t, url));
  assert.ok(!exists(name));
});

test('an end that comes while a queue is being removed waits, and makes a new one', async (t) => {
  for (const open of [sender, receiver]) {
    const name = queueName(t);
    using removing = mq.create(name);
    assert.equal(native().flock(removing.fd, LOCK_EX | LOCK_NB), 0);
    const opening = open(t, `mq:${name}`, SOON);
    await assert.rejects(
      open(t, `mq:${name}`, { timeoutMs: 10 }),
      { code: 'ETIMEDOUT' },
      'somebody is about to remove it',
    );
    mq.unlink(name);
    assert.equal(native().flock(removing.fd, LOCK_UN), 0);
    const end = await opening;
    assert.ok(exists(name), 'it has a queue that others find');
    end.destroy();
  }
});

test('the wait for a queue that is being removed can be aborted, and leaves nothing open', async (t) => {
  const name = queueName(t);
  using removing = mq.create(name);
  assert.equal(native().flock(removing.fd, LOCK_EX | LOCK_NB), 0);
  openPoller();
  const before = countDescriptors();
  const controller = new AbortController();
  const opening = sender(t, `mq:${name}`, { signal: controller.signal });
  await assert.rejects(sender(t, `mq:${name}`, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  controller.abort();
  await assert.rejects(opening, { name: 'AbortError' });
  assert.equal(countDescriptors(), before);
});

test('what a sender with ?priority sends, long messages too, comes before what others have left waiting', async (t) => {
  const name = queueName(t);
  const long = Buffer.alloc(20_000, 'u');
  const calm = await sender(t, `mq:${name}`);
  for (const word of ['calm 1', 'calm 2']) await calm.send(Buffer.from(word));
  await calm.flush();
  const urgent = await sender(t, `mq:${name}?priority=32767`);
  for (const message of [Buffer.from('urgent'), long]) await urgent.send(message);
  await Promise.all([calm.close(), urgent.close()]);
  const into = await receiver(t, `mq:${name}`, { senders: 2, ...TEMPORARY });
  const got: unknown[] = [];
  for await (const message of into) got.push(message.length > 100 ? message.length : text(message));
  assert.deepEqual(got, ['urgent', long.length, 'calm 1', 'calm 2']);
});

test('a priority that no queue has is refused before the queue is made', async (t) => {
  const name = queueName(t);
  for (const priority of ['32768', '-1', 'high', '']) {
    await assert.rejects(channel.sender(`mq:${name}?priority=${priority}`), {
      code: 'ERR_INTERPROC_RANGE',
      message: /priority is a whole number from 0 to 32767/,
    });
  }
  assert.ok(!exists(name));
});
