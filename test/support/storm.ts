/**
 * A storm: 8 processes, or threads, take turns with one primitive, and one of them is killed whenever each that lives has taken ten turns since the
 * last kill, and is replaced. Half of them are killed at random, half are stopped at a point of their turn and killed there.
 *
 * It fails if two who live are ever inside at once, if what they guard is not as the last one left it, if somebody waits for longer than a
 * second, if a death is not told exactly once where the primitive tells, if a permit is lost that should come back, or comes back that
 * should be lost.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn, setTimeout as passed } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SEED, seeded } from '../core/support.js';
import { temporaryFolder } from './folder.js';
import { stateOf, until as untilProc } from './proc.js';
import { startFixture } from './program.js';
import { now } from './standstill.js';
import { Arena, DOES, POINTS, type Point, SEATS, type Seat } from './storms/arena.js';
import { type Made, type Primitive, primitiveOf } from './storms/primitive.js';
import type { Form } from './storms/turns.js';

/** How it is done. */
export interface StormOptions {
  /** How many are killed. */
  kills: number;
  /** What takes part; processes if omitted. A thread is not stopped by a signal but blocks, and ends by `terminate()`. */
  who?: 'processes' | 'threads';
  /** In which form turns are asked for; either, at random, if omitted. */
  form?: Form;
  /** Where those are killed; if omitted, every other one at random, and the others everywhere in turns. */
  points?: readonly Point[];
}

/** Nobody may wait longer, while the machine goes on. */
const MOST_WAIT = 1_000_000;
/** However much the machine stood still. */
const MOST_WAIT_AT_ALL = 15_000_000;
/** For all to take their turns, a new one among them. */
const PATIENCE = 60_000_000;
const LOOK_MS = 20;
/** For how long it is left to chance when somebody is killed, and how long somebody who is inside is looked for. */
const AT_RANDOM = 80_000;
const FOR_INSIDER = 20_000;
/** How long the others wait at least for one who is stopped inside: none is to take that one for dead meanwhile. */
const FOR_DEAD = 200_000;
const TEN = 10;

/** One who takes part. */
interface Running {
  id: number;
  kill(): void;
  /** What went wrong, or `undefined` if it ended well or was killed. */
  ended: Promise<string | undefined>;
}

const EVERYBODYS: readonly Point[] = [
  'before it asks',
  'while it asks',
  'inside, with the counter changed',
  'inside, with both changed',
  'after it released',
];

/** Runs a storm over the primitive with this name (`file:export` in test/support/storms). */
export async function storm(t: TestContext, name: string, options: StormOptions): Promise<void> {
  const file = join(temporaryFolder(t), 'arena');
  const { arena, memory } = Arena.make(file);
  t.after(() => memory.close());
  const primitive = await primitiveOf(name);
  const probe = new Worker(new URL('../fixtures/standstill.js', import.meta.url), { workerData: file });
  try {
    while (!arena.standstill.isMeasured) await nextTurn();
    await new Storm(t, name, primitive, arena, file, options).run();
  } finally {
    await probe.terminate();
  }
}

class Storm {
  readonly #t: TestContext;
  readonly #name: string;
  readonly #primitive: Primitive;
  readonly #made: Made;
  readonly #arena: Arena;
  readonly #file: string;
  readonly #kills: number;
  readonly #threads: boolean;
  readonly #form: Form;
  readonly #random = seeded(SEED);
  readonly #running: (Running | undefined)[] = [];
  readonly #points: readonly Point[];
  readonly #atRandom: boolean;
  #quits = false;
  #failure: Error | undefined;
  #ring: (() => void) | undefined;
  /** Since when somebody who may be inside stands still by our will. */
  #stoppedSince = 0;
  /** Deaths of which somebody has to be told since the last kill: at least, at most. */
  #toBeTold: [least: number, most: number] = [0, 0];
  #toldBefore = 0;
  #atPoints = 0;

  constructor(t: TestContext, name: string, primitive: Primitive, arena: Arena, file: string, options: StormOptions) {
    const { kills, who = 'processes', form = 'either' } = options;
    const everywhere: readonly Point[] = primitive.shares === true ? [...EVERYBODYS, 'inside, sharing'] : EVERYBODYS;
    this.#t = t;
    this.#name = name;
    this.#primitive = primitive;
    this.#made = primitive.make(t);
    this.#arena = arena;
    this.#file = file;
    this.#kills = kills;
    this.#threads = who === 'threads';
    this.#form = form;
    this.#points = options.points ?? everywhere;
    this.#atRandom = options.points === undefined;
  }

