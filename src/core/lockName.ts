/**
 * A path as something to have: who holds flock(2) on the file that it names has it. The file may be removed by who holds it; so
 * whoever gets the lock looks whether the path still means that file, and begins anew if not.
 */
import { constants } from 'node:fs';
import { LOCK_EX, LOCK_NB, LOCK_UN, native } from '../sys/index.js';
import { EAGAIN, EEXIST, ENOENT } from './errno.js';
import { check } from './errors.js';
import { type FileStatus, namesDescriptor, statusOf } from './files.js';

const FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const MAKE = constants.O_CREAT | constants.O_EXCL;

/** A lock file that is open for reading and writing. */
export interface OpenLockFile {
  readonly fd: number;
  /** Whether it was made for this. */
  readonly made: boolean;
}

/**
 * Opens the lock file, or makes it. Symbolic links are not followed.
 *
 * @param refuse throws for what cannot be a lock file
 */
export function openLockFile(path: string, mode: number, refuse: (found: FileStatus) => void): OpenLockFile {
  for (;;) {
    let fd = native().open(path, FLAGS, 0);
    const made = fd === -ENOENT;
    if (made) fd = native().open(path, FLAGS | MAKE, mode);
    if (made && fd === -EEXIST) continue;
    check(fd, 'open', { path });
    try {
      if (made) check(native().fchmod(fd, mode), 'fchmod', { path });
      refuse(statusOf(fd, { path }));
      return { fd, made };
    } catch (why) {
      native().close(fd);
      throw why;
    }
  }
}

/** Takes the path at once: the descriptor that holds it, or `undefined` if somebody has it. */
export function tryTakeName(path: string, mode: number, refuse: (found: FileStatus) => void): number | undefined {
  for (;;) {
    const { fd } = openLockFile(path, mode, refuse);
    let kept = false;
    try {
      const locked = native().flock(fd, LOCK_EX | LOCK_NB);
      if (locked === -EAGAIN) return undefined;
      check(locked, 'flock', { path });
      // Who had it before may have removed the file while we were opening it: then ours locks nothing.
      kept = namesDescriptor(path, fd);
      if (kept) return fd;
    } finally {
      if (!kept) native().close(fd);
    }
  }
}

/** Removes the file that is held through `fd`, unless the path means another by now, and gives the lock back. `fd` stays open. */
export function giveName(path: string, fd: number): void {
  if (namesDescriptor(path, fd)) native().unlink(path);
  native().flock(fd, LOCK_UN);
}
