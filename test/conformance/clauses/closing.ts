/** An end that was closed does nothing more, and one that waits when it is closed learns of it. */
import assert from 'node:assert/strict';
import { stateOf, until } from '../../support/proc.js';
import { pair } from '../support/pair.js';
import type { Test } from '../support/peer.js';
import type { Way } from '../support/ways.js';

const CLOSED = { code: 'ERR_INTERPROC_CLOSED' };

/** Use after close(). */
export async function useAfterClose(t: Test, way: Way): Promise<void> {
  const { sender, receiver } = await pair(t, way);
  await sender.ask('close');
  for (const how of ['send', 'trySend', 'sendSync', 'sendMany']) {
    await assert.rejects(sender.ask('send', { seed: 1, count: 1, sizes: 10, how }), CLOSED, how);
  }
  await assert.rejects(sender.ask('flush'), CLOSED);
  await sender.ask('close');
  await sender.ask('destroy');
  await receiver.ask('close');
  for (const verb of ['receiveOne', 'receiveOneSync', 'tryOne']) await assert.rejects(receiver.ask(verb), CLOSED, verb);
  await receiver.ask('close');
  assert.deepEqual(await receiver.ask('closed'), { reason: 'closed' });
  assert.deepEqual([await sender.leave(), await receiver.leave()], ['0', '0']);
}

/** A receive that is pending when its end is closed. */
export async function pendingAtClose(t: Test, way: Way): Promise<void> {
  const { sender, receiver } = await pair(t, way);
  const waits = [1, 2, 3].map(() => assert.rejects(receiver.ask('receiveOne'), CLOSED));
  await receiver.ask('ping');
  await receiver.ask('close');
  await Promise.all(waits);
  assert.equal(await receiver.leave(), '0');
  await sender.ask('destroy');
  assert.equal(await sender.leave(), '0');
}

/** A process that forgets to close, with nothing to wait for, ends all the same. */
export async function idleDoesNotHold(t: Test, way: Way): Promise<void> {
  const { place, sender, receiver } = await pair(t, way);
  assert.equal(await sender.leave(), '0');
  assert.equal(await receiver.leave(), '0');
  if (way.waits) assert.deepEqual(place.remains(), []);
}

/** A process that exits while it waits for the other one takes the name with it. */
export async function exitsWhileAlone(t: Test, way: Way): Promise<void> {
  for (const program of ['sender', 'receiver'] as const) {
    const place = way.place(t);
    const alone = await place.start(program);
    const opened = alone.ask('open');
    opened.catch(() => {});
    await alone.ask('ping');
    await until('it waits', () => stateOf(alone.pid) === 'S');
    alone.ask('exit').catch(() => {});
    assert.deepEqual(await alone.ended, '0');
    assert.deepEqual(place.remains(), []);
  }
}
