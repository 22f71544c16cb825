/** What the kernel tells of a queue, and what of it can be changed: msgctl(2). */
import { native } from '../../sys/index.js';
import { checkInteger, checkOptions } from '../../core/arguments.js';
import { checkOwnerChanges, type Owner, OWNER_CHANGES, type OwnerChanges } from '../owner.js';
import type { Kind } from '../kind.js';
import { identityOf, moment, some } from '../status.js';

/** A queue as IPC_STAT of msgctl(2) shows it. */
export interface Status extends Owner {
  /** 0 to 2^32 - 1; 0 is a private queue. */
  key: number;
  id: number;
  /** Messages in the queue now. */
  messages: number;
  /** Bytes in them, without their types. */
  bytes: number;
  /** Bytes that the queue holds at most, and messages, should they be empty. */
  maxBytes: number;
  /** The process that sent last, `undefined` if none has. */
  lastSendPid: number | undefined;
  /** The process that received last, `undefined` if none has. */
  lastReceivePid: number | undefined;
  /** When that was, to the second. */
  lastSendTime: Date | undefined;
  lastReceiveTime: Date | undefined;
  /** When the queue was made, or changed by `set`. */
  changeTime: Date;
}

/** What of a queue can be changed. */
export interface Changes extends OwnerChanges {
  /** Bytes that it holds at most; above /proc/sys/kernel/msgmnb only with CAP_SYS_RESOURCE. */
  maxBytes?: number;
}

const fields = new BigInt64Array(14);
const field = (index: number): number => Number(fields[index]);

/** Checks `maxBytes`. */
export function checkMaxBytes(maxBytes: unknown): asserts maxBytes is number {
  checkInteger('maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER);
}

/** Throws for changes that cannot be meant. */
export function checkChanges(changes: Changes): void {
  checkOptions(changes, [...OWNER_CHANGES, 'maxBytes']);
  checkOwnerChanges(changes);
  if (changes.maxBytes !== undefined) checkMaxBytes(changes.maxBytes);
}

/** The state of a queue, or `-errno`. */
export function statusOf(id: number): Status | number {
  const result = native().msgctlStat(id, fields);
  if (result < 0) return result;
  return {
    ...identityOf(id, fields),
    messages: field(6),
    bytes: field(7),
    maxBytes: field(8),
    lastSendPid: some(field(9)),
    lastReceivePid: some(field(10)),
    lastSendTime: moment(field(11)),
    lastReceiveTime: moment(field(12)),
    changeTime: new Date(field(13) * 1000),
  };
}

/** Bytes that the queue holds at most, or `-errno`. */
export function maxBytesOf(id: number): number {
  const result = native().msgctlStat(id, fields);
  return result < 0 ? result : field(8);
}

/** Queues among the System V objects. */
export const QUEUES: Kind = {
  prefix: 'msg',
  noun: 'queue',
  find: (key) => native().msgget(key, 0),
  keyOf: (id) => {
    const result = native().msgctlStat(id, fields);
    return result < 0 ? result : field(5);
  },
  remove: (id) => native().msgctlRemove(id),
};
