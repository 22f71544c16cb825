/** What IPC_STAT tells of every kind of objects, in the form in which users see it. */
import type { Owner } from './owner.js';

/** The permission bits; above them are flags of the kernel. */
const MODE = 0o777;

/** A field that says 0 for "none". */
export const some = (value: number): number | undefined => (value === 0 ? undefined : value);

/** A time in seconds, 0 for "never". */
export const moment = (seconds: number): Date | undefined => (seconds === 0 ? undefined : new Date(seconds * 1000));

/** The first fields of each: uid, gid, creator's uid and gid, mode, key. */
export function identityOf(id: number, fields: BigInt64Array): Owner & { key: number; id: number } {
  const field = (index: number): number => Number(fields[index]);
  return {
    key: field(5),
    id,
    uid: field(0),
    gid: field(1),
    creatorUid: field(2),
    creatorGid: field(3),
    mode: field(4) & MODE,
  };
}
