/** When messages leave. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { finish, pair } from '../support/pair.js';
import type { Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

interface Turn {
  during: (string | number)[];
  after: number[];
}

/** In one turn together, or each at once. */
export async function together(t: Test, way: Way): Promise<void> {
  for (const coalesce of [true, false]) {
    const program = await way.place(t).start('both');
    await program.ask('open', { coalesce });
    const { during, after } = await program.ask<Turn>('oneTurn');
    if (coalesce && !way.singly) {
      assert.deepEqual(during, ['nothing', 'nothing', 'nothing'], 'nothing leaves before the turn is over');
      assert.deepEqual(after, [10, 10, 10]);
    } else {
      assert.deepEqual(during, [10, 10, 10], 'each leaves at once');
    }
    assert.equal(await program.ask('flushed'), 'flush', 'flush() publishes now');
    await program.ask('close');
    assert.equal(await program.leave(), '0');
  }
}

/** Another process has the message before the sender's turn is over. */
export async function atOnce(t: Test, way: Way): Promise<void> {
  const both = await pair(t, way, { sender: { coalesce: false } });
  const path = join(both.place.folder, 'mark-received');
  const arrived = both.receiver.ask('receiveAndMark', { path });
  await both.receiver.ask('ping');
  assert.equal(await both.sender.ask('sendAndStay', { seed: 1, count: 1, sizes: 20, path }), true);
  assert.equal(await arrived, 20);
  await finish(both);
}