  async run(): Promise<void> {
    const begun = now();
    this.#arena.epoch = 1;
    const looks = setInterval(() => this.#ring?.(), LOOK_MS);
    try {
      await this.#startAll();
      for (let kill = 0; kill < this.#kills; kill++) {
        await this.#tenTurnsEach();
        await this.#killOne(kill);
      }
      await this.#tenTurnsEach();
      await this.#end();
    } catch (why) {
      this.#tellSeats();
      throw why;
    } finally {
      clearInterval(looks);
      this.#quits = true;
      for (const one of this.#running) one?.kill();
      await Promise.all(this.#running.map((one) => one?.ended));
      this.#report(now() - begun);
    }
  }

  // ---- those who take part

  async #startAll(): Promise<void> {
    // Who needs all is not to wait for those who are just starting.
    this.#arena.pause = this.#primitive.needs === 'all';
    for (let seat = 0; seat < SEATS; seat++) this.#start(seat);
    if (!this.#arena.pause) return;
    await this.#until('all are there', () => this.#arena.seats.every((seat) => seat.does === DOES.pauses));
    this.#arena.pause = false;
  }

  #start(index: number): void {
    const seed = String(Math.floor(this.#random() * 2 ** 31));
    const words = [this.#file, String(index), this.#name, this.#form, seed, this.#made.place];
    const one = this.#threads ? this.#thread(words) : this.#process(words);
    this.#running[index] = one;
    void one.ended.then((fault) => {
      if (this.#quits && fault === undefined) return;
      if (fault === undefined && this.#running[index] !== one) return;
      void this.#fails(one.id, fault ?? `${one.id} has ended without having been killed`);
    });
  }

  /** The storm has failed, for what was found first: faults are learnt of in any order. */
  async #fails(id: number, fault: string): Promise<void> {
    const first = this.#running.find((one) => one?.id === this.#arena.firstToFail);
    if (first !== undefined && first.id !== id) await first.ended;
    this.#failure ??= new Error(fault);
    this.#ring?.();
  }

  #process(words: string[]): Running {
    const program = startFixture(this.#t, 'storm', words, {
      stdio: ['pipe', 'pipe', 'pipe', ...(this.#made.fds ?? [])],
    });
    void (async () => {
      try {
        for (;;) {
          await program.line();
          this.#ring?.();
        }
      } catch {
        // It has ended.
      }
    })();
    return {
      id: program.pid,
      kill: () => program.process.kill('SIGKILL'),
      ended: program.ended.then(({ code, signal }) =>
        code === 0 || signal === 'SIGKILL'
          ? undefined
          : `${program.pid} ended by ${code ?? signal}: ${program.errors()}`,
      ),
    };
  }

  #thread(words: string[]): Running {
    const worker = new Worker(new URL('../fixtures/storm.js', import.meta.url), { workerData: words });
    const id = -worker.threadId;
    let fault: string | undefined;
    worker.on('message', () => this.#ring?.());
    worker.on('error', (why) => {
      fault = `thread ${-id}: ${why.stack}`;
    });
    return {
      id,
      kill: () => {
        this.#arena.condemned = id;
        void worker.terminate();
      },
      ended: new Promise((resolve) => worker.once('exit', () => resolve(fault))),
    };
  }

  // ---- waiting for something, and seeing meanwhile that nobody hangs

  async #until(what: string, holds: () => boolean): Promise<void> {
    const stillBefore = this.#still;
    const begun = now();
    for (;;) {
      this.#assertWell();
      if (holds()) return;
      if (now() - begun - (this.#still - stillBefore) > PATIENCE) throw new Error(`waited in vain until ${what}`);
      await new Promise<void>((resolve) => {
        this.#ring = resolve;
      });
    }
  }

  /** How long nobody could go on: the machine stood still, or somebody inside was stopped. */
  get #still(): number {
    return this.#arena.standstill.total + (this.#stoppedSince === 0 ? 0 : now() - this.#stoppedSince);
  }

  #assertWell(): void {
    if (this.#failure !== undefined) throw this.#failure;
    for (const [index, seat] of this.#arena.seats.entries()) {
      if (seat.stoppedAt !== 0 || seat.does !== DOES.asks) continue;
      const { since, still } = seat.asked;
      const waits = now() - since;
      const id = this.#running[index]?.id;
      if (seat.does !== DOES.asks || seat.asked.since !== since) continue;
      if (waits - (this.#still - still) > MOST_WAIT || waits > MOST_WAIT_AT_ALL) {
        throw new Error(`${id} has been waiting for ${Math.round(waits / 1000)} ms`);
      }
    }
  }

  async #tenTurnsEach(): Promise<void> {
    const { seats, epoch } = this.#arena;
    await this.#until('each has taken ten turns', () => seats.every((seat) => seat.tenSince === epoch));
    this.#assertTold();
  }

  #assertTold(): void {
    if (this.#primitive.tells !== true) {
      assert.equal(this.#arena.told, 0, 'the primitive tells of no death');
      return;
    }
    const told = this.#arena.told - this.#toldBefore;
    const [least, most] = this.#toBeTold;
    assert.ok(told >= least && told <= most, `${told} deaths were told, and should have been ${least} to ${most}`);
  }

  // ---- killing

  async #killOne(kill: number): Promise<void> {
    const atRandom = this.#atRandom && kill % 2 === 0;
    this.#toldBefore = this.#arena.told;
    this.#arena.hurry = true;
    const index = atRandom ? await this.#anyone() : Math.floor(this.#random() * SEATS);
    const seat = this.#arena.seats[index] as Seat;
    const one = this.#running[index] as Running;
    if (!atRandom) await this.#stopAt(seat, one, this.#points[this.#atPoints % this.#points.length] as Point);
    // From here on nothing may wait for it.
    this.#running[index] = undefined;
    // Who comes in as soon as it is dead is to know how long it was stopped.
    this.#countStop();
    one.kill();
    await one.ended;
    this.#goOn();
    this.#arena.hurry = false;
    const did = seat.does;
    const had = did === DOES.inside ? 1 : 0;
    const mayHave = did === DOES.inside || did === DOES.asks || did === DOES.releases ? 1 : 0;
    if (this.#primitive.loses === true) await this.#giveBack(index, had, mayHave);
    const { needs } = this.#primitive;
    // Whoever has waited once takes part.
    this.#toBeTold = needs === 'all' ? [1, 1] : [had, mayHave];
    if (needs === 'all') await this.#toldOfDeath();
    seat.empty();
    this.#arena.epoch++;
    if (needs === 'all') await this.#startWhileOthersWait(index);
    else this.#start(index);
  }

  /** Those who wait for all do not wait for a dead one. */
  async #toldOfDeath(): Promise<void> {
    const begun = now();
    const stillBefore = this.#still;
    await this.#until('the death is told', () => this.#arena.told > this.#toldBefore);
    const took = now() - begun - (this.#still - stillBefore);
    assert.ok(took <= MOST_WAIT, `nobody was told of a death for ${Math.round(took / 1000)} ms`);
  }

  /** Where all are needed, the others cannot but wait until the new one is there: it asks no earlier than that is taken into account. */
  async #startWhileOthersWait(index: number): Promise<void> {
    this.#stoppedSince = now();
    this.#arena.pause = true;
    this.#start(index);
    await this.#until('the new one is there', () => this.#arena.seats[index]?.does === DOES.pauses);
    this.#goOn();
    this.#arena.pause = false;
  }

  /** Anyone, after any time; every other time who happens to be inside then, or is the next to be. */
  async #anyone(): Promise<number> {
    await passed((this.#random() * AT_RANDOM) / 1000);
    const any = Math.floor(this.#random() * SEATS);
    const patience = this.#random() < 0.5 ? 0 : FOR_INSIDER;
    for (const end = now() + patience; now() < end; await nextTurn()) {
      const { insider } = this.#arena;
      const inside = this.#running.findIndex((one) => one?.id === insider);
      if (inside >= 0) return inside;
    }
    return any;
  }

  /** Has it stop there, sees that it is stopped, and that it is taken for what it is. */
  async #stopAt(seat: Seat, { id }: Running, point: Point): Promise<void> {
    this.#atPoints++;
    seat.stopAt = POINTS[point];
    await this.#until(`${id} stops ${point}`, () => seat.stoppedAt === POINTS[point]);
    const inside = this.#primitive.needs === 'all' || (point !== 'before it asks' && point !== 'after it released');
    if (inside) this.#stoppedSince = seat.stoppedSince;
    if (!this.#threads) await untilProc(`${id} is stopped`, () => stateOf(id) === 'T');
    if (!inside && this.#primitive.needs !== 'all') await this.#othersGoOn(seat);
    else if (point !== 'while it asks' && (this.#primitive.capacity ?? 1) === 1)
      await this.#othersWait(seat, id, point);
  }

  /** If somebody stands still by our will: tells all how long he has until now. */
  #countStop(): void {
    if (this.#stoppedSince === 0) return;
    const until = now();
    this.#arena.standstill.add(until - this.#stoppedSince);
    this.#stoppedSince = until;
  }

  /** Nobody does any more. */
  #goOn(): void {
    this.#countStop();
    this.#stoppedSince = 0;
  }

  /** One who is stopped outside is in nobody's way. */
  async #othersGoOn(stopped: Seat): Promise<void> {
    const before = this.#arena.seats.map((seat) => seat.turns);
    await this.#until('each of the others has taken another turn', () =>
      this.#arena.seats.every((seat, index) => seat === stopped || seat.turns > (before[index] as number)),
    );
  }

  /** One who is stopped inside is not taken for dead. */
  async #othersWait(stopped: Seat, id: number, point: Point): Promise<void> {
    if (point === 'inside, sharing') {
      await this.#until('somebody waits', () => this.#arena.seats.some((seat) => seat.does === DOES.asks));
      assert.equal(stopped.sharing, id);
      return;
    }
    await this.#until('all others wait', () =>
      this.#arena.seats.every((seat) => seat === stopped || seat.does === DOES.asks),
    );
    const begun = now() - this.#arena.standstill.total;
    await this.#until('they have waited for a while', () => now() - this.#arena.standstill.total - begun >= FOR_DEAD);
    if (point === 'before it asks' || point === 'after it released') return;
    assert.equal(this.#arena.insider, id, 'nobody else is inside');
  }

  /** Where what it had is lost: sees that this is so, while nobody asks, and gives it back. */
  async #giveBack(killed: number, had: number, mayHave: number): Promise<void> {
    const { capacity = 1 } = this.#primitive;
    this.#arena.pause = true;
    await this.#until('nobody has a turn', () =>
      this.#arena.seats.every((seat, index) => index === killed || seat.does === DOES.pauses),
    );
    const lost = capacity - (this.#made.free?.() ?? 0);
    assert.ok(lost >= had && lost <= mayHave, `${lost} turns are lost, and should be ${had} to ${mayHave}`);
    if (lost > 0) this.#made.giveBack?.();
    this.#arena.pause = false;
  }

  // ---- the end

  /** Who waits for what others were to do waits for ever now. */
  #endThoseWhoWait(): void {
    for (const one of this.#running) one?.kill();
  }

  async #end(): Promise<void> {
    this.#quits = true;
    this.#arena.quit = true;
    if (this.#primitive.needs !== undefined) this.#endThoseWhoWait();
    const faults = await Promise.all(this.#running.map((one) => one?.ended));
    assert.deepEqual(faults.filter(Boolean), []);
    const { seats, counted } = this.#arena;
    const changes = seats.reduce((sum, seat) => sum + seat.changes, 0);
    assert.ok(
      counted >= changes && counted <= changes + this.#kills + (this.#primitive.needs === undefined ? 0 : 1),
      `the counter is ${counted} after ${changes} turns that changed it`,
    );
    const least = this.#kills * SEATS * TEN;
    assert.ok(this.#turns >= least, `${this.#turns} turns are fewer than ${least}`);
    const longest = Math.max(...seats.map((seat) => seat.longest));
    assert.ok(longest <= MOST_WAIT, `somebody has waited for ${Math.round(longest / 1000)} ms`);
    // And what they leave is free.
    await this.#made.ours.takeSync({ shared: false, timeoutMs: MOST_WAIT / 1000 }).release();
  }

  get #turns(): number {
    return this.#arena.seats.reduce((sum, seat) => sum + seat.turns, 0);
  }

  #report(took: number): void {
    const { seats, epoch, told, repairs, standstill } = this.#arena;
    const longest = Math.max(...seats.map((seat) => seat.longest));
    const ms = (time: number): string => `${Math.round(time / 1000)} ms`;
    this.#t.diagnostic(
      `${this.#name}: ${this.#turns} turns, ${epoch - 1} kills (${this.#atPoints} where it was stopped, the others at random) in ${ms(took)}; ` +
        `${repairs} died inside, ${told} deaths told; the longest wait ${ms(longest)}, all stood still for ${ms(standstill.total)}; SEED=${SEED}`,
    );
  }

  /** What each does, when something went wrong. */
  #tellSeats(): void {
    for (const [index, seat] of this.#arena.seats.entries()) {
      const { does, stopAt, stoppedAt, turns, tenSince, sharing, asked } = seat;
      const waits = does === DOES.asks ? Math.round((now() - asked.since) / 1000) : 0;
      this.#t.diagnostic(
        `seat ${index}: ${JSON.stringify({ id: this.#running[index]?.id, does, waits, stopAt, stoppedAt, turns, tenSince, sharing })}`,
      );
    }
    this.#t.diagnostic(`inside: ${this.#arena.insider}, epoch ${this.#arena.epoch}`);
  }
}
