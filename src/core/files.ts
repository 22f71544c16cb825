/** Small questions about files that several families ask. */
import { constants } from 'node:fs';
import { native } from '../sys/index.js';
import { ENOENT } from './errno.js';
import { check, type ErrorSubject } from './errors.js';

/** What fstat(2) says, as far as we ask. */
export interface FileStatus {
  dev: bigint;
  ino: bigint;
  mode: number;
  links: number;
  uid: number;
  gid: number;
  size: number;
}

const fields = new BigInt64Array(7);

function status(): FileStatus {
  return {
    dev: fields[0] as bigint,
    ino: fields[1] as bigint,
    mode: Number(fields[2]),
    links: Number(fields[3]),
    uid: Number(fields[4]),
    gid: Number(fields[5]),
    size: Number(fields[6]),
  };
}

/** fstat(2) of a descriptor. */
export function statusOf(fd: number, subject?: ErrorSubject): FileStatus {
  check(native().fstat(fd, fields), 'fstat', subject);
  return status();
}

/** lstat(2) of a path, `undefined` if nothing is there. Symbolic links are not followed. */
export function statusAt(path: string): FileStatus | undefined {
  const found = native().lstat(path, fields);
  if (found === -ENOENT) return undefined;
  check(found, 'lstat', { path });
  return status();
}

/** Whether this path still names the file that is open as `fd`. */
export function namesDescriptor(path: string, fd: number): boolean {
  const open = statusOf(fd);
  const named = statusAt(path);
  return named !== undefined && named.ino === open.ino && named.dev === open.dev;
}

/** Whether a mode is of this kind (`constants.S_IFIFO`, `S_IFSOCK`, `S_IFREG`, …). */
export function isKind(mode: number, kind: number): boolean {
  return (mode & constants.S_IFMT) === kind;
}
