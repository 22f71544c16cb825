/** What the kernel tells of a semaphore set: semctl(2). */
import { native } from '../../sys/index.js';
import type { Kind } from '../kind.js';
import type { Owner } from '../owner.js';
import { identityOf, moment } from '../status.js';

/** A set as IPC_STAT of semctl(2) shows it. */
export interface Status extends Owner {
  /** 0 to 2^32 - 1; 0 is a private set. */
  key: number;
  id: number;
  /** Semaphores. A set never changes how many it has. */
  count: number;
  /** When something was done to it last (semop(2)), to the second; `undefined` if nothing was ever. */
  lastOperationTime: Date | undefined;
  /** When the set was made, or a value, its owner or its mode set. */
  changeTime: Date;
}

const fields = new BigInt64Array(9);
const field = (index: number): number => Number(fields[index]);

/** The state of a set, or `-errno`. */
export function statusOf(id: number): Status | number {
  const result = native().semctlStat(id, fields);
  if (result < 0) return result;
  return {
    ...identityOf(id, fields),
    count: field(6),
    lastOperationTime: moment(field(7)),
    changeTime: new Date(field(8) * 1000),
  };
}

/** Semaphore sets among the System V objects. */
export const SETS: Kind = {
  prefix: 'sem',
  noun: 'semaphore set',
  find: (key) => native().semget(key, 0, 0),
  keyOf: (id) => {
    const result = native().semctlStat(id, fields);
    return result < 0 ? result : field(5);
  },
  remove: (id) => native().semctlRemove(id),
};
