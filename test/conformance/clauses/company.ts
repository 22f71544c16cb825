/** More than two at one address, and threads. */
import assert from 'node:assert/strict';
import type { Plan } from '../programs/messages.js';
import type { Summary } from '../programs/receiver.js';
import { assertAll, finish, pair, read, seeds } from '../support/pair.js';
import type { Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

/** Eight senders and one receiver. */
export async function eightSenders(t: Test, way: Way): Promise<void> {
  const seed = seeds(t);
  const place = way.place(t);
  const plans: Plan[] = Array.from({ length: 8 }, () => ({ seed: seed(), count: 150, sizes: 'tagged' }));
  const receiver = await place.start('receiver');
  const opened = receiver.ask('open', { senders: 8 });
  if (!way.waits) await opened;
  const senders = await Promise.all(plans.map(() => place.start('sender')));
  const arrived = (async () => {
    await opened;
    await receiver.ask('expect', plans);
    return read(receiver);
  })();
  await Promise.all(
    senders.map(async (sender, index) => {
      await sender.ask('open');
      assert.equal(await sender.ask('send', plans[index]), 150);
      await sender.ask('close');
      assert.equal(await sender.leave(), '0');
    }),
  );
  assertAll(await arrived, plans, 'end');
  await receiver.ask('close');
  assert.equal(await receiver.leave(), '0');
}

/** `senders: 2` where there can be but one. */
export async function oneSenderOnly(t: Test, way: Way): Promise<void> {
  const receiver = await way.place(t).start('receiver');
  await assert.rejects(receiver.ask('open', { senders: 2 }), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
  assert.equal(await receiver.leave(), '0');
}

/** A second one of a kind is told who the first is, and disturbs nobody. */
export async function busy(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  for (const kind of way.exclusive) {
    const second = await both.place.start(kind);
    const holder = both[kind].pid;
    await assert.rejects(second.ask('open'), (why: { code: string; message: string }) => {
      assert.equal(why.code, 'EBUSY');
      assert.match(why.message, new RegExp(`\\b${holder}\\b`), `it names ${holder}`);
      return true;
    });
    assert.equal(await second.leave(), '0');
  }
  const plan: Plan = { seed: 4, count: 30, sizes: 'mixed' };
  await both.receiver.ask('expect', [plan]);
  const arrived = read(both.receiver);
  await both.sender.ask('send', plan);
  await both.sender.ask('close');
  assertAll(await arrived, [plan], 'end');
  await finish(both);
}

/** Senders that come at the same time, and receivers one after the other: each of them serves one sender. */
export async function inTurn(t: Test, way: Way): Promise<void> {
  const seed = seeds(t);
  const place = way.place(t);
  const plans: Plan[] = Array.from({ length: 4 }, () => ({ seed: seed(), count: 20, sizes: 'tagged' }));
  const senders = await Promise.all(plans.map(() => place.start('sender')));
  const sent = Promise.all(
    senders.map(async (sender, index) => {
      await sender.ask('open');
      await sender.ask('send', plans[index]);
      await sender.ask('close');
      return sender.leave();
    }),
  );
  sent.catch(() => {});
  const receiver = await place.start('receiver');
  const served = new Set<number>();
  for (const _ of plans) {
    await receiver.ask('open');
    await receiver.ask('expect', plans);
    const { wrong, ended, received } = await read(receiver);
    assert.deepEqual({ wrong, ended, count: received.length }, { wrong: null, ended: 'end', count: 1 });
    const [from, { count }] = received[0] as Summary['received'][0];
    assert.equal(count, 20);
    served.add(from);
    await receiver.ask('close');
  }
  assert.equal(served.size, plans.length, 'each sender had a receiver of its own');
  assert.deepEqual(await sent, ['0', '0', '0', '0']);
  assert.equal(await receiver.leave(), '0');
}

/** A worker that is terminated in the middle of a wait; the process goes on. */
export async function worker(t: Test, way: Way): Promise<void> {
  for (const wait of ['receive', 'receiveSync', 'iterate'] as const) {
    const place = way.place(t);
    const [sender, program] = await Promise.all([place.start('sender'), place.start('worker')]);
    const [, started] = await Promise.all([sender.ask('open'), program.ask('receiveInWorker', { wait })]);
    assert.equal(started, 'waiting');
    await sender.ask('send', { seed: 2, count: 1, sizes: 33 });
    assert.equal(await program.ask('heard'), 33, 'the worker receives');
    assert.equal(await program.ask('terminate'), 1);
    assert.equal(await program.ask('ping'), 'pong', 'the process goes on');
    if (way.waits) {
      const { rejected } = await sender.ask<{ rejected: { code: string } }>('closed');
      assert.equal(rejected.code, 'EPIPE', 'the end of the worker is the end of the receiver');
    }
    assert.equal(await program.leave(), '0');
    await sender.ask('destroy');
    assert.equal(await sender.leave(), '0');
  }
}
