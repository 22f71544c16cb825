/** Waits at an end of a channel while something else happens to it: none is forgotten. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatRing, joinRing, ringBytes } from '../../src/channel/ring/memory.js';
import { CONSUMER_ASLEEP } from '../../src/channel/ring/layout.js';
import { ringProducer } from '../../src/channel/ring/producer.js';
import { RingSink } from '../../src/channel/ring/sink.js';
import { Sender } from '../../src/channel/sender.js';
import { anonymous } from '../../src/mmap/index.js';
import { receiver as openReceiver, sender as openSender } from '../../src/channel/index.js';
import { randomName, temporaryFolder } from '../support/folder.js';

/** A wait that was forgotten fails its test, instead of keeping the process for ever. */
const LIMIT = { timeout: 20_000 };

for (const scheme of ['fifo:', 'unix:', 'shm:', 'posixshm:']) {
  test(`a close over ${scheme} that waits for room ends with EPIPE when the receiver goes away`, LIMIT, async (t) => {
    const name = randomName('gone');
    const rest = { 'fifo:': join(temporaryFolder(t), 'f'), 'unix:': `@${name}`, 'posixshm:': `/${name}` }[scheme];
    const url = `${scheme}${rest ?? name}`;
    const [sender, receiver] = await Promise.all([openSender(url, { highWaterMark: 1 << 24 }), openReceiver(url)]);
    const gone = { code: 'EPIPE' };
    const sends = Array.from({ length: 8 }, () => sender.send(new Uint8Array(1 << 20)));
    const closing = sender.close();
    const failed = [...sends.slice(-1), closing].map((wait) => assert.rejects(wait, gone));
    for (const send of sends) send.catch(() => undefined);
    receiver.destroy();
    await Promise.all(failed);
    await assert.rejects(sender.closed, gone);
  });
}

test('a visit that aborts its own drain leaves the waits behind it in their places', async () => {
  const url = `shm:${randomName('visit')}`;
  const [sender, receiver] = await Promise.all([openSender(url), openReceiver(url)]);
  const abort = new AbortController();
  const drain = receiver.drain(() => abort.abort(), { signal: abort.signal });
  const next = receiver.receive({ timeoutMs: LIMIT.timeout });
  await sender.send(Buffer.from('visited'));
  await assert.rejects(drain, { code: 'ABORT_ERR' });
  await sender.send(Buffer.from('received'));
  await sender.close();
  assert.equal(String(await next), 'received');
  await receiver.close();
});

test('a receiver that falls asleep while claimed room is committed is woken at the end of the turn', async () => {
  const capacity = 1 << 16;
  using memory = anonymous(ringBytes(capacity));
  formatRing(memory, capacity);
  joinRing(memory, 'sender');
  let rings = 0;
  const wakeup = {
    ringPeer: () => rings++,
    listen: () => () => undefined,
    block: () => undefined,
    close: () => undefined,
  };
  const link = {
    wakeup,
    cuttable: undefined,
    peerAlive: () => true,
    whenPeerGone: () => undefined,
    release: () => undefined,
  };
  const sink = new RingSink(ringProducer(memory.buffer, capacity), link, 'shm:claimed', 0);
  const traits = { connected: true, retains: false, bounded: true, multiSender: false };
  const sender = new Sender('shm:claimed', traits, sink);
  assert.ok(sender.claim(4096));
  sender.commit();
  // It has looked before the processor that committed showed its store, and says that it sleeps.
  Atomics.store(memory.int32, CONSUMER_ASLEEP, 1);
  await new Promise(setImmediate);
  assert.equal(rings, 1);
  sender.destroy();
});
