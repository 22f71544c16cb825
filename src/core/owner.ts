/** Whose a thing with a name has to be, which somebody else may have put there before. */
import { checkInteger } from './arguments.js';
import { argumentError, type ErrorSubject, IpcError } from './errors.js';

/** Whose it has to be: `'self'`, the user that this process acts as, or a user's number. Anybody's if omitted. */
export type Owner = 'self' | number;

/** (uid_t)-1 means "nobody in particular" to the kernel. */
const MOST_UID = 2 ** 32 - 2;

/** Throws for an owner that cannot be meant. */
export function checkOwner(owner: unknown): asserts owner is Owner | undefined {
  if (owner === undefined || owner === 'self') return;
  if (typeof owner === 'string') throw argumentError(`owner must be 'self' or a uid, got '${owner}'`);
  checkInteger('owner', owner, 0, MOST_UID);
}

/** Throws if what was found belongs to another user than it has to; `noun` is what it is. */
export function refuseStranger(
  uid: number,
  owner: Owner | undefined,
  { noun, syscall, ...subject }: ErrorSubject & { noun: string; syscall: string },
): void {
  if (owner === undefined) return;
  const wanted = owner === 'self' ? process.geteuid?.() : owner;
  if (uid === wanted) return;
  throw new IpcError({
    code: 'EACCES',
    syscall,
    ...subject,
    message: `it belongs to the user ${uid} and not to ${wanted}`,
    hint: `the option owner says whose ${noun} it has to be; somebody else may have made one of this name before`,
  });
}
