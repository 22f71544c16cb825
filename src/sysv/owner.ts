/** Whose a System V object is and who may use it: struct ipc_perm, the same for each kind. */
import { checkInteger } from '../core/arguments.js';

/** Who made an object, whose it is, and who may use it. */
export interface Owner {
  /** The owner, who may change and remove it. */
  uid: number;
  gid: number;
  /** Who made it, who may always do so, too. */
  creatorUid: number;
  creatorGid: number;
  /**
   * Permission bits: 0400 receiving, reading and looking, 0200 sending and, besides reading, writing; of owner, group and others. The
   * umask does not matter.
   */
  mode: number;
}

/** What of it can be changed. */
export interface OwnerChanges {
  uid?: number;
  gid?: number;
  /** Permission bits, 0 to 0777. */
  mode?: number;
}

/** Those of `OwnerChanges`, for `checkOptions`. */
export const OWNER_CHANGES: readonly string[] = ['uid', 'gid', 'mode'];

/** The kernel has no other permission bits: 01000 and more are flags of msgget(2). */
const MOST_MODE = 0o777;
/** -1 means no user. */
const MOST_ID = 0xffff_fffe;

/** Permission bits. */
export function checkObjectMode(mode: unknown): asserts mode is number {
  checkInteger('mode', mode, 0, MOST_MODE);
}

/** Throws for changes that cannot be meant. */
export function checkOwnerChanges({ uid, gid, mode }: OwnerChanges): void {
  if (uid !== undefined) checkInteger('uid', uid, 0, MOST_ID);
  if (gid !== undefined) checkInteger('gid', gid, 0, MOST_ID);
  if (mode !== undefined) checkObjectMode(mode);
}
