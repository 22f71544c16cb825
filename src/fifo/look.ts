/** What stands at a path, looked at before it is opened and again once it is: a FIFO, of the right owner, or nothing is done. */
import { constants } from 'node:fs';
import { native } from '../sys/index.js';
import { checkInteger, checkString } from '../core/arguments.js';
import { argumentError, check, IpcError } from '../core/errors.js';
import { type FileStatus, isKind, kindOf, statusAt, statusOf } from '../core/files.js';

/** Whose FIFO it has to be: `'self'`, the user that this process acts as, or a user's number. Anybody's if omitted. */
export type Owner = 'self' | number;

/** (uid_t)-1 means "nobody in particular" to the kernel. */
const MOST_UID = 2 ** 32 - 2;

/** Throws for an owner that cannot be meant. */
export function checkOwner(owner: unknown): asserts owner is Owner | undefined {
  if (owner === undefined || owner === 'self') return;
  if (typeof owner === 'string') throw argumentError(`owner must be 'self' or a uid, got '${owner}'`);
  checkInteger('owner', owner, 0, MOST_UID);
}

/** Throws unless this mode is a FIFO's. */
export function refuseOther(path: string, mode: number, syscall = 'open'): void {
  if (isKind(mode, constants.S_IFIFO)) return;
  const isLink = isKind(mode, constants.S_IFLNK);
  throw new IpcError({
    code: isLink ? 'ELOOP' : 'EINVAL',
    syscall,
    path,
    message: `it is no FIFO but ${kindOf(mode)}`,
    ...(isLink ? {} : { hint: 'only a FIFO is opened or removed here; fifo.create(path) makes one where nothing is' }),
  });
}

function refuseStranger(path: string, uid: number, owner: Owner | undefined): void {
  if (owner === undefined) return;
  const wanted = owner === 'self' ? process.geteuid?.() : owner;
  if (uid === wanted) return;
  throw new IpcError({
    code: 'EACCES',
    syscall: 'open',
    path,
    message: `it belongs to the user ${uid} and not to ${wanted}`,
    hint: 'the option owner says whose FIFO it has to be; somebody else may have made one at this path before',
  });
}

function refuse(path: string, { mode, uid }: FileStatus, owner: Owner | undefined): void {
  refuseOther(path, mode);
  refuseStranger(path, uid, owner);
}

/** Throws unless a FIFO of this owner is there: opening a device, for instance, would have effects by itself. */
export function look(path: string, owner?: Owner): void {
  refuse(path, found(path, 'open'), owner);
}

/** What is there. @throws IpcError ENOENT, EINVAL and ELOOP if it is no FIFO */
export function lookToRemove(path: string): void {
  refuseOther(path, found(path, 'unlink').mode, 'unlink');
}

function found(path: string, syscall: string): FileStatus {
  checkString('path', path);
  const status = statusAt(path);
  if (status !== undefined) return status;
  throw new IpcError({ code: 'ENOENT', syscall, path, hint: 'fifo.create(path) makes a FIFO' });
}

/** What open(2) gave, if it is still the FIFO that was looked at; else it is closed again. */
export function taken(path: string, opened: number, owner: Owner | undefined): number {
  const fd = check(opened, 'open', { path });
  try {
    refuse(path, statusOf(fd, { path }), owner);
  } catch (why) {
    native().close(fd);
    throw why;
  }
  return fd;
}
