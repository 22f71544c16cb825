/** A receiver that does not read: the sender waits, in little memory, and nothing is dropped. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { leastProcessorTimeMs, processorTimeMs, stateOf, until } from '../../support/proc.js';
import { assertAll, finish, pair, read, seeds } from '../support/pair.js';
import type { Peer, Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

const MIB = 1 << 20;

/** The most memory that a process has ever had, in bytes. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** Waits until the sender has sent all it can: it sleeps, and has sent no more when asked again. */
async function stuck(sender: Peer, receiver: Peer): Promise<number> {
  let before = -1;
  for (;;) {
    const now = await sender.ask<number>('progress');
    await until('the sender sleeps', () => stateOf(sender.pid) === 'S');
    if (now === before) return now;
    before = now;
    await receiver.ask('work');
  }
}

/** 192 MiB to a reader that does not read yet. */
export async function slowReader(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const { sender, receiver } = both;
  const plan = { seed: seeds(t)(), count: 1536, sizes: 131_072 };
  await receiver.ask('expect', [plan]);
  const before = peakOf(sender.pid);
  const sending = sender.ask<number>('send', plan);
  const sent = await stuck(sender, receiver);
  assert.ok(sent < plan.count, 'the sender waits');
  let worked = 0;
  const busy = await leastProcessorTimeMs(sender.pid, 20, async () => {
    const before = processorTimeMs(receiver.pid);
    for (let times = 0; times < 2; times++) await receiver.ask('work');
    worked = processorTimeMs(receiver.pid) - before;
  });
  assert.ok(
    busy <= 10 + worked / 20,
    `a sender that waits took ${busy} ms of processor time while another worked ${worked} ms`,
  );
  assert.equal(await sender.ask('progress'), sent, 'and it still waits');
  assertAll(await read(receiver, 'batches', plan.count), [plan], 'most');
  assert.equal(await sending, plan.count);
  const grown = peakOf(sender.pid) - before;
  // Were what waits kept in memory, it would be all of it. Half is more than the garbage that V8 lets stand: 73 MiB from Node 24 on.
  assert.ok(grown < 96 * MIB, `the sender grew by ${(grown / MIB).toFixed(1)} MiB while it sent 192 MiB`);
  await finish(both);
}

/** Sends that nobody awaits are refused beyond `highWaterMark`; those that were accepted arrive, and no other. */
export async function unawaited(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way, { sender: { highWaterMark: 65_536 } });
  const plan = { seed: seeds(t)(), count: 700, sizes: 16_384 };
  const ended = both.sender.ask<{ accepted: number[]; others: string[] }>('sendUnawaited', plan);
  await both.sender.ask('ping');
  // What was accepted is a beginning of the plan: once one was refused, nothing was read before the turn was over.
  await both.receiver.ask('expect', [plan]);
  const arrived = read(both.receiver);
  const { accepted, others } = await ended;
  assert.deepEqual(others, ['ERR_INTERPROC_BACKPRESSURE']);
  assert.deepEqual(accepted, [...accepted.keys()]);
  assert.ok(accepted.length < plan.count);
  await both.sender.ask('close');
  assertAll(await arrived, [{ ...plan, count: accepted.length }], 'end');
  await finish(both);
}

/** trySend says no, send waits and succeeds. */
export async function fullThenRoom(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const plan = { seed: seeds(t)(), count: 1_000_000, sizes: 4000 };
  const taken = await both.sender.ask<number>('fill', plan);
  assert.ok(taken > 0 && taken < plan.count, `trySend took ${taken}`);
  assert.equal(await both.sender.ask('begin', { ...plan, from: taken }), 'pending');
  assert.equal(
    await both.sender.ask('fill', { ...plan, from: taken + 1, count: taken + 2 }),
    taken + 1,
    'trySend overtakes nobody',
  );
  await assert.rejects(both.sender.ask('sendOneSync', { ...plan, from: taken + 1 }), {
    code: 'ERR_INTERPROC_BACKPRESSURE',
  });
  await both.receiver.ask('expect', [plan]);
  assertAll(await read(both.receiver, 'receive', taken + 1), [{ ...plan, count: taken + 1 }], 'most');
  assert.equal(await both.sender.ask('begun'), 'sent');
  await finish(both);
}

/** A send that blocks its thread, and its time-out. */
export async function fullSynchronously(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way);
  const plan = { seed: seeds(t)(), count: 1_000_000, sizes: 4000 };
  const taken = await both.sender.ask<number>('fill', plan);
  await assert.rejects(both.sender.ask('sendOneSync', { ...plan, from: taken, timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  await assert.rejects(both.sender.ask('sendOneSync', { ...plan, from: taken, timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  const sent = both.sender.ask('sendOneSync', { ...plan, from: taken });
  await until('the sender blocks', () => stateOf(both.sender.pid) === 'S');
  await both.receiver.ask('expect', [plan]);
  assertAll(await read(both.receiver, 'receive', taken + 1), [{ ...plan, count: taken + 1 }], 'most');
  await sent;
  await finish(both);
}
