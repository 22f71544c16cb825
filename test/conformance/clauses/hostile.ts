/** A peer that writes garbage into the ring: an error or plain data, never a crash, never for longer than 2 s. */
import assert from 'node:assert/strict';
import { seeds } from '../support/pair.js';
import type { Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

interface Findings {
  seen: Record<string, number>;
  wrong: string[];
  slowestMs: number;
}

/** So many rounds, `verb` being 'poke' (one word a time) or 'race' (while they are read). */
export async function hostilePeer(t: Test, way: Way, verb: 'poke' | 'race', rounds: number): Promise<void> {
  const program = await way.place(t, '?capacity=8192&spin=0').start('hostile');
  const seed = seeds(t)();
  for (let done = 0; done < rounds; done += 100) {
    const { seen, wrong, slowestMs } = await program.ask<Findings>(verb, {
      rounds: Math.min(100, rounds - done),
      seed: seed + done,
    });
    assert.deepEqual(wrong, [], `seed ${seed + done}`);
    assert.ok(slowestMs < 2000, `${slowestMs} ms, seed ${seed + done}`);
    if (done === 0) t.diagnostic(JSON.stringify(seen));
  }
  assert.equal(await program.leave(), '0');
}
