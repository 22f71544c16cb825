/** Which descriptors a child gets, on which numbers. */
import { constants } from 'node:fs';
import { inspect } from 'node:util';
import { F_GETFL, native } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { argumentError, check } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { setNonBlocking } from '../core/transfer.js';

/** Something that holds a descriptor: any handle of this library, or what looks like one. */
export interface HasDescriptor {
  readonly fd: number;
  /** Gives the descriptor in blocking mode, as the ends of pipes do. */
  handOver?(): number;
}

/**
 * What a number means in the child: a descriptor of this process or a handle of one; `'inherit'`, the one of the same
 * number; `'null'`, /dev/null; `'closed'`, nothing; `'terminal'`, the pseudo-terminal that it is given.
 */
export type ChildDescriptor = number | HasDescriptor | 'inherit' | 'null' | 'closed' | 'terminal';

/** By number in the child; a list gives 0, 1, 2, … */
export type ChildDescriptors = { readonly [number: number]: ChildDescriptor } | readonly ChildDescriptor[];

const WORDS = ['inherit', 'null', 'closed', 'terminal'];
const TERMINAL = -1;
const MOST = 0x7fff_fffe;
/** Standard input, output and error: programs expect them to block. */
const STANDARD = 3;

/** The pairs that C wants, ascending, and what was opened for them. */
export interface Placed {
  pairs: Int32Array;
  opened: number[];
}

function open(name: string, fd: number): number {
  checkInteger(name, fd, 0, MOST);
  check(native().fcntl(fd, F_GETFL, 0), 'fcntl(F_GETFL)', { object: `descriptor ${fd} (${name})` });
  return fd;
}

function ofHandle(name: string, handle: HasDescriptor): number {
  if (typeof handle !== 'object' || handle === null || typeof handle.fd !== 'number') {
    throw argumentError(`${name} must be a descriptor, a handle or one of ${WORDS.join(', ')}, got ${inspect(handle)}`);
  }
  return open(name, handle.handOver === undefined ? handle.fd : handle.handOver());
}

function ofWord(
  name: string,
  word: string,
  number: number,
  opened: number[],
  hasTerminal: boolean,
): number | undefined {
  if (word === 'closed') return undefined;
  if (word === 'inherit') return open(name, number);
  if (word === 'null') {
    const fd = check(native().open('/dev/null', constants.O_RDWR, 0), 'open', { path: '/dev/null' });
    opened.push(fd);
    return fd;
  }
  if (word === 'terminal' && hasTerminal) return TERMINAL;
  if (word === 'terminal') throw argumentError(`${name} is 'terminal', but no pseudo-terminal was given as terminal`);
  const like = nearest(word, WORDS);
  throw argumentError(
    `${name} must be a descriptor, a handle or one of ${WORDS.join(', ')}, got ${inspect(word)}${like === undefined ? '' : `; did you mean '${like}'?`}`,
  );
}

/** Checks what was asked for and looks every descriptor up; the caller closes `opened` when the child is started. */
export function place(fds: ChildDescriptors | undefined, hasTerminal: boolean): Placed {
  const wanted = new Map<number, ChildDescriptor>();
  for (let number = 0; number < STANDARD; number++) wanted.set(number, hasTerminal ? 'terminal' : 'inherit');
  if (fds !== undefined && (typeof fds !== 'object' || fds === null)) {
    throw argumentError(`fds must be a list or an object by number, got ${inspect(fds)}`);
  }
  for (const [key, value] of Object.entries(fds ?? {})) {
    if (!/^(0|[1-9]\d{0,9})$/.test(key)) throw argumentError(`fds has a key that is no number: ${inspect(key)}`);
    checkInteger('a number in fds', Number(key), 0, MOST);
    if (value !== undefined) wanted.set(Number(key), value);
  }
  const opened: number[] = [];
  const pairs: number[] = [];
  try {
    for (const [number, value] of [...wanted].sort(([a], [b]) => a - b)) {
      const name = `fds[${number}]`;
      let fd: number | undefined;
      if (typeof value === 'number') fd = open(name, value);
      else if (typeof value === 'string') fd = ofWord(name, value, number, opened, hasTerminal);
      else fd = ofHandle(name, value);
      if (fd === undefined) continue;
      if (number < STANDARD && fd >= 0) setNonBlocking(fd, false);
      pairs.push(fd, number);
    }
  } catch (why) {
    for (const fd of opened) native().close(fd);
    throw why;
  }
  return { pairs: Int32Array.from(pairs), opened };
}
