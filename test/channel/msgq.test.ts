/** Channels over System V queues: their addresses, their types, and that a temporary queue is gone after its last user. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as channel from '../../src/channel/index.js';
import { LOCK_EX, LOCK_NB, LOCK_UN, native } from '../../src/sys/index.js';
import { ftok, messageQueue } from '../../src/sysv/index.js';
import { bytes, freeKey, newQueue, text } from '../sysv/support.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';

const TEMPORARY = { temporary: true };
const SOON = { timeoutMs: 10_000 };
const said = (message: Uint8Array | null): string | null => message && text(message);
const urlOf = (key: number, options = ''): string => `msgq:0x${key.toString(16)}${options}`;

/** Whether a queue has the key. */
function exists(key: number): boolean {
  try {
    messageQueue.open(key).close();
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
async function endedTransfer(t: TestContext): Promise<{ key: number; url: string; close(): Promise<void> }> {
  const key = freeKey(t);
  const url = urlOf(key);
  const out = await sender(t, url, TEMPORARY);
  const into = await receiver(t, url, TEMPORARY);
  await out.send(bytes('first'));
  await out.close();
  assert.equal(said(await into.receive(SOON)), 'first');
  assert.equal(await into.receive(SOON), null);
  return { key, url, close: () => into.close() };
}

/** Sends and receives over ends that are open, and closes them. */
async function transfer(out: channel.Sender, into: channel.Receiver): Promise<void> {
  await out.send(bytes('next'));
  assert.equal(said(await into.receive(SOON)), 'next');
  await out.close();
  assert.equal(await into.receive(SOON), null);
  await into.close();
}

test('a key may be written in either way, and a path stands for what ftok makes of it', async (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, '');
  const key = freeKey(t);
  await transfer(await sender(t, `msgq:${key}`), await receiver(t, urlOf(key)));
  for (const [options, id] of [
    ['', 1],
    ['?id=200', 200],
  ] as const) {
    const out = await sender(t, `msgq:${path}${options}`, TEMPORARY);
    assert.ok(exists(ftok(path, id)));
    await transfer(out, await receiver(t, urlOf(ftok(path, id)), TEMPORARY));
    assert.ok(!exists(ftok(path, id)));
  }
});

test('an address that cannot be meant is refused by what is wrong with it', async () => {
  for (const rest of ['', '0', '0x0', '0x123456789', '4294967296', 'name', '-5']) {
    await assert.rejects(channel.sender(`msgq:${rest}`), {
      name: 'TypeError',
      code: 'ERR_INTERPROC_URL',
      message: /by its key, 1 to 0xffffffff, or by a path/,
    });
  }
  await assert.rejects(channel.sender('msgq:0x12?id=3'), { code: 'ERR_INTERPROC_URL', message: /id goes with a path/ });
  await assert.rejects(channel.sender('msgq:/x?id=256'), { code: 'ERR_INTERPROC_RANGE' });
  await assert.rejects(channel.sender('msgq:0x12?type=0'), { code: 'ERR_INTERPROC_RANGE' });
  await assert.rejects(channel.sender('msgq:0x12?max=3'), { code: 'ERR_INTERPROC_URL', message: /known are id, type/ });
  await assert.rejects(channel.sender('msgq:/no/such/file'), { code: 'ENOENT', syscall: 'ftok' });
});

test('channels of different types share a queue, and a receiver without a type takes all of it', async (t) => {
  const key = freeKey(t);
  const [three, seven] = [await sender(t, urlOf(key, '?type=3')), await sender(t, urlOf(key, '?type=7'))];
  const long = new Uint8Array(20_000).fill(7);
  const got = (async () => {
    const into = await receiver(t, urlOf(key, '?type=7'));
    return [await into.receive(SOON), await into.receive(SOON), await into.receive(SOON)];
  })();
  await three.send(bytes('of three'));
  await seven.send(bytes('of seven'));
  await seven.send(long);
  await seven.close();
  assert.deepEqual(await got, [Buffer.from('of seven'), Buffer.from(long), null]);
  const any = await receiver(t, urlOf(key), { senders: 2 });
  assert.equal(said(await any.receive(SOON)), 'of three');
  const one = await sender(t, urlOf(key));
  await one.send(bytes('of one'));
  assert.equal(said(await any.receive(SOON)), 'of one');
  await one.close();
  await three.close();
  assert.equal(await any.receive(SOON), null);
});

test('raw messages are the messages of the queue, with their type, empty ones too, and none is split', async (t) => {
  const queue = newQueue(t);
  const out = await sender(t, urlOf(queue.key, '?raw&type=9'));
  await out.send(bytes('as it is'));
  await out.flush();
  assert.deepEqual(queue.tryReceive(), { type: 9, data: bytes('as it is') });
  await assert.rejects(out.send(new Uint8Array(8193)), { code: 'EMSGSIZE', message: /\?raw does not split/ });
  const into = await receiver(t, urlOf(queue.key, '?raw'));
  const waiting = into.receive(SOON);
  queue.trySend(5, bytes(''));
  assert.equal(said(await waiting), '');
  const late = assert.rejects(into.receive({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  await late;
  queue.trySend(2n ** 60n, bytes('x'));
  assert.equal(said(await into.receive(SOON)), 'x');
});

test('what is not in the form of a channel is EBADMSG', async (t) => {
  const queue = newQueue(t);
  queue.trySend(1, Uint8Array.of(77));
  const into = await receiver(t, urlOf(queue.key));
  await assert.rejects(into.receive(), { code: 'EBADMSG', syscall: 'msgrcv', hint: /\?raw/ });
});

test('a queue is as large as bytes says, and one that is too small cannot carry a channel', async (t) => {
  const key = freeKey(t);
  const out = await sender(t, urlOf(key, '?bytes=100'));
  assert.equal(messageQueue.open(key).stat().maxBytes, 100);
  const into = await receiver(t, urlOf(key));
  const long = new Uint8Array(1000).fill(3);
  const sending = out.send(long);
  assert.deepEqual(await into.receive(SOON), Buffer.from(long));
  await sending;
  const small = newQueue(t, { maxBytes: 24 });
  await assert.rejects(channel.sender(urlOf(small.key)), { code: 'EMSGSIZE', message: /which needs 25/ });
});

test('a sender blocks its thread for room, also when what it sent before is still on its way', async (t) => {
  const key = freeKey(t);
  const out = await sender(t, urlOf(key, '?bytes=64'));
  const into = await receiver(t, urlOf(key));
  await out.send(new Uint8Array(60));
  await out.send(new Uint8Array(60)); // taken, and not in the queue yet
  assert.throws(() => out.sendSync(new Uint8Array(60), { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  assert.equal(out.trySend(new Uint8Array(60)), false);
  assert.equal(into.receiveSync()?.length, 60);
  out.sendSync(new Uint8Array(50), { timeoutMs: 10_000 });
  assert.deepEqual([into.receiveSync()?.length, into.receiveSync()?.length], [60, 50]);
});

test('who may only send to a queue of somebody else, or only receive, does so', async (t) => {
  const [into, from] = [newQueue(t, { mode: 0o622 }), newQueue(t, { mode: 0o644 })];
  from.trySend(1, bytes('\0for all'));
  const outcomes = await attempt(t, { asNobody: true }, [
    ['channel.sender', urlOf(into.key)],
    ['$0.send', { bytes: 3 }],
    ['$0.flush'],
    ['channel.receiver', urlOf(from.key)],
    ['$3.receive'],
    ['channel.receiver', urlOf(into.key)],
    ['channel.sender', urlOf(from.key)],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    [undefined, undefined, undefined, undefined, undefined, 'EACCES', 'EACCES'],
  );
  assert.equal(outcomes[4]?.value, 'for all');
  assert.equal(into.stat().messages, 1);
});

test('a queue that is removed under its ends is EIDRM for both', async (t) => {
  const key = freeKey(t);
  const [out, into] = [await sender(t, urlOf(key, '?bytes=64')), await receiver(t, urlOf(key))];
  const waiting = assert.rejects(into.receive(), { code: 'EIDRM' });
  messageQueue.remove(key);
  await waiting;
  await assert.rejects(out.send(bytes('x')), { code: 'EIDRM' });
  const full = await sender(t, urlOf(key, '?bytes=64'));
  await full.send(new Uint8Array(60));
  await full.send(new Uint8Array(60));
  const flushing = assert.rejects(full.flush(), { code: 'EIDRM' });
  messageQueue.remove(key);
  await flushing;
});

test('a sender that comes before the last receiver has closed is found by the next receiver', async (t) => {
  const before = await endedTransfer(t);
  const out = await sender(t, before.url, TEMPORARY);
  await before.close();
  await transfer(out, await receiver(t, before.url, TEMPORARY));
  assert.ok(!exists(before.key), 'the last one removes it, whoever made it');
});

test('a receiver that comes before the last one has closed is found by the next sender', async (t) => {
  const before = await endedTransfer(t);
  const into = await receiver(t, before.url, TEMPORARY);
  await before.close();
  await transfer(await sender(t, before.url, TEMPORARY), into);
  assert.ok(!exists(before.key));
});

test('what was sent before the last receiver closes waits for the next one', async (t) => {
  const before = await endedTransfer(t);
  const out = await sender(t, before.url, TEMPORARY);
  await out.send(bytes('next'));
  await out.close();
  await before.close();
  const into = await receiver(t, before.url, TEMPORARY);
  assert.equal(said(await into.receive(SOON)), 'next');
  assert.equal(await into.receive(SOON), null);
  await into.close();
  assert.ok(!exists(before.key));
});

test('a sender that was destroyed, and a receiver that has read the end, do not keep a queue', async (t) => {
  const before = await endedTransfer(t);
  const out = await sender(t, before.url, TEMPORARY);
  const into = await receiver(t, before.url, TEMPORARY);
  out.destroy();
  into.destroy();
  await before.close();
  assert.ok(!exists(before.key));
});

test('a receiver that closes late leaves the queue of a later transfer alone', async (t) => {
  const before = await endedTransfer(t);
  await transfer(await sender(t, before.url, TEMPORARY), await receiver(t, before.url, TEMPORARY));
  assert.ok(!exists(before.key), 'who has read the end does not use it');
  const out = await sender(t, before.url);
  await before.close();
  assert.ok(exists(before.key));
  await out.close();
});

test('a queue that somebody else made stays, though both ends are temporary', async (t) => {
  const { key } = newQueue(t);
  await transfer(await sender(t, urlOf(key), TEMPORARY), await receiver(t, urlOf(key), TEMPORARY));
  assert.ok(exists(key));
});

test('a temporary queue that a crash left is removed by the next temporary pair', async (t) => {
  const key = freeKey(t);
  // A process that is killed gives back no more than this.
  (await sender(t, urlOf(key), TEMPORARY)).destroy();
  await transfer(await sender(t, urlOf(key), TEMPORARY), await receiver(t, urlOf(key)));
  assert.ok(!exists(key));
});

test('an end that comes while queues are being removed waits; that can be aborted, and leaves nothing open', async (t) => {
  const key = freeKey(t);
  const removing = native().open('/proc/sysvipc/msg', 0, 0);
  t.after(() => native().close(removing));
  openPoller();
  const before = countDescriptors();
  // Whatever ends elsewhere on this machine takes it for a moment.
  await until('it is ours', () => native().flock(removing, LOCK_EX | LOCK_NB) === 0);
  const controller = new AbortController();
  const aborted = sender(t, urlOf(key), { signal: controller.signal });
  await assert.rejects(receiver(t, urlOf(key), { timeoutMs: 10 }), { code: 'ETIMEDOUT' });
  controller.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  assert.equal(countDescriptors(), before);
  const opening = sender(t, urlOf(key), SOON);
  assert.equal(native().flock(removing, LOCK_UN), 0);
  await opening;
  assert.ok(exists(key));
});
