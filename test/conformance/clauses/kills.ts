/** One end is killed over and over, wherever it is; the other goes on, with whole messages only. */
import assert from 'node:assert/strict';
import { pick, seeds } from '../support/pair.js';
import type { Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

interface Round {
  count: number;
  wrong: string | null;
  ended: string;
}

/** The sender is killed `rounds` times: while it opens, and while it sends. */
export async function sendersKilled(t: Test, way: Way, rounds: number): Promise<void> {
  const seed = seeds(t);
  const place = way.place(t);
  const receiver = await place.start('receiver');
  await receiver.ask('expect', []);
  const surviving = receiver.ask<Round[]>('survive');
  // The next one starts up while this one lives and dies.
  let next = place.start('sender');
  for (let round = 0; round < rounds; round++) {
    const plan = { seed: seed(), count: 1_000_000, sizes: 'tagged' as const };
    const sender = await next;
    next = place.start('sender');
    const opened = sender.ask('open', { timeoutMs: 20_000 });
    if (round % 4 !== 0) {
      await opened;
      void sender.ask('send', { ...plan, how: round % 3 === 0 ? 'flushEach' : 'send' }).catch(() => {});
      for (let asks = pick(plan.seed, 12); asks > 0; asks--) await sender.ask('progress');
    }
    await sender.kill();
  }
  const last = await next;
  await last.ask('open', { timeoutMs: 20_000 });
  assert.equal(await last.ask('send', { seed: seed(), count: 100, sizes: 'tagged' }), 100);
  await last.ask('close');
  const survived = await surviving;
  t.diagnostic(`${survived.length} rounds, ${survived.reduce((sum, { count }) => sum + count, 0)} messages`);
  for (const { wrong, ended } of survived.slice(0, -1))
    assert.deepEqual({ wrong, ended }, { wrong: null, ended: 'ECONNRESET' });
  assert.deepEqual(survived.at(-1), { count: 100, wrong: null, ended: 'end' });
  assert.deepEqual([await receiver.leave(), await last.leave()], ['0', '0']);
  assert.deepEqual(place.remains(), []);
}

/** The receiver is killed `rounds` times: while it opens, and while it receives. */
export async function receiversKilled(t: Test, way: Way, rounds: number): Promise<void> {
  const seed = seeds(t);
  const place = way.place(t);
  const sender = await place.start('sender');
  const surviving = sender.ask<string[]>('survive');
  let next = place.start('receiver');
  for (let round = 0; round < rounds; round++) {
    const receiver = await next;
    next = place.start('receiver');
    await receiver.ask('expect', []);
    const opened = receiver.ask('open', { timeoutMs: 20_000 });
    if (round % 4 !== 0) {
      await opened;
      const how = (['receive', 'drain', 'batches'] as const)[round % 3];
      const { wrong } = await receiver.ask<Round>('read', { how, most: 1 + pick(seed(), 300) });
      assert.equal(wrong, null);
      void receiver.ask('read', { how }).catch(() => {});
      await receiver.ask('ping');
    }
    await receiver.kill();
  }
  await sender.ask('lastRound');
  const last = await next;
  await last.ask('expect', []);
  await last.ask('open', { timeoutMs: 20_000 });
  const { wrong, ended } = await last.ask<Round>('read');
  assert.deepEqual({ wrong, ended }, { wrong: null, ended: 'end' });
  await last.ask('close');
  const survived = await surviving;
  t.diagnostic(`${survived.length} rounds`);
  assert.deepEqual([...new Set(survived)].sort(), ['EPIPE', 'end']);
  assert.deepEqual([await sender.leave(), await last.leave()], ['0', '0']);
  assert.deepEqual(place.remains(), []);
}
