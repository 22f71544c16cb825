/** An aborted or late wait takes no message, and one that has got it gives it. */
import assert from 'node:assert/strict';
import { seeds } from '../support/pair.js';
import type { Peer, Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

const ROUNDS = 10_000;

async function both(t: Test, way: Way): Promise<Peer> {
  const program = await way.place(t).start('both');
  await program.ask('open');
  return program;
}

interface Rounds {
  aborted: number;
  done: number;
  sent: number;
  received: number;
  lost: number;
  wrong: string | null;
  failures: string[];
}

/** 10,000 receives. */
export async function receives(t: Test, way: Way): Promise<void> {
  const program = await both(t, way);
  const plan = { seed: seeds(t)(), count: ROUNDS, sizes: 64 };
  const rounds = await program.ask<Rounds>('abortReceives', { rounds: ROUNDS, plan });
  t.diagnostic(`${rounds.aborted} were aborted, ${rounds.done} had got their message`);
  assert.deepEqual(rounds.failures, []);
  assert.equal(rounds.wrong, null);
  assert.equal(rounds.received, ROUNDS, 'sent = received + still there');
  assert.ok(Math.min(rounds.aborted, rounds.done) >= ROUNDS / 100, 'the abort hit on both sides of the completion');
  await program.ask('close');
  assert.equal(await program.leave(), '0');
}

/** 10,000 sends into a full channel. */
export async function sends(t: Test, way: Way): Promise<void> {
  for (const [sizes, share] of [
    [4000, 0.97],
    [100_000, 0.03],
  ] as const) {
    const program = await both(t, way);
    const wanted = Math.round(ROUNDS * share);
    const rounds = await program.ask<Rounds>('abortSends', { rounds: wanted, sizes });
    t.diagnostic(`of ${wanted} with ${sizes} bytes ${rounds.aborted} were aborted, ${rounds.done} were sent`);
    assert.deepEqual(rounds.failures, []);
    assert.equal(rounds.received, rounds.sent, 'sent = received');
    assert.equal(rounds.lost, 0);
    assert.ok(rounds.aborted > 0 && rounds.done > 0, 'the abort hit on both sides of the completion');
    await program.ask('destroy');
    assert.equal(await program.leave(), '0');
  }
}

/** Time-outs of 0 and 1 ms while messages come. */
export async function timeOuts(t: Test, way: Way): Promise<void> {
  const program = await both(t, way);
  const plan = { seed: seeds(t)(), count: 500, sizes: 64 };
  const rounds = await program.ask<Rounds>('timeOuts', { rounds: 500, plan });
  assert.deepEqual(rounds.failures, []);
  assert.equal(rounds.wrong, null);
  assert.equal(rounds.received, 500);
  await program.ask('close');
  assert.equal(await program.leave(), '0');
}

/** No listener stays on an AbortSignal. */
export async function noListenerStays(t: Test, way: Way): Promise<void> {
  const program = await both(t, way);
  assert.equal(await program.ask('listeners', { rounds: 2000 }), 0);
  await program.ask('close');
  assert.equal(await program.leave(), '0');
}
