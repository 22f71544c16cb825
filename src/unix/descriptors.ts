/** Descriptors that travel with the bytes of a Unix socket (SCM_RIGHTS), and the sender's credentials. */
import { MOST_DESCRIPTORS, MSG_DONTWAIT, F_DUPFD_CLOEXEC, native } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError, check, type ErrorSubject, IpcError, rangeError } from '../core/errors.js';
import type { FirstCall } from '../core/writing.js';
import { Answers, type Credentials } from './answers.js';

/** A descriptor to send: its number, or a handle that has one. It stays open here, too. */
export type Sendable = number | { readonly fd: number };

/** What travels along with the bytes. */
export interface SendExtras {
  /** At most 253. The peer gets duplicates; ours stay open. */
  fds?: readonly Sendable[];
  /**
   * Who the sender says to be (SCM_CREDENTIALS), for a peer with `passCredentials`: the kernel lets everybody name
   * his own process and one of his real, effective and saved ids; others need CAP_SYS_ADMIN, CAP_SETUID and
   * CAP_SETGID. If omitted, the kernel names this process with its real ids.
   */
  credentials?: Credentials;
}

/** The largest id; 2^32 - 1 stands for none. */
const MOST_ID = 0xfffffffe;
/** With memory behind it: Node-API gives no address for an array that never had any. */
export const NOTHING = new Int32Array(new ArrayBuffer(4), 0, 0);

/** The name of whom the socket is connected to. */
export const CONNECTED = new Uint8Array(new ArrayBuffer(4), 0, 0);

/** What came in one piece. */
export interface Received {
  data: Uint8Array;
  /**
   * Descriptors that were sent along, close-on-exec. They are plain numbers and belong to the caller
   * from now on, who has to close each of them or wrap it in a handle.
   */
  fds: number[];
  /** Of the sender, vouched for by the kernel; `null` unless `passCredentials` is on. */
  credentials: Credentials | null;
}

/** The descriptors of a `send`, checked; `undefined` if there are none. */
export function checkDescriptors(fds: readonly Sendable[] | undefined): Int32Array | undefined {
  if (fds === undefined) return undefined;
  if (!Array.isArray(fds)) throw argumentError(`fds must be an array, got ${String(fds)}`);
  if (fds.length === 0) return undefined;
  if (fds.length > MOST_DESCRIPTORS) {
    throw rangeError(`fds must be at most ${MOST_DESCRIPTORS} descriptors (SCM_MAX_FD), got ${fds.length}`);
  }
  return Int32Array.from(fds as readonly Sendable[], (one, index) => {
    const fd = typeof one === 'object' && one !== null ? one.fd : one;
    checkInteger(`fds[${index}]`, fd, 0, 0x7fffffff);
    return fd;
  });
}

/** The credentials of a `send`, checked; `undefined` if there are none. */
export function checkCredentials(given: Credentials | undefined): Int32Array | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== 'object' || given === null) {
    throw argumentError(`credentials must be an object { pid, uid, gid }, got ${String(given)}`);
  }
  checkOptions(given, ['pid', 'uid', 'gid']);
  checkInteger('credentials.pid', given.pid, 1, 0x7fffffff);
  checkInteger('credentials.uid', given.uid, 0, MOST_ID);
  checkInteger('credentials.gid', given.gid, 0, MOST_ID);
  return Int32Array.of(given.pid, given.uid, given.gid);
}

/** What goes along with the first byte of a send. */
export interface Attached {
  fds: Int32Array;
  credentials: Int32Array;
}

/** What a `send` attaches, checked; `undefined` if nothing. */
export function checkAttached(extras: SendExtras | undefined): Attached | undefined {
  const fds = checkDescriptors(extras?.fds);
  const credentials = checkCredentials(extras?.credentials);
  return fds === undefined && credentials === undefined
    ? undefined
    : { fds: fds ?? NOTHING, credentials: credentials ?? NOTHING };
}

/** A first call that sends these with the first bytes. */
export function sendWith({ fds, credentials }: Attached): FirstCall {
  return (fd, bytes, offset, length) =>
    native().sendmsg(fd, bytes, offset, length, fds, credentials, MSG_DONTWAIT, CONNECTED);
}

/** Closes them all. */
export function closeAll(descriptors: Iterable<number>): void {
  for (const fd of descriptors) native().close(fd);
}

/** Duplicates, for a send that has to wait: the caller may close its own meanwhile. */
export function duplicates(descriptors: Int32Array): Int32Array {
  if (descriptors.length === 0) return descriptors;
  const made: number[] = [];
  try {
    for (const fd of descriptors) {
      const copy = check(native().fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl(F_DUPFD_CLOEXEC)', {
        object: `descriptor ${fd}`,
      });
      made.push(copy);
    }
  } catch (why) {
    closeAll(made);
    throw why;
  }
  return Int32Array.from(made);
}

const answers = new Answers(1);

/** recvmsg(2): the length or `-errno`. What came along is told by `unpack`. */
export function receiveMessage(fd: number, buffer: Uint8Array): number {
  return native().recvmsg(fd, buffer, 0, buffer.length, answers.words, answers.names, MSG_DONTWAIT);
}

/** What the last `receiveMessage` brought beside its bytes; throws if a part of it was cut off. */
export function unpack(data: Uint8Array, subject: ErrorSubject | undefined): Received {
  const fds = answers.descriptors(0);
  if (answers.lost(0)) {
    closeAll(fds);
    throw Object.assign(lostError(subject), { data });
  }
  return { data, fds, credentials: answers.credentials(0) };
}

/** Descriptors came along for which there was no room; whoever throws it adds the `data`. */
export function lostError(subject: ErrorSubject | undefined): IpcError {
  return new IpcError({
    code: 'EMFILE',
    syscall: 'recvmsg',
    ...subject,
    message:
      'descriptors that came with the bytes are lost, since this process can open no more; the bytes are in `data`',
  });
}
