/** One participant of a storm: it asks for turns, takes them, and stops where it is told to. */
import { setTimeout as passed, setImmediate as yielded } from 'node:timers/promises';
import { now } from '../standstill.js';
import { type Arena, DOES, POINTS, type Point, type Seat } from './arena.js';
import type { Opened, Primitive, Turn } from './primitive.js';

/** In which form turns are asked for. */
export type Form = 'async' | 'sync' | 'either';

/** Who takes part. */
export interface Participant {
  /** A pid, or a thread's number, negative. */
  id: number;
  seat: Seat;
  form: Form;
  random: () => number;
  /** Tells the test that there is something to see in the seat. */
  tell(): void;
  /** Stops for ever, until it is killed. */
  stop(): never;
}

const TEN = 10;
/** Where what a dead one had is lost, nobody waits for ever. */
const LOSER_PATIENCE_MS = 50;
/** How often a wait is given up, and after how long at most. */
const GIVEN_UP = 0.1;
const GIVEN_UP_MS = 3;
/** Between two turns, at most. */
const PAUSE_MS = 1;
const LONG_PAUSE_MS = 100;
const asleep = new Int32Array(new SharedArrayBuffer(4));

/** Takes turns until all are told to quit. */
export async function takeTurns(arena: Arena, primitive: Primitive, opened: Opened, who: Participant): Promise<void> {
  const { id, seat, form, random } = who;
  const { capacity = 1, shares = false, tells = false, needs } = primitive;
  let epoch = -1;
  let taken = 0;

  const at = (point: Point): void => {
    if (seat.stopAt !== POINTS[point]) return;
    seat.stoppedSince = now();
    seat.stoppedAt = POINTS[point];
    who.tell();
    who.stop();
  };

  /** A turn; `undefined` if the wait was given up. */
  const ask = async (shared: boolean): Promise<Turn | undefined> => {
    seat.asked = { since: now(), still: arena.standstill.total };
    seat.does = DOES.asks;
    try {
      if (seat.stopAt === POINTS['while it asks']) {
        void opened.take({ shared });
        at('while it asks');
      }
      const givenUp = random() < GIVEN_UP;
      const patience = givenUp ? random() * GIVEN_UP_MS : primitive.loses === true ? LOSER_PATIENCE_MS : undefined;
      const sync = form === 'sync' || (form === 'either' && random() < 0.5);
      if (sync) return opened.takeSync({ shared, timeoutMs: patience });
      if (!givenUp || random() < 0.5) return await opened.take({ shared, timeoutMs: patience });
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), patience);
      try {
        return await opened.take({ shared, signal: controller.signal });
      } finally {
        clearTimeout(timer);
      }
    } catch (why) {
      const { code } = why as { code?: string };
      if (code !== 'ETIMEDOUT' && code !== 'ABORT_ERR') throw why;
      seat.does = DOES.nothing;
      return undefined;
    }
  };

  const maybeYield = async (): Promise<void> => {
    const choice = random();
    if (choice < 0.2) await yielded();
    else if (choice < 0.3) Atomics.wait(asleep, 0, 0, random());
  };

  const alone = async (turn: Turn): Promise<void> => {
    const inside = arena.enter(id, capacity);
    // With several permits, or at a barrier, it may be another one who was told.
    if (tells && capacity === 1 && needs !== 'all' && inside.tookOver && turn.deaths === 0)
      throw new Error(`${id} was not told of the death that it sees`);
    if (shares) arena.assertNobodyShares(id);
    inside.changeCounter();
    seat.countChange();
    at('inside, with the counter changed');
    await maybeYield();
    inside.changeSum();
    at('inside, with both changed');
    await maybeYield();
    if (shares) arena.assertNobodyShares(id);
    inside.leave();
  };

  const together = async (): Promise<void> => {
    seat.sharing = id;
    const before = arena.look(id);
    at('inside, sharing');
    await maybeYield();
    const after = arena.look(id);
    if (after !== before) throw new Error(`the counter was ${before} and is ${after} while ${id} shares a turn`);
    seat.forgetSharing(id);
  };

  while (!arena.quit) {
    if (arena.pause) {
      seat.does = DOES.pauses;
      who.tell();
      while (arena.pause) await passed(1);
      seat.does = DOES.nothing;
    }
    if (arena.epoch !== epoch) {
      epoch = arena.epoch;
      taken = 0;
    }
    at('before it asks');
    const shared = shares && random() < 0.5;
    const begun = now();
    const stillBefore = arena.standstill.total;
    let turn: Turn | undefined;
    while (turn === undefined && !arena.pause && !arena.quit) turn = await ask(shared);
    if (turn === undefined) continue;
    seat.does = DOES.inside;
    seat.longest = now() - begun - (arena.standstill.total - stillBefore);
    if (turn.deaths > 0) arena.tell(turn.deaths);
    if (turn.idle !== true) await (shared && turn.alone !== true ? together() : alone(turn));
    if (turn.deaths > 0) turn.repaired?.();
    seat.does = DOES.releases;
    await turn.release();
    seat.does = DOES.nothing;
    at('after it released');
    seat.countTurn();

    taken++;
    if (taken === TEN) {
      seat.tenSince = epoch;
      who.tell();
    }
    // Who has had its turns leaves the processor to who has not, and goes on all the same.
    const hurries = taken < TEN || arena.hurry;
    await passed(random() * (hurries ? PAUSE_MS : LONG_PAUSE_MS));
  }
}
