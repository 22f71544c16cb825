/** What arrives is what was sent. */
import assert from 'node:assert/strict';
import type { How as Receive } from '../programs/receiver.js';
import type { How as Send } from '../programs/sender.js';
import type { Plan } from '../programs/messages.js';
import { assertAll, finish, pair, read, seeds } from '../support/pair.js';
import type { Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

/** Sends a plan to its end in one form while it is received in another. */
async function carry(t: Test, way: Way, plan: Plan, send: Send, receive: Receive): Promise<void> {
  const both = await pair(t, way, { sender: { temporary: true }, receiver: { temporary: true } });
  await both.receiver.ask('expect', [plan]);
  const arrived = read(both.receiver, receive);
  assert.equal(await both.sender.ask('send', { ...plan, how: send }), plan.count);
  await both.sender.ask('close');
  assertAll(await arrived, [plan], 'end');
  await finish(both);
}

/** Order, boundaries, bytes. */
export async function orderAndBoundaries(t: Test, way: Way): Promise<void> {
  await carry(t, way, { seed: seeds(t)(), count: 1500, sizes: 'mixed' }, 'send', 'receive');
}

/** 100,000 small messages. */
export async function manySmall(t: Test, way: Way): Promise<void> {
  await carry(t, way, { seed: seeds(t)(), count: 100_000, sizes: 64 }, 'send', 'batches');
}

/** Every form of sending and of receiving, one after the other over one channel. */
export async function everyForm(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const forms: [Send, Receive][] = [
    ['sendMany', 'tryReceive'],
    ['flushEach', 'receiveMany'],
    ['sendSync', 'tryReceiveMany'],
    ['trySend', 'messages'],
    ['sendMany', 'drain'],
    ['flushEach', 'tryDrain'],
    ['sendSync', 'messages'],
    ['sendMany', 'batches'],
    ['send', 'receiveSync'],
  ];
  const plan: Plan = { seed: seeds(t)(), count: 200 * forms.length, sizes: 'tagged' };
  await both.receiver.ask('expect', [plan]);
  for (const [index, [send, receive]] of forms.entries()) {
    const part: Plan = { ...plan, from: 200 * index, count: 200, sizes: 'tagged' };
    const arrived = read(both.receiver, receive, 200);
    assert.equal(await both.sender.ask('send', { ...part, how: send }), 200);
    assertAll(await arrived, [{ ...plan, count: 200 * (index + 1) }], 'most');
  }
  await both.sender.ask('close');
  assertAll(await read(both.receiver), [plan], 'end');
  await finish(both);
}

/** Blocking both threads. */
export async function synchronously(t: Test, way: Way): Promise<void> {
  await carry(t, way, { seed: seeds(t)(), count: 400, sizes: 'mixed' }, 'sendSync', 'receiveSync');
}

/** An empty message is a message. */
export async function empty(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  assert.equal(await both.sender.ask('send', { seed: 1, count: 2, sizes: 0 }), 2);
  for (let index = 0; index < 2; index++) {
    assert.equal((await both.receiver.ask<{ length: number }>('receiveOne')).length, 0);
  }
  await both.sender.ask('close');
  assert.equal(await both.receiver.ask('receiveOne'), null);
  await finish(both);
}

/** 64 MiB, and no byte more. */
export async function longest(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const arrived = both.receiver.ask<{ length: number; digest: string }>('receiveOne');
  const digest = await both.sender.ask<string>('sendLongest');
  assert.deepEqual(await arrived, { length: 64 * 1024 * 1024, digest });
  for (const refusal of await both.sender.ask<{ name: string; code: string }[]>('sendTooLong')) {
    assert.equal(refusal.name, 'RangeError');
    assert.equal(refusal.code, 'ERR_INTERPROC_RANGE');
  }
  assert.equal(
    await both.sender.ask('send', { seed: 3, count: 1, sizes: 3 }),
    1,
    'the channel goes on after a refusal',
  );
  assert.equal((await both.receiver.ask<{ length: number }>('receiveOne')).length, 3);
  await finish(both);
}
