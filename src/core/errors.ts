/**
 * Every error that interproc throws: `IpcError` for what the kernel or a peer refused, and
 * `TypeError`, `RangeError` or `Error` with an `ERR_INTERPROC_*` code for what the caller did.
 */
import { onLoadFailure } from '../sys/index.js';
import { errnoDescription, errnoName, errnoNumber } from './errno.js';
import { hintFor } from './hints.js';

/** The codes of errors that are not the kernel's. docs/errors.md has the table. */
export type InterprocErrorCode =
  | 'ERR_INTERPROC_ARGUMENT'
  | 'ERR_INTERPROC_RANGE'
  | 'ERR_INTERPROC_NAME'
  | 'ERR_INTERPROC_URL'
  | 'ERR_INTERPROC_CLOSED'
  | 'ERR_INTERPROC_BACKPRESSURE'
  | 'ERR_INTERPROC_TRUNCATED'
  | 'ERR_INTERPROC_READ_ONLY'
  | 'ERR_INTERPROC_LAYOUT'
  | 'ERR_INTERPROC_LOCKED'
  | 'ERR_INTERPROC_UNSUPPORTED'
  | 'ERR_INTERPROC_NOT_BUILT';

/** What a kernel error is about: at most one of a path, an object's name and a key. */
export interface ErrorSubject {
  path?: string;
  object?: string;
  key?: string;
}

/** What an `IpcError` is made of, where no system call returned it. */
export interface IpcErrorInit extends ErrorSubject {
  code: string;
  syscall: string;
  message?: string;
  hint?: string | undefined;
  cause?: unknown;
}

/**
 * The kernel, or the peer, said no. It has the shape of Node's own system errors: `code`
 * (`'EACCES'`), `errno` (negative), `syscall`, and `path`, `object` or `key`; and a `hint`, one
 * sentence that names the limit or permission behind it and where to change it.
 */
export class IpcError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  declare readonly path?: string;
  declare readonly object?: string;
  declare readonly key?: string;
  declare readonly hint?: string;

  constructor(init: IpcErrorInit) {
    const number = errnoNumber(init.code) ?? 0;
    const subject = init.path ?? init.object ?? init.key;
    const what = init.message ?? errnoDescription(number);
    const about = subject === undefined ? init.syscall : `${init.syscall} '${subject}'`;
    super(`${init.code}: ${what}, ${about}`, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.errno = number === 0 ? 0 : -number;
    this.syscall = init.syscall;
    if (init.path !== undefined) this.path = init.path;
    if (init.object !== undefined) this.object = init.object;
    if (init.key !== undefined) this.key = init.key;
    const hint = init.hint ?? hintFor(init.syscall, init.code);
    if (hint !== undefined) this.hint = hint;
  }
}
Object.defineProperty(IpcError.prototype, 'name', { value: 'IpcError', writable: true, configurable: true });

/** The error for what a system call answered (`-errno`). */
export function systemError(result: number, syscall: string, subject: ErrorSubject = {}): IpcError {
  return new IpcError({ code: errnoName(-result), syscall, ...subject });
}

/** The result of a system call, or the error that it stands for. */
export function check(result: number, syscall: string, subject?: ErrorSubject): number {
  if (result < 0) throw systemError(result, syscall, subject);
  return result;
}

/** A wait that took too long: `ETIMEDOUT`. */
export function timeoutError(syscall: string, timeoutMs: number, subject: ErrorSubject = {}): IpcError {
  return new IpcError({ code: 'ETIMEDOUT', syscall, message: `timed out after ${timeoutMs} ms`, ...subject });
}

/** A wait that an AbortSignal ended, in the form of Node's own. */
export class AbortError extends Error {
  readonly code = 'ABORT_ERR';

  constructor(signal: AbortSignal) {
    super('The operation was aborted', { cause: signal.reason });
  }
}
Object.defineProperty(AbortError.prototype, 'name', { value: 'AbortError', writable: true, configurable: true });

/** A `TypeError` for an argument of the wrong kind. */
export function argumentError(message: string, code: InterprocErrorCode = 'ERR_INTERPROC_ARGUMENT'): TypeError {
  return Object.assign(new TypeError(message), { code });
}

/** A `RangeError` for a number outside its range. */
export function rangeError(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_INTERPROC_RANGE' as const });
}

/** Use after `close()`, or a wait that was pending at `close()`. */
export function closedError(what: string): Error {
  return Object.assign(new Error(`${what} is closed`), { code: 'ERR_INTERPROC_CLOSED' as const });
}

/** An `Error` with one of our own codes. */
export function codedError(code: InterprocErrorCode, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

onLoadFailure((failure) => codedError(failure.code, failure.message, failure.cause));
