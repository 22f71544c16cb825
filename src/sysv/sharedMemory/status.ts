/** What the kernel tells of a segment: shmctl(2). */
import { IPC_RMID, native, SHM_DEST, SHM_LOCKED } from '../../sys/index.js';
import type { Kind } from '../kind.js';
import type { Owner } from '../owner.js';
import { identityOf, moment, some } from '../status.js';

/** A segment as IPC_STAT of shmctl(2) shows it. */
export interface Status extends Owner {
  /** 0 to 2^32 - 1; 0 is a private segment, and one that was removed while it was attached. */
  key: number;
  id: number;
  /** Bytes. It has had them from the beginning, and will have them to the end. */
  size: number;
  /** How often it is attached now, in all processes together. */
  attached: number;
  /** Whether it was removed, and lives only until the last one detaches it (SHM_DEST). */
  markedForRemoval: boolean;
  /** Whether its pages stay in memory (SHM_LOCKED). */
  locked: boolean;
  /** The process that made it, which may have ended. */
  creatorPid: number;
  /** The process that attached or detached it last, `undefined` if none has. */
  lastPid: number | undefined;
  /** When that was, to the second. */
  lastAttachTime: Date | undefined;
  lastDetachTime: Date | undefined;
  /** When the segment was made, or changed by `set`. */
  changeTime: Date;
}

const fields = new BigInt64Array(13);
const field = (index: number): number => Number(fields[index]);

/** The state of a segment, or `-errno`. */
export function statusOf(id: number): Status | number {
  const result = native().shmctlStat(id, fields);
  if (result < 0) return result;
  return {
    ...identityOf(id, fields),
    size: field(6),
    attached: field(7),
    markedForRemoval: (field(4) & SHM_DEST) !== 0,
    locked: (field(4) & SHM_LOCKED) !== 0,
    creatorPid: field(8),
    lastPid: some(field(9)),
    lastAttachTime: moment(field(10)),
    lastDetachTime: moment(field(11)),
    changeTime: new Date(field(12) * 1000),
  };
}

/** Segments among the System V objects. */
export const SEGMENTS: Kind = {
  prefix: 'shm',
  noun: 'segment',
  find: (key) => native().shmget(key, 0, 0),
  keyOf: (id) => {
    const result = native().shmctlStat(id, fields);
    return result < 0 ? result : field(5);
  },
  remove: (id) => native().shmctl(id, IPC_RMID),
};
