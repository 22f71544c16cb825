/** What stands at a path, looked at before it is opened and again once it is: a FIFO, of the right owner, or nothing is done. */
import { constants } from 'node:fs';
import { native } from '../sys/index.js';
import { checkString } from '../core/arguments.js';
import { check, IpcError } from '../core/errors.js';
import { type FileStatus, isKind, kindOf, statusAt, statusOf } from '../core/files.js';
import { type Owner, refuseStranger } from '../core/owner.js';

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

function refuse(path: string, { mode, uid }: FileStatus, owner: Owner | undefined): void {
  refuseOther(path, mode);
  refuseStranger(uid, owner, { noun: 'FIFO', syscall: 'open', path });
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
