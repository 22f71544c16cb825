/** Who is at the other end: its credentials, its process, and whether it may be there. */
import { isPromise } from 'node:util/types';
import { native } from '../sys/index.js';
import { EINVAL, errnoNumber, ESRCH } from '../core/errno.js';
import { argumentError, check, type ErrorSubject } from '../core/errors.js';
import { ProcessHandle } from '../proc/index.js';
import type { Credentials } from './answers.js';

/**
 * Whether this peer may be there. Called once for each connection, before a byte is read or written. It answers at once: a
 * promise, or anything else that is no boolean, is a `TypeError`, and what it throws is thrown; the peer is refused then, too.
 */
export type Policy = (peer: Credentials) => boolean;

/** Who may be at the other end. */
export interface PolicyOptions {
  /** Everybody, if omitted. */
  allow?: Policy;
}

/** @throws TypeError ERR_INTERPROC_ARGUMENT */
export function checkPolicy(allow: unknown): asserts allow is Policy | undefined {
  if (allow === undefined || typeof allow === 'function') return;
  throw argumentError(`allow must be a function of the peer's credentials, got ${String(allow)}`);
}

/** What the policy says of this peer. */
export function isAllowed(allow: Policy, peer: Credentials): boolean {
  const answer: unknown = allow(peer);
  if (typeof answer === 'boolean') return answer;
  // What becomes of it does not matter any more; unheard, its rejection would end the process.
  if (isPromise(answer)) answer.catch(() => {});
  const got = isPromise(answer) ? 'a promise' : String(answer);
  throw argumentError(`allow must return true or false at once, got ${got}`);
}

const fields = new Float64Array(new ArrayBuffer(128));

/** SO_PEERCRED. */
export function credentialsOf(fd: number, subject: ErrorSubject | undefined): Credentials {
  check(native().peerCredentials(fd, fields), 'getsockopt(SO_PEERCRED)', subject);
  return { pid: fields[0] as number, uid: fields[1] as number, gid: fields[2] as number };
}

/** Kernels before 6.5 do not know the option. */
const UNKNOWN = -(errnoNumber('ENOPROTOOPT') as number);
/** Nobody is connected, or it is gone: which of the last two depends on the kernel. */
const GONE = new Set([-(errnoNumber('ENODATA') as number), -ESRCH, -EINVAL]);

/** The process of the peer, whose pid is this; 0 for one of a namespace that is not seen from here. */
export function openPeer(fd: number, pid: number, subject: ErrorSubject | undefined): ProcessHandle | undefined {
  if (pid <= 0) return undefined;
  const known = process.env['INTERPROC_PEERPIDFD'] === 'no' ? UNKNOWN : native().peerPidfd(fd);
  const [pidfd, call] =
    known === UNKNOWN ? [native().pidfdOpen(pid), 'pidfd_open'] : [known, 'getsockopt(SO_PEERPIDFD)'];
  if (GONE.has(pidfd)) return undefined;
  return new ProcessHandle(pid, check(pidfd, call, subject));
}
