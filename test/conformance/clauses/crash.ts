/** One side is killed: what the other side sees, and what becomes of the messages. */
import assert from 'node:assert/strict';
import { stateOf, until } from '../../support/proc.js';
import type { Plan } from '../programs/messages.js';
import type { Summary } from '../programs/receiver.js';
import { assertAll, finish, pair, pairAt, pick, read, seeds } from '../support/pair.js';
import type { Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

interface Broken {
  rejected: { code: string };
}

/** The receiver dies while the sender is idle. */
export async function receiverKilledWhileIdle(t: Test, way: Way): Promise<void> {
  const { sender, receiver } = await pair(t, way);
  await sender.ask('send', { seed: 1, count: 3, sizes: 100 });
  assert.equal((await receiver.ask<{ length: number }>('receiveOne')).length, 100);
  const closed = sender.ask<Broken>('closed');
  await sender.ask('ping');
  await receiver.kill();
  assert.equal((await closed).rejected.code, 'EPIPE');
  for (const how of ['send', 'trySend', 'sendSync', 'sendMany']) {
    await assert.rejects(sender.ask('send', { seed: 1, count: 1, sizes: 10, how }), { code: 'EPIPE' }, how);
  }
  await assert.rejects(sender.ask('flush'), { code: 'EPIPE' });
  assert.equal(await sender.ask('ping'), 'pong', 'it lives');
  await sender.ask('close');
  assert.equal(await sender.leave(), '0');
}

/** The receiver dies while the sender waits for room, in both ways of waiting. */
export async function receiverKilledWhileFull(t: Test, way: Way): Promise<void> {
  for (const how of ['send', 'sendSync']) {
    const { sender, receiver } = await pair(t, way);
    await receiver.ask('expect', [{ seed: 1, count: 10_000, sizes: 65_536 }]);
    const sending = sender.ask('send', { seed: 1, count: 10_000, sizes: 65_536, how });
    await read(receiver, 'receive', 20);
    await until('the sender waits', () => stateOf(sender.pid) === 'S');
    await receiver.kill();
    await assert.rejects(sending, { code: 'EPIPE' }, how);
    await sender.ask('destroy');
    assert.equal(await sender.leave(), '0');
  }
}

/** The sender dies at a random moment: whole messages, then ECONNRESET. */
export async function senderKilled(t: Test, way: Way): Promise<void> {
  const seed = seeds(t);
  for (let round = 0; round < 4; round++) {
    const { sender, receiver } = await pair(t, way);
    const plan: Plan = { seed: seed(), count: 1_000_000, sizes: round % 2 === 0 ? 'mixed' : 'tagged' };
    await receiver.ask('expect', [plan]);
    const closed = receiver.ask<Broken>('closed');
    void sender.ask('send', plan).catch(() => {});
    await read(receiver, 'receive', 1 + pick(plan.seed, 300));
    const rest = read(receiver, round % 3 === 0 ? 'batches' : 'receive');
    await sender.kill();
    const { wrong, ended } = await rest;
    assert.equal(wrong, null);
    assert.equal(ended, 'ECONNRESET');
    assert.equal((await closed).rejected.code, 'ECONNRESET');
    await assert.rejects(receiver.ask('receiveOne'), { code: 'ECONNRESET' }, 'it stays so');
    await receiver.ask('close');
    assert.equal(await receiver.leave(), '0');
  }
}

/** The sender dies while the receiver waits, in both ways of waiting. */
export async function senderKilledWhileWaiting(t: Test, way: Way): Promise<void> {
  for (const verb of ['receiveOne', 'receiveOneSync']) {
    const { sender, receiver } = await pair(t, way);
    const received = receiver.ask(verb);
    await until('the receiver waits', () => stateOf(receiver.pid) === 'S');
    await sender.kill();
    await assert.rejects(received, { code: 'ECONNRESET' });
    await receiver.ask('close');
    assert.equal(await receiver.leave(), '0');
  }
}

/** The sender dies while nobody waits for a message. */
export async function senderKilledWhileIdle(t: Test, way: Way): Promise<void> {
  const { sender, receiver } = await pair(t, way);
  const closed = receiver.ask<Broken>('closed');
  await receiver.ask('ping');
  await sender.kill();
  assert.equal((await closed).rejected.code, 'ECONNRESET');
  await receiver.ask('close');
  assert.equal(await receiver.leave(), '0');
}

/** destroy() of the sender looks like a crash, after what it had published. */
export async function destroyedSender(t: Test, way: Way): Promise<void> {
  const { sender, receiver } = await pair(t, way);
  const plan: Plan = { seed: 8, count: 5, sizes: 500 };
  await receiver.ask('expect', [plan]);
  await sender.ask('send', plan);
  await sender.ask('flushAndDestroy');
  assertAll(await read(receiver), [plan], 'ECONNRESET');
  assert.deepEqual(await sender.ask('closed'), { reason: 'destroyed' });
  await receiver.ask('close');
  assert.deepEqual([await sender.leave(), await receiver.leave()], ['0', '0']);
}

/** A receiver that closes before the end is as good as dead to the sender. */
export async function closedReceiver(t: Test, way: Way): Promise<void> {
  const { sender, receiver } = await pair(t, way);
  const closed = sender.ask<Broken>('closed');
  await receiver.ask('close');
  assert.equal((await closed).rejected.code, 'EPIPE');
  await assert.rejects(sender.ask('send', { seed: 1, count: 1, sizes: 10 }), { code: 'EPIPE' });
  await sender.ask('close');
  assert.deepEqual([await sender.leave(), await receiver.leave()], ['0', '0']);
}

/** A receiver dies; the next one gets the messages, and the sender has noticed nothing. */
export async function nextReceiver(t: Test, way: Way): Promise<void> {
  const seed = seeds(t);
  const { place, sender, receiver } = await pair(t, way);
  const plan: Plan = { seed: seed(), count: 2000, sizes: 'tagged' };
  await receiver.ask('expect', [plan, { seed: 0, count: 0, sizes: 'tagged' }]);
  const sending = sender.ask<number>('send', plan);
  const first = await read(receiver, 'receive', 10 + pick(plan.seed, 200));
  await receiver.kill();
  const next = await place.start('receiver');
  await next.ask('open');
  await next.ask('expect', [plan, { seed: 0, count: 0, sizes: 'tagged' }]);
  const rest = read(next);
  assert.equal(await sending, plan.count, 'the death of a receiver is no error');
  await sender.ask('close');
  const summary = await rest;
  assert.equal(first.wrong, null);
  assert.equal(summary.wrong, null);
  assert.equal(summary.ended, 'end');
  const [, { first: from, count }] = summary.received[0] as Summary['received'][0];
  assert.equal(from + count, plan.count, 'up to the last');
  assert.equal(from, way.consumes ? first.count : 0, 'from where the dead one stopped, or from the beginning');
  await finish({ sender, receiver: next });
}

/** Senders die in the middle; no part of a message is seen, and what the next one sends follows. */
export async function nextSender(t: Test, way: Way): Promise<void> {
  const seed = seeds(t);
  const place = way.place(t);
  const receiver = await place.start('receiver');
  await receiver.ask('open');
  const plans: Plan[] = Array.from({ length: 6 }, () => ({ seed: seed(), count: 1_000_000, sizes: 'tagged' }));
  await receiver.ask('expect', plans);
  for (const plan of plans.slice(0, -1)) {
    const sender = await place.start('sender');
    await sender.ask('open');
    void sender.ask('send', plan).catch(() => {});
    const { wrong } = await read(receiver, 'receive', 20 + pick(plan.seed, 200));
    assert.equal(wrong, null);
    await sender.kill();
  }
  const last = { ...(plans.at(-1) as Plan), count: 200 };
  const sender = await place.start('sender');
  await sender.ask('open');
  const rest = read(receiver);
  assert.equal(await sender.ask('send', last), last.count);
  await sender.ask('close');
  const { wrong, ended, received } = await rest;
  assert.equal(wrong, null);
  assert.equal(ended, 'end');
  assert.deepEqual(received.at(-1), [last.seed, { first: 0, count: last.count }]);
  for (const [, { first }] of received) assert.equal(first, 0);
  await finish({ sender, receiver });
}

/** Stopped is not dead. */
export async function stopped(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const { sender, receiver } = both;
  const plan: Plan = { seed: 12, count: 400, sizes: 8000 };
  await receiver.ask('expect', [plan]);
  receiver.signal('SIGSTOP');
  await until('the receiver is stopped', () => stateOf(receiver.pid) === 'T');
  const sending = sender.ask<number>('send', plan);
  await sender.ask('ping');
  await until('the sender sleeps', () => stateOf(sender.pid) === 'S');
  receiver.signal('SIGCONT');
  const arrived = read(receiver, 'batches', plan.count);
  assert.equal(await sending, plan.count);
  assertAll(await arrived, [plan], 'most');
  sender.signal('SIGSTOP');
  await until('the sender is stopped', () => stateOf(sender.pid) === 'T');
  await assert.rejects(receiver.ask('receiveOne', { timeoutMs: 300 }), { code: 'ETIMEDOUT' });
  await assert.rejects(receiver.ask('receiveOneSync', { timeoutMs: 200 }), { code: 'ETIMEDOUT' });
  sender.signal('SIGCONT');
  assert.equal(await sender.ask('send', { ...plan, from: 400, count: 1 }), 1);
  assert.equal((await receiver.ask<{ length: number }>('receiveOne')).length, 8000);
  await finish(both);
}

/** What crashes leave behind does not stand in the way. */
export async function leftBehind(t: Test, way: Way): Promise<void> {
  const seed = seeds(t);
  const place = way.place(t);
  const plans: Plan[] = [];
  const crash = async (...programs: ('sender' | 'receiver')[]): Promise<void> => {
    const peers = await Promise.all(programs.map((program) => place.start(program)));
    const opened = peers.map((peer) => peer.ask('open'));
    const opens = programs.length > 1 || !(programs[0] === 'sender' ? way.senderWaits : way.waits);
    if (opens) await Promise.all(opened);
    for (const peer of peers) await peer.ask('ping');
    for (const peer of peers) await until('it waits', () => stateOf(peer.pid) === 'S');
    const sender = peers[programs.indexOf('sender')];
    if (sender !== undefined && opens) {
      // Nobody takes them: together they fit into an empty queue, pipe, socket or ring, each in two pieces of a queue.
      const plan: Plan = { seed: seed(), count: way.fits, sizes: 9000 };
      plans.push(plan);
      await sender.ask('send', plan);
      await sender.ask('flush');
    }
    await Promise.all(peers.map((peer) => peer.kill()));
  };
  for (const programs of [['sender'], ['receiver'], ['sender', 'receiver'], ['receiver']] as const) {
    await crash(...programs);
    const both = await pairAt(place, { sender: { timeoutMs: 10_000 }, receiver: { timeoutMs: 10_000 } });
    const plan: Plan = { seed: seed(), count: 100, sizes: 'tagged' };
    plans.push(plan);
    await both.receiver.ask('expect', [...plans, { seed: 0, count: 0, sizes: 'tagged' }]);
    const arrived = read(both.receiver);
    await both.sender.ask('send', plan);
    await both.sender.ask('close');
    const { wrong, ended, received } = await arrived;
    assert.equal(wrong, null);
    assert.equal(ended, 'end');
    const mine = received.find(([from]) => from === plan.seed);
    assert.deepEqual(mine?.[1], { first: 0, count: 100 });
    if (way.waits) assert.equal(received.length, 1, 'nothing of those who crashed');
    await finish(both);
  }
  if (way.waits) assert.deepEqual(place.remains(), []);
}
