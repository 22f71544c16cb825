/** What is to be done to a set, as semop(2) takes it. */
import { inspect } from 'node:util';
import { checkInteger, checkOptions } from '../../core/arguments.js';
import { argumentError } from '../../core/errors.js';
import { WAIT_OPTIONS } from '../../core/wait.js';
import { IPC_NOWAIT, SEM_UNDO } from '../../sys/index.js';

/** One of the operations that are made together. */
export interface Operation {
  /** Which semaphore of the set; 0 is the first. */
  index: number;
  /** What is added to its value, waiting while that would make it negative; 0 waits until the value is 0. */
  op: number;
  /** Whether the kernel takes it back when this process ends, however it does (SEM_UNDO); false if omitted. */
  undo?: boolean;
}

/** Which permits are taken or given. */
export interface PermitOptions {
  /** Which semaphore of the set; 0 if omitted. */
  index?: number;
  /** How many permits; 1 if omitted. */
  count?: number;
  /**
   * Whether the kernel takes it back when this process ends, be it killed (SEM_UNDO); false if omitted. The end of a worker is no end of
   * a process.
   */
  undo?: boolean;
}

/** Which semaphore is meant. */
export interface IndexOptions {
  /** Which semaphore of the set; 0 if omitted. */
  index?: number;
}

/** sem_num of struct sembuf is an unsigned short, sem_op a short. */
const MOST_INDEX = 0xffff;
const LEAST_OP = -0x8000;
const MOST_OP = 0x7fff;
/** More in one call is refused by every kernel; how many it takes is its own to say. */
const MOST_OPERATIONS = 0xffff;

/** An index that fits into struct sembuf. */
export function checkIndex(index: unknown): asserts index is number {
  checkInteger('index', index, 0, MOST_INDEX);
}

function checkUndo(undo: unknown): void {
  if (undo !== undefined && typeof undo !== 'boolean') {
    throw argumentError(`undo must be true or false, got ${inspect(undo, { depth: 0 })}`);
  }
}

/** Operations that are made together, or not at all. */
export class Operations {
  /** As struct sembuf, three words each. */
  readonly words: Int16Array;
  /** The same, without waiting. */
  readonly now: Int16Array;
  /** The same for the same operations. */
  readonly name: string;

  constructor(list: readonly Operation[]) {
    this.words = new Int16Array(3 * list.length);
    list.forEach(({ index, op, undo }, place) => {
      this.words.set([index, op, undo === true ? SEM_UNDO : 0], 3 * place);
    });
    this.now = this.words.map((word, place) => (place % 3 === 2 ? word | IPC_NOWAIT : word));
    this.name = this.words.join();
  }
}

/** What `operate` is told. */
export function operationsOf(list: unknown): Operations {
  if (!Array.isArray(list)) throw argumentError(`operations must be an array, got ${inspect(list, { depth: 0 })}`);
  checkInteger('the number of operations', list.length, 1, MOST_OPERATIONS);
  for (const one of list as readonly Operation[]) {
    if (typeof one !== 'object' || one === null) {
      throw argumentError(`an operation must be an object { index, op, undo }, got ${inspect(one, { depth: 0 })}`);
    }
    checkOptions(one, ['index', 'op', 'undo']);
    checkIndex(one.index);
    checkInteger('op', one.op, LEAST_OP, MOST_OP);
    checkUndo(one.undo);
  }
  return new Operations(list as readonly Operation[]);
}

const PERMIT_OPTIONS = ['index', 'count', 'undo'];

/** Which permits are meant; `waits` says whether the options are of a wait, too. */
export function permitsOf(options: PermitOptions | undefined, waits: boolean): Required<PermitOptions> {
  checkOptions(options, waits ? [...PERMIT_OPTIONS, ...WAIT_OPTIONS] : PERMIT_OPTIONS);
  const { index = 0, count = 1, undo = false } = options ?? {};
  checkIndex(index);
  checkInteger('count', count, 1, MOST_OP);
  checkUndo(undo);
  return { index, count, undo };
}

/** The wait for 0 of one semaphore. */
export function zeroOf(options: IndexOptions | undefined): Operations {
  checkOptions(options, ['index', ...WAIT_OPTIONS]);
  const { index = 0 } = options ?? {};
  checkIndex(index);
  return new Operations([{ index, op: 0 }]);
}
