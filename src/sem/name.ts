/** Names of semaphores, the files behind them, and whose a file may be. */
import { constants } from 'node:fs';
import { checkInteger, checkString } from '../core/arguments.js';
import { argumentError, check, IpcError } from '../core/errors.js';
import { isKind, kindOf, statusOf } from '../core/files.js';
import { native } from '../sys/index.js';

const FOLDER = '/dev/shm/';
/** libc's, for sem_open(3). */
const PREFIX = 'sem.';
/** Ours, for semaphores whose permits come back: libc knows nothing of them, and shall not find them. */
const RECOVERING_PREFIX = 'interproc-sem.';
const MOST_UID = 0xffff_fffe;

/** Whose a semaphore may be. */
export interface OwnerOptions {
  /**
   * A uid whose it may be, besides this process's own (its effective one) and root's. Somebody else's is refused: he could have made it under
   * this name before.
   */
  owner?: number;
}

/** Throws for an owner that cannot be meant. */
export function checkOwner({ owner }: OwnerOptions): void {
  if (owner !== undefined) checkInteger('owner', owner, 0, MOST_UID);
}

/** The file of the semaphore with this name. */
export function pathOf(name: unknown, recovering: boolean): string {
  checkString('name', name);
  if (!/^\/(?!\.{1,2}$)[^/]+$/.test(name)) {
    throw argumentError(
      `a semaphore's name is one slash and then no other, like '/printers', got '${name}'`,
      'ERR_INTERPROC_NAME',
    );
  }
  return FOLDER + (recovering ? RECOVERING_PREFIX : PREFIX) + name.slice(1);
}

/** Opens the file that has this name, a regular one of the right owner, without following a link; and tells its size. */
export function openFile(name: string, path: string, { owner }: OwnerOptions): { fd: number; size: number } {
  const subject = { object: name };
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = check(native().open(path, flags, 0), 'sem_open', subject);
  const { mode, uid, size } = statusOf(fd, subject);
  const refuse = (code: string, message: string, hint: string): never => {
    native().close(fd);
    throw new IpcError({ code, syscall: 'sem_open', object: name, message, hint });
  };
  if (!isKind(mode, constants.S_IFREG)) {
    refuse('EINVAL', `what has this name is ${kindOf(mode)}`, `a semaphore is a regular file; this is ${path}`);
  }
  if (uid !== 0 && uid !== process.geteuid?.() && uid !== owner) {
    refuse('EACCES', `it belongs to the user ${uid}`, 'the option owner names a user whose semaphore is to be trusted');
  }
  return { fd, size };
}
