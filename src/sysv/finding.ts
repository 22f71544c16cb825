/** How System V objects are found, made and removed by key and by id: the same rules for each kind. */
import { checkInteger } from '../core/arguments.js';
import { EIDRM, EINVAL, ENOENT } from '../core/errno.js';
import { check, IpcError, systemError } from '../core/errors.js';
import { openOrMake } from '../core/named.js';
import { checkKey, checkPublicKey, IPC_PRIVATE, type Key, randomKey } from './key.js';
import { type Kind, subjectOfKey } from './kind.js';

const MOST_ID = 0x7fff_ffff;

/** Makes an object that must not exist yet. For `'random'` keys are tried until one is free. */
export function makeNew<T>(key: Key | 'random', make: (key: number) => T): T {
  if (key !== 'random') return make(checkKey(key));
  for (;;) {
    try {
      return make(randomKey());
    } catch (why) {
      if (!(why instanceof IpcError && why.code === 'EEXIST')) throw why;
    }
  }
}

/** Finds the object with this key, else makes it; of several who do so at once, one makes it. A private one is always new. */
export function findOrMake<T extends object>(key: Key, find: (key: number) => T, make: (key: number) => T): T {
  const checked = checkKey(key);
  if (checked === IPC_PRIVATE) return make(checked);
  return openOrMake(
    () => find(checked),
    () => make(checked),
  );
}

/** What the kernel tells of the object with this id, which has to be readable for us. `statusOf` is the kind's own. */
export function statusById<T>({ prefix }: Kind, id: number, statusOf: (id: number) => T | number): T {
  checkInteger('id', id, 0, MOST_ID);
  const status = statusOf(id);
  if (typeof status === 'number') throw systemError(status, `${prefix}ctl(IPC_STAT)`, { object: `id ${id}` });
  return status;
}

/** Removes the object with this key for everybody. One that somebody else has removed since it was found is not there. */
export function removeByKey(kind: Kind, key: number): void {
  const checked = checkPublicKey(key);
  const subject = subjectOfKey(checked);
  const id = check(kind.find(checked), `${kind.prefix}get`, subject);
  const removed = kind.remove(id);
  if (removed === -EINVAL || removed === -EIDRM) throw systemError(-ENOENT, `${kind.prefix}get`, subject);
  check(removed, `${kind.prefix}ctl(IPC_RMID)`, subject);
}
