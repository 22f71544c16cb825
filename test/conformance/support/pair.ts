/** Two programs with a channel between them. */
import assert from 'node:assert/strict';
import type { OpenReceiver, OpenSender } from '../../../src/channel/index.js';
import type { How as Receive, Summary } from '../programs/receiver.js';
import type { Plan } from '../programs/messages.js';
import type { Peer, Test } from './peer.js';
import type { Place, Way } from './ways.js';

/** A sender, a receiver, and where they met. */
export interface Pair {
  place: Place;
  sender: Peer;
  receiver: Peer;
}

/** How a pair opens its ends. */
export interface PairOptions {
  sender?: OpenSender;
  receiver?: OpenReceiver;
}

/** Starts both programs and lets them open their ends, at the same time. */
export async function pairAt(place: Place, options: PairOptions = {}): Promise<Pair> {
  const [sender, receiver] = await Promise.all([place.start('sender'), place.start('receiver')]);
  await Promise.all([sender.ask('open', options.sender), receiver.ask('open', options.receiver)]);
  return { place, sender, receiver };
}

/** As `pairAt`, at an address of its own. */
export function pair(t: Test, way: Way, options: PairOptions = {}): Promise<Pair> {
  return pairAt(way.place(t), options);
}

/** Closes both ends, the sender's first, which is a good end; both programs end by themselves then. */
export async function finish({ sender, receiver }: Pick<Pair, 'sender' | 'receiver'>): Promise<void> {
  await sender.ask('close');
  await receiver.ask('close');
  assert.deepEqual(
    await Promise.all([sender.leave(), receiver.leave()]),
    ['0', '0'],
    'both programs exit by themselves',
  );
}

/** Reads until the end, an error, or `most` more. */
export function read(receiver: Peer, how?: Receive, most?: number): Promise<Summary> {
  return receiver.ask<Summary>('read', { how, most });
}

/** Asserts that all messages of the plans arrived, each once and in order, and how the reading ended. */
export function assertAll(summary: Summary, plans: readonly Plan[], ended: string): void {
  assert.equal(summary.wrong, null);
  const expected = plans.map((plan) => [plan.seed, { first: plan.from ?? 0, count: plan.count }]);
  assert.deepEqual([...summary.received].sort(), expected.sort());
  assert.equal(summary.ended, ended);
}

/** Seeds of this run: printed, and the same again with CONFORMANCE_SEED. */
export function seeds(t: Test): () => number {
  const first = Number(process.env['CONFORMANCE_SEED'] ?? (Math.random() * 0x7fffffff) | 0);
  t.diagnostic(`CONFORMANCE_SEED=${first}`);
  let next = first;
  return () => next++ & 0x7fffffff;
}

/** A whole number from 0 to `below - 1` that follows from a seed. */
export function pick(seed: number, below: number): number {
  let word = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b);
  word = Math.imul(word ^ (word >>> 16), 0x45d9f3b);
  return ((word ^ (word >>> 16)) >>> 0) % below;
}
