/**
 * The memory of a storm. It has what the primitive guards (a counter and a checksum, and who is inside), and a seat for each participant, in
 * which it says what it does: so a dead one's last step can be read.
 *
 * All times are microseconds of the monotonic clock, which is the same in every process.
 */
import { readFileSync } from 'node:fs';
import * as mmap from '../../../src/mmap/index.js';
import { Standstill } from '../standstill.js';

/** How many take turns. */
export const SEATS = 8;
const MOST_INSIDE = 8;
const BYTES = 4096;

// Words of 32 bits.
const QUIT = 0;
const PAUSE = 1;
const EPOCH = 2;
const TOLD = 3;
const REPAIRS = 4;
const CONDEMNED = 5;
const HURRY = 6;
const FIRST_TO_FAIL = 7;
const SLOTS = 16;
const SLOT_WORDS = 4;
const SEAT_WORDS = 16;
const FIRST_SEAT = 64;
// Words of 64 bits, behind those.
const TIMES = 1024;
const SEAT_TIMES = 4;

/** What a participant does. */
export const DOES = { nothing: 0, asks: 1, inside: 2, releases: 3, pauses: 4 } as const;
/** Where one can be stopped. */
export const POINTS = {
  'before it asks': 1,
  'while it asks': 2,
  'inside, with the counter changed': 3,
  'inside, with both changed': 4,
  'after it released': 5,
  'inside, sharing': 6,
} as const;
export type Point = keyof typeof POINTS;

/** A checksum of a counter. */
export function sumOf(counter: number): number {
  return Math.imul(counter ^ 0x5bd1e995, 0x9e3779b1) | 0;
}

/** A process that ends has this flag before the kernel takes anything from it (PF_EXITING). */
const EXITING = 0x4;
const FLAGS = 6;

/** Whether the process has ended, or is ending: what it had is the kernel's to take. */
function hasEnded(pid: number): boolean {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return true;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' || (Number(fields[FLAGS]) & EXITING) !== 0;
}

/** A place of a participant. */
export class Seat {
  readonly #words: Int32Array;
  readonly #times: BigInt64Array;

  constructor(words: Int32Array, times: BigInt64Array) {
    this.#words = words;
    this.#times = times;
  }

  #word(index: number): number {
    return Atomics.load(this.#words, index);
  }

  #set(index: number, value: number): void {
    Atomics.store(this.#words, index, value);
  }

