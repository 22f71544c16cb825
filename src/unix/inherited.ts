/** What a descriptor is that this process did not make itself. */
import { constants } from 'node:fs';
import { native, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { argumentError, check, type ErrorSubject } from '../core/errors.js';
import { isKind, statusOf } from '../core/files.js';
import { credentialsOf } from './peer.js';

const AF_UNIX = 1;
/** The id that is none: -1 as uid_t. */
const NO_ID = 0xffffffff;
/** socket(7), besides those of sys/constants.ts. */
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;

/** What can be taken over: its type, and whether it listens. */
const KINDS = {
  'connected Unix stream socket': [SOCK_STREAM, 0],
  'listening Unix stream socket': [SOCK_STREAM, 1],
  'connected Unix seqpacket socket': [SOCK_SEQPACKET, 0],
  'listening Unix seqpacket socket': [SOCK_SEQPACKET, 1],
  'Unix datagram socket': [SOCK_DGRAM, 0],
} as const;

/** A kind of sockets that can be taken over. */
export type InheritedKind = keyof typeof KINDS;

/**
 * Sees that the descriptor is a socket of this kind.
 *
 * @param what how errors call it
 * @throws TypeError ERR_INTERPROC_ARGUMENT if it is something else; IpcError EBADF
 */
export function checkInherited(fd: number, kind: InheritedKind, what = `descriptor ${fd}`): ErrorSubject {
  checkInteger('fd', fd, 0, 0x7fffffff);
  const subject = { object: what };
  if (!isKind(statusOf(fd, subject).mode, constants.S_IFSOCK)) throw argumentError(`${what} is not a socket`);
  const option = (name: number): number => check(native().getsockopt(fd, name), 'getsockopt', subject);
  const [type, listens] = KINDS[kind];
  const fits = option(SO_DOMAIN) === AF_UNIX && option(SO_TYPE) === type && option(SO_ACCEPTCONN) === listens;
  // Not connected and not listening, the kernel knows no peer.
  const unused = fits && kind.startsWith('connected') && credentialsOf(fd, subject).uid === NO_ID;
  if (!fits || unused) throw argumentError(`${what} is not a ${kind}`);
  return subject;
}
