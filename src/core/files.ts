/** Small questions about files that several families ask. */
import { chmodSync, constants } from 'node:fs';
import { native, O_PATH } from '../sys/index.js';
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

const KINDS: Record<number, string> = {
  [constants.S_IFREG]: 'a regular file',
  [constants.S_IFDIR]: 'a folder',
  [constants.S_IFLNK]: 'a symbolic link',
  [constants.S_IFIFO]: 'a FIFO',
  [constants.S_IFSOCK]: 'a socket',
  [constants.S_IFCHR]: 'a character device',
  [constants.S_IFBLK]: 'a block device',
};

/** What a mode says the thing is, in words: `'a regular file'`. */
export function kindOf(mode: number): string {
  return KINDS[mode & constants.S_IFMT] ?? 'something unknown';
}

/**
 * Gives a new name exactly this mode, whatever the umask took away when it was made. The name is
 * opened as a place only, never followed, and `use` sees it while it is open. `verify` sees it before its
 * mode is changed, and throws for what is not the thing that was made.
 */
export function settle<T>(
  path: string,
  mode: number,
  use: (fd: number) => T,
  verify: (found: FileStatus) => void = () => {},
): T {
  const fd = check(native().open(path, O_PATH | constants.O_NOFOLLOW, 0), 'open', { path });
  try {
    const found = statusOf(fd, { path });
    verify(found);
    // chmod(2) through /proc reaches this very inode; fchmod(2) refuses a place, chmod(path) follows links.
    if (!isKind(found.mode, constants.S_IFLNK) && (found.mode & 0o7777) !== mode)
      chmodSync(`/proc/self/fd/${fd}`, mode);
    return use(fd);
  } finally {
    native().close(fd);
  }
}
