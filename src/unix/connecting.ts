/** How a socket of a connection is made and connected, whether it carries a stream or packets. */
import { native } from '../sys/index.js';
import { callBlocking, callBlockingSync } from '../core/blocking.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { check, type ErrorSubject, IpcError, timeoutError } from '../core/errors.js';
import { traceOf } from '../core/trace.js';
import { setNonBlocking } from '../core/transfer.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { checkOptions } from '../core/arguments.js';
import { type Address, parseAddress, type Place } from './address.js';
import type { Credentials } from './answers.js';
import { checkPolicy, credentialsOf, isAllowed, type Policy, type PolicyOptions } from './peer.js';

const trace = traceOf('unix');

/** Options of `connect`. `allow` decides about the server, by its credentials when it began to listen. */
export interface ConnectOptions extends WaitOptions, PolicyOptions {}
/** Options of `connectSync`. */
export interface SyncConnectOptions extends SyncWaitOptions, PolicyOptions {}
/** Options of `tryConnect`. */
export type TryConnectOptions = PolicyOptions;

/** A kind of connected sockets. */
export interface Kind<S> {
  /** SOCK_STREAM or SOCK_SEQPACKET. */
  type: number;
  /** Takes over a connected descriptor. */
  wrap(fd: number, what: string, subject?: ErrorSubject): S;
}

/** Two sockets that are connected to each other. */
export interface Pair<S> extends Disposable {
  first: S;
  second: S;
  /** Closes both. */
  close(): void;
}

function refusal(place: Place, { pid, uid }: Credentials): IpcError {
  return new IpcError({
    code: 'EACCES',
    syscall: 'connect',
    ...place.subject,
    message: `the server is process ${pid} of user ${uid}, which \`allow\` refuses`,
    hint: 'another program may have taken this address',
  });
}

function socketOn<S>(kind: Kind<S>, fd: number, place: Place, allow: Policy | undefined): S {
  if (allow !== undefined) {
    try {
      const server = credentialsOf(fd, place.subject);
      if (!isAllowed(allow, server)) throw refusal(place, server);
    } catch (why) {
      native().close(fd);
      trace('refuse', { ...place.subject, fd });
      throw why;
    }
  }
  trace('connect', { ...place.subject, fd });
  return kind.wrap(fd, `the connection to ${String(place.subject.path ?? place.subject.object)}`, place.subject);
}

/** connect(2) without waiting; `undefined` while the server's backlog is full. */
function connectNow<S>(kind: Kind<S>, place: Place, allow: Policy | undefined): S | undefined {
  const fd = check(native().socket(kind.type), 'socket', place.subject);
  const connected = native().connect(fd, place.name);
  if (connected === 0) return socketOn(kind, fd, place, allow);
  native().close(fd);
  if (connected === -EAGAIN || connected === -EINTR) return undefined;
  check(connected, 'connect', place.subject);
  return undefined;
}

/** connect(2), waiting while the backlog is full; the address was checked before. */
export async function connectTo<S>(kind: Kind<S>, place: Place, options: ConnectOptions | undefined): Promise<S> {
  checkSignal(options?.signal);
  const timeoutMs = checkTimeout(options?.timeoutMs);
  const now = connectNow(kind, place, options?.allow);
  if (now !== undefined) return now;
  if (timeoutMs === 0) throw timeoutError('connect', 0, place.subject);
  const start = (token: number): number => native().blockingConnect(token, kind.type, place.name);
  const connected = await callBlocking(start, options, { syscall: 'connect', subject: place.subject });
  return socketOn(kind, check(connected, 'connect', place.subject), place, options?.allow);
}

/** connect(2), as the three forms of `connect` are. */
export async function connectKind<S>(kind: Kind<S>, address: Address, options: ConnectOptions | undefined): Promise<S> {
  checkOptions(options, ['allow', ...WAIT_OPTIONS]);
  checkPolicy(options?.allow);
  return connectTo(kind, parseAddress(address), options);
}

/** As `connectKind`, blocking this thread. */
export function connectKindSync<S>(kind: Kind<S>, address: Address, options: SyncConnectOptions | undefined): S {
  const place = parseAddress(address);
  checkOptions(options, ['allow', 'timeoutMs']);
  checkPolicy(options?.allow);
  checkTimeout(options?.timeoutMs);
  const now = connectNow(kind, place, options?.allow);
  if (now !== undefined) return now;
  const start = (token: number): number => native().blockingConnect(token, kind.type, place.name);
  const connected = callBlockingSync(start, options, { syscall: 'connect', subject: place.subject });
  return socketOn(kind, check(connected, 'connect', place.subject), place, options?.allow);
}

/** As `connectKind`, without waiting: `undefined` while the server's backlog is full. */
export function tryConnectKind<S>(
  kind: Kind<S>,
  address: Address,
  options: TryConnectOptions | undefined,
): S | undefined {
  checkOptions(options, ['allow']);
  checkPolicy(options?.allow);
  return connectNow(kind, parseAddress(address), options?.allow);
}

const ends = new Int32Array(new ArrayBuffer(128));

/** socketpair(2). */
export function pairOf<S extends Disposable & { close(): void }>(
  type: number,
  wrap: (fd: number, what: string) => S,
): Pair<S> {
  check(native().socketpair(type, ends), 'socketpair');
  const [one, other] = [ends[0] as number, ends[1] as number];
  const first = wrap(one, 'the first socket of a pair');
  const second = wrap(other, 'the second socket of a pair');
  setNonBlocking(one, false);
  setNonBlocking(other, false);
  const close = (): void => {
    first.close();
    second.close();
  };
  trace('pair', { first: one, second: other });
  return { first, second, close, [Symbol.dispose]: close };
}