  #time(index: number): number {
    return Number(Atomics.load(this.#times, index));
  }

  get does(): number {
    return this.#word(0);
  }
  set does(what: number) {
    this.#set(0, what);
  }

  /** Turns of all who had this seat. */
  get turns(): number {
    return this.#word(1);
  }
  /** One more. */
  countTurn(): void {
    Atomics.add(this.#words, 1, 1);
  }

  /** Of these, those that have changed the counter. */
  get changes(): number {
    return this.#word(2);
  }
  /** One more. */
  countChange(): void {
    Atomics.add(this.#words, 2, 1);
  }

  /** The point at which it shall stop, 0 for none. */
  get stopAt(): number {
    return this.#word(3);
  }
  set stopAt(point: number) {
    this.#set(3, point);
  }

  /** The point at which it has stopped. */
  get stoppedAt(): number {
    return this.#word(4);
  }
  set stoppedAt(point: number) {
    this.#set(4, point);
  }

  /** Since when it is stopped there. */
  get stoppedSince(): number {
    return this.#time(3);
  }
  set stoppedSince(time: number) {
    Atomics.store(this.#times, 3, BigInt(time));
  }

  /** The last kill since which it has taken its ten turns. */
  get tenSince(): number {
    return this.#word(5);
  }
  set tenSince(epoch: number) {
    this.#set(5, epoch);
  }

  /** Who shares a turn here, 0 for nobody. */
  get sharing(): number {
    return this.#word(6);
  }
  set sharing(id: number) {
    this.#set(6, id);
  }
  /** Nobody any more, if it was this one. */
  forgetSharing(id: number): void {
    Atomics.compareExchange(this.#words, 6, id, 0);
  }

  /** Since when it asks, and how long the machine had stood still by then. */
  get asked(): { since: number; still: number } {
    return { since: this.#time(0), still: this.#time(1) };
  }
  set asked({ since, still }: { since: number; still: number }) {
    Atomics.store(this.#times, 1, BigInt(still));
    Atomics.store(this.#times, 0, BigInt(since));
  }

  /** The longest wait that was over, of all who had this seat; without the time in which the machine stood still. */
  get longest(): number {
    return this.#time(2);
  }
  set longest(time: number) {
    if (time > this.longest) Atomics.store(this.#times, 2, BigInt(time));
  }

  /** Somebody else has it from now on. */
  empty(): void {
    for (const index of [0, 3, 4, 5]) this.#set(index, 0);
  }
}

/** What stands in the memory for all. */
export class Arena {
  readonly #words: Int32Array;
  /** How long nobody could go on: the machine stood still, or who was inside was stopped. */
  readonly standstill: Standstill;
  readonly seats: readonly Seat[];

  constructor(memory: mmap.Mapping) {
    this.#words = memory.int32;
    const allTimes = new BigInt64Array(memory.buffer, TIMES);
    this.standstill = new Standstill(allTimes.subarray(0, Standstill.WORDS));
    this.seats = Array.from({ length: SEATS }, (_, index) => {
      const first = FIRST_SEAT + index * SEAT_WORDS;
      const times = SEAT_TIMES * (1 + index);
      return new Seat(this.#words.subarray(first, first + SEAT_WORDS), allTimes.subarray(times, times + SEAT_TIMES));
    });
    for (let slot = 0; slot < MOST_INSIDE; slot++) {
      Atomics.compareExchange(this.#words, SLOTS + slot * SLOT_WORDS + 2, 0, sumOf(0));
    }
  }

  /** Makes the memory, in a file. */
  static make(path: string): { arena: Arena; memory: mmap.Mapping } {
    const memory = mmap.createFile(path, { size: BYTES });
    return { arena: new Arena(memory), memory };
  }

  static open(path: string): Arena {
    return new Arena(mmap.file(path, { access: 'read-write' }));
  }

  get quit(): boolean {
    return Atomics.load(this.#words, QUIT) !== 0;
  }
  set quit(all: boolean) {
    Atomics.store(this.#words, QUIT, all ? 1 : 0);
  }

  /** Whether nobody shall begin a turn. */
  get pause(): boolean {
    return Atomics.load(this.#words, PAUSE) !== 0;
  }
  set pause(all: boolean) {
    Atomics.store(this.#words, PAUSE, all ? 1 : 0);
  }

  /** Whether who has had ten turns goes on as fast as before: somebody is about to be killed. */
  get hurry(): boolean {
    return Atomics.load(this.#words, HURRY) !== 0;
  }
  set hurry(all: boolean) {
    Atomics.store(this.#words, HURRY, all ? 1 : 0);
  }

  /** Counts the kills. */
  get epoch(): number {
    return Atomics.load(this.#words, EPOCH);
  }
  set epoch(kills: number) {
    Atomics.store(this.#words, EPOCH, kills);
  }

  /** Deaths of which somebody was told. */
  get told(): number {
    return Atomics.load(this.#words, TOLD);
  }
  /** So many more. */
  tell(deaths: number): void {
    Atomics.add(this.#words, TOLD, deaths);
  }

  /** How often somebody found the counter or the checksum as a dead one had left them. */
  get repairs(): number {
    return Atomics.load(this.#words, REPAIRS);
  }

  /** The thread that may have been ended. */
  set condemned(id: number) {
    Atomics.store(this.#words, CONDEMNED, id);
  }

  /** Who found something wrong first; 0: nobody. What others find afterwards may be its consequence. */
  get firstToFail(): number {
    return Atomics.load(this.#words, FIRST_TO_FAIL);
  }
  /** This one has found something wrong. */
  fails(id: number): void {
    Atomics.compareExchange(this.#words, FIRST_TO_FAIL, 0, id);
  }

  /** Whether this participant has ended: a process (its pid), or a thread (its number, negative), of which only the test can know. */
  isDead(id: number): boolean {
    return id > 0 ? hasEnded(id) : Atomics.load(this.#words, CONDEMNED) === id;
  }

  /** Goes inside as the only one, or as one of so many; throws if too many are there who live. */
  enter(id: number, capacity: number): Inside {
    const others: number[] = [];
    for (let slot = 0; slot < capacity; slot++) {
      const first = SLOTS + slot * SLOT_WORDS;
      const words = this.#words.subarray(first, first + SLOT_WORDS);
      const before = Atomics.compareExchange(words, 0, 0, id);
      if (before === 0) return new Inside(words, id, false);
      if (this.isDead(before) && Atomics.compareExchange(words, 0, before, id) === before) {
        Atomics.add(this.#words, REPAIRS, 1);
        return new Inside(words, id, true);
      }
      others.push(before);
    }
    throw new Error(`${id} is let in while ${others.join(' and ')} is inside, and lives`);
  }

  /** Throws if anybody shares a turn who lives. */
  assertNobodyShares(id: number): void {
    for (const seat of this.seats) {
      const other = seat.sharing;
      if (other === 0) continue;
      if (!this.isDead(other) && seat.sharing === other) {
        throw new Error(`${id} is let in alone while ${other} shares, and lives`);
      }
      seat.forgetSharing(other);
    }
  }

  /** Looks, as one who shares a turn: the counter; `undefined` if a dead one has left it in the middle. Throws if somebody is inside who lives. */
  look(id: number): number | undefined {
    const words = this.#words.subarray(SLOTS, SLOTS + SLOT_WORDS);
    const other = Atomics.load(words, 0);
    if (other !== 0 && !this.isDead(other)) throw new Error(`${id} shares a turn while ${other} is inside, and lives`);
    if (other !== 0) return undefined;
    const counter = Atomics.load(words, 1);
    const sum = Atomics.load(words, 2);
    if (sum !== sumOf(counter)) throw new Error(`${id} shares a turn, and the checksum of ${counter} is ${sum}`);
    return counter;
  }

  /** Who is inside alone, 0 for nobody. */
  get insider(): number {
    return Atomics.load(this.#words, SLOTS);
  }

  /** The sum of the counters. */
  get counted(): number {
    let sum = 0;
    for (let slot = 0; slot < MOST_INSIDE; slot++) sum += Atomics.load(this.#words, SLOTS + slot * SLOT_WORDS + 1);
    return sum;
  }
}

/** What one who is inside does there. */
export class Inside {
  readonly #words: Int32Array;
  readonly #id: number;
  readonly #counter: number;
  /** Whether who was there before has died in the middle. */
  readonly tookOver: boolean;

  constructor(words: Int32Array, id: number, tookOver: boolean) {
    this.#words = words;
    this.#id = id;
    this.tookOver = tookOver;
    this.#counter = Atomics.load(words, 1);
    const sum = Atomics.load(words, 2);
    if (!tookOver && sum !== sumOf(this.#counter)) {
      throw new Error(`${id} is inside, and the checksum of ${this.#counter} is ${sum}`);
    }
  }

  changeCounter(): void {
    this.#assertAlone(this.#counter);
    Atomics.store(this.#words, 1, this.#counter + 1);
  }

  changeSum(): void {
    this.#assertAlone(this.#counter + 1);
    Atomics.store(this.#words, 2, sumOf(this.#counter + 1));
  }

  leave(): void {
    this.#assertAlone(this.#counter + 1);
    if (Atomics.load(this.#words, 2) !== sumOf(this.#counter + 1)) {
      throw new Error(`somebody has changed the checksum while ${this.#id} was inside`);
    }
    const who = Atomics.compareExchange(this.#words, 0, this.#id, 0);
    if (who !== this.#id) throw new Error(`${who} came in before ${this.#id} was out`);
  }

  #assertAlone(counter: number): void {
    const who = Atomics.load(this.#words, 0);
    if (who !== this.#id) throw new Error(`${who} came in while ${this.#id} was inside`);
    const found = Atomics.load(this.#words, 1);
    if (found !== counter) throw new Error(`${this.#id} is inside, and the counter is ${found} instead of ${counter}`);
  }
}
