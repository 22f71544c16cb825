/**
 * What a storm needs to know of something that processes take turns with. A primitive is one export of one file in this folder; a storm names
 * it as `file:export`.
 */
import type { TestContext } from 'node:test';

/** A turn. */
export interface Turn {
  /** Of how many holders it was told that they died; 0 where the primitive tells of none. */
  deaths: number;
  /** Whether a turn that was asked for as shared is alone, since the one before died. */
  alone?: boolean;
  /** Whether there is nothing to be done in it. */
  idle?: boolean;
  /** Says that what the dead has left is in order again. Called after `deaths`, before `release`. */
  repaired?(): void;
  /** Settled when it is over. */
  release(): void | Promise<void>;
}

/** How a turn is asked for. */
export interface Asked {
  /** Only where the primitive `shares`. */
  shared: boolean;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** The primitive, opened by one participant. */
export interface Opened {
  take(asked: Asked): Promise<Turn>;
  /** Blocks this thread. */
  takeSync(asked: Omit<Asked, 'signal'>): Turn;
}

/** The primitive, made by the test. */
export interface Made {
  /** What a participant opens it by. */
  place: string;
  /** Descriptors that each participant gets, from 3. */
  fds?: number[];
  /** The test's own. */
  ours: Opened;
  /** Where the primitive `loses`: how many turns can be had now. Asked while nobody has one, or waits. */
  free?: () => number;
  /** Where it `loses`: gives one back. */
  giveBack?: () => void;
}

/** Something that processes take turns with. */
export interface Primitive {
  /** How many may be inside at once; 1 if omitted. */
  capacity?: number;
  /** Whether turns can be shared. */
  shares?: boolean;
  /** Whether the next one who is inside is told that a holder has died. */
  tells?: boolean;
  /** Whether what a dead holder had is lost, until the test gives it back (`Made.free` and `Made.giveBack`). */
  loses?: boolean;
  /**
   * Whether who waits may wait for what only others do, or for every other one: then those who wait at the end are killed, and, with
   * `'all'`, nobody goes on while one is missing; his death is told at once, to those who wait.
   */
  needs?: 'others' | 'all';
  make(t: Pick<TestContext, 'after'>): Made;
  /** `seat`: the number of the participant. */
  open(place: string, seat: number): Opened;
}

/** The primitive with this name, `file:export`. */
export async function primitiveOf(name: string): Promise<Primitive> {
  const [file, which] = name.split(':') as [string, string];
  const found = (await import(`./${file}.js`)) as Record<string, Primitive>;
  if (found[which] === undefined) throw new Error(`there is no primitive ${name}`);
  return found[which];
}
