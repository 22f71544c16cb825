/** What differs between queues, segments and semaphore sets where they are treated alike. */
import type { ErrorSubject } from '../core/errors.js';
import type { Result } from '../sys/index.js';
import { IPC_PRIVATE, keyName } from './key.js';

/** One of the three kinds of System V objects, by its calls. */
export interface Kind {
  /** What its system calls begin with: msgget(2), msgctl(2). */
  readonly prefix: 'msg' | 'shm' | 'sem';
  /** What messages call one: `queue`. */
  readonly noun: string;
  /** The id of the object with this key, whatever may be done with it. */
  find(key: number): Result;
  /** The key of the object with this id, 0 to 2^32 - 1 (IPC_STAT). */
  keyOf(id: number): Result;
  /** Removes it for everybody (IPC_RMID). */
  remove(id: number): Result;
}

/** How a handle came about. */
export interface Found {
  id: number;
  /** 0 to 2^32 - 1; 0 is a private object. */
  key: number;
  /** Whether this call made the object. */
  created: boolean;
}

/** What errors name while there is no id yet. */
export const subjectOfKey = (key: number): ErrorSubject => ({
  key: key === IPC_PRIVATE ? 'IPC_PRIVATE' : keyName(key),
});

/** What errors about an object name. */
export const subjectOf = ({ id, key }: Pick<Found, 'id' | 'key'>): ErrorSubject =>
  key === IPC_PRIVATE ? { object: `id ${id}` } : { key: keyName(key) };
