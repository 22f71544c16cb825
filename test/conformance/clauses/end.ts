/** How a channel ends when both sides wish it to, and what is left then. */
import assert from 'node:assert/strict';
import { until, stateOf } from '../../support/proc.js';
import { assertAll, finish, pair, pairAt, read, seeds } from '../support/pair.js';
import type { Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

const EPOLL = ['S'];

/** null after the last message, in every form, for ever. */
export async function afterTheLast(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const plan = { seed: seeds(t)(), count: 20, sizes: 'mixed' as const };
  const closed = both.receiver.ask('closed');
  await both.receiver.ask('expect', [plan]);
  const arrived = read(both.receiver);
  await both.sender.ask('send', plan);
  await both.sender.ask('close');
  assertAll(await arrived, [plan], 'end');
  assert.deepEqual(await both.receiver.ask('afterTheEnd'), [null, null, null, null, null, null, null, true, null]);
  assert.deepEqual(await closed, { reason: 'end' });
  assert.deepEqual(await both.sender.ask('closed'), { reason: 'closed' });
  await finish(both);
}

/** A channel without a message. */
export async function nothingButTheEnd(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const first = both.receiver.ask('receiveOne');
  await both.sender.ask('close');
  assert.equal(await first, null);
  await finish(both);
}

/** close() sends what was not awaited. */
export async function closeFlushes(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const plan = { seed: seeds(t)(), count: 300, sizes: 2000 };
  await both.receiver.ask('expect', [plan]);
  const ends = both.sender.ask('sendUnawaitedAndClose', plan);
  assertAll(await read(both.receiver), [plan], 'end');
  assert.deepEqual(await ends, ['sent']);
  await finish(both);
}

/** Both orders of arrival. */
export async function eitherFirst(t: Test, way: Way): Promise<void> {
  const seed = seeds(t);
  for (const [first, second] of [
    ['sender', 'receiver'],
    ['receiver', 'sender'],
  ] as const) {
    const place = way.place(t);
    const early = await place.start(first);
    const opened = early.ask('open');
    await early.ask('ping');
    await until('the first waits for the second', () => EPOLL.includes(stateOf(early.pid)));
    const late = await place.start(second);
    await Promise.all([opened, late.ask('open')]);
    const [sender, receiver] = first === 'sender' ? [early, late] : [late, early];
    const plan = { seed: seed(), count: 50, sizes: 'mixed' as const };
    await receiver.ask('expect', [plan]);
    const arrived = read(receiver);
    await sender.ask('send', plan);
    await sender.ask('close');
    assertAll(await arrived, [plan], 'end');
    await finish({ sender, receiver });
  }
}

/** The sender has come and gone before anybody receives. */
export async function kept(t: Test, way: Way): Promise<void> {
  const place = way.place(t);
  const plan = { seed: seeds(t)(), count: 8, sizes: 1000 };
  const sender = await place.start('sender');
  await sender.ask('open');
  await sender.ask('send', plan);
  await sender.ask('close');
  assert.equal(await sender.leave(), '0');
  const receiver = await place.start('receiver');
  await receiver.ask('open');
  await receiver.ask('expect', [plan]);
  assertAll(await read(receiver), [plan], 'end');
  await receiver.ask('close');
  assert.equal(await receiver.leave(), '0');
}

/** After `temporary: true` nothing has the name, and descriptors are as before. */
export async function nothingLeft(t: Test, way: Way): Promise<void> {
  for (const [maker, other] of [
    ['sender', 'receiver'],
    ['receiver', 'sender'],
  ] as const) {
    const place = way.place(t);
    const early = await place.start(maker);
    const late = await place.start(other);
    const [sender, receiver] = maker === 'sender' ? [early, late] : [late, early];
    const counts: number[][] = [];
    // The event loop's poller stays once it is there, so the first round is not compared.
    for (let round = 0; round < (way.named ? 3 : 1); round++) {
      const opened = early.ask('open', { temporary: true });
      await early.ask('ping');
      await Promise.all([opened, late.ask('open', { temporary: true })]);
      const plan = { seed: round, count: 20, sizes: 'mixed' as const };
      await receiver.ask('expect', [plan]);
      const arrived = read(receiver);
      await sender.ask('send', plan);
      await sender.ask('close');
      assertAll(await arrived, [plan], 'end');
      await receiver.ask('close');
      assert.deepEqual(place.remains(), []);
      counts.push([await sender.ask<number>('descriptors'), await receiver.ask<number>('descriptors')]);
    }
    assert.deepEqual(counts.at(-1), counts[way.named ? 1 : 0], 'no descriptor stays open');
    assert.deepEqual([await early.leave(), await late.leave()], ['0', '0']);
  }
}

/** What destroy() gives back is given back when it returns: the address can be used at once. */
export async function atOnce(t: Test, way: Way): Promise<void> {
  const place = way.place(t);
  const program = await place.start('both');
  await program.ask('open', { temporary: true });
  await program.ask('reopen', { rounds: 20, options: { temporary: true } });
  await program.ask('close');
  assert.equal(await program.leave(), '0');
  if (!way.waits) return;
  assert.deepEqual(place.remains(), []);
  // The receiver is killed, and the sender is back before anybody can have cleaned up.
  const first = await pairAt(place);
  const gone = first.sender.ask('closed');
  await first.receiver.kill();
  await gone;
  const reopened = first.sender.ask('reopen');
  const receiver = await place.start('receiver');
  await Promise.all([reopened, receiver.ask('open')]);
  await finish({ sender: first.sender, receiver });
  assert.deepEqual(place.remains(), []);
}

/** A sender that is gone makes room for the next one: that waits for the receiver to begin anew. */
export async function besideTheBereft(t: Test, way: Way): Promise<void> {
  for (const first of ['sender', 'receiver'] as const) {
    const place = way.place(t);
    const early = await place.start(first);
    const opened = early.ask('open');
    await early.ask('ping');
    await until('the first waits for the second', () => EPOLL.includes(stateOf(early.pid)));
    const late = await place.start(first === 'sender' ? 'receiver' : 'sender');
    await Promise.all([opened, late.ask('open')]);
    const [sender, receiver] = first === 'sender' ? [early, late] : [late, early];
    const reopened = sender.ask('reopen');
    await sender.ask('ping');
    await assert.rejects(receiver.ask('receiveOne'), { code: 'ECONNRESET' });
    await receiver.ask('close');
    await Promise.all([reopened, receiver.ask('open')]);
    await finish({ sender, receiver });
  }
}

/** One address serves one pair after the other. */
export async function again(t: Test, way: Way): Promise<void> {
  const place = way.place(t);
  const seed = seeds(t);
  for (let round = 0; round < 3; round++) {
    const plan = { seed: seed(), count: 10, sizes: 'tagged' as const };
    const both = await pairAt(place, { sender: { temporary: true }, receiver: { temporary: true } });
    await both.receiver.ask('expect', [plan]);
    const arrived = read(both.receiver);
    await both.sender.ask('send', plan);
    await both.sender.ask('close');
    assertAll(await arrived, [plan], 'end');
    await finish(both);
  }
  assert.deepEqual(place.remains(), []);
}
