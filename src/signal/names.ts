/** Names and numbers of signals, as signal(7) and the running libc have them. */
import { constants } from 'node:os';
import { native } from '../sys/index.js';
import { argumentError, rangeError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';

/** `SIGTERM`, `SIGRTMIN+3`, `SIGRTMAX-2`, or a number. */
export type SignalName = string;

const numbers = new Map<string, number>(Object.entries(constants.signals));
const names = new Map<number, string>();
// Several names can mean one number (SIGIOT, SIGPOLL): the first of Node's list is the usual one.
for (const [name, number] of numbers) if (!names.has(number)) names.set(number, name);

/** Names of real-time signals that were asked for: who sends many names the same again and again. */
const realTime = new Map<string, number>();
let range: { first: number; last: number } | undefined;

/** SIGRTMIN and SIGRTMAX: glibc keeps the first two of the kernel's real-time signals for itself. */
export function realTimeRange(): { readonly first: number; readonly last: number } {
  if (range !== undefined) return range;
  const read = new Int32Array(new ArrayBuffer(128));
  native().signalRange(read);
  range = { first: read[0] as number, last: read[1] as number };
  return range;
}

/** The name that somebody probably meant: the prefix is forgotten most often. */
function suggestion(sig: string): string {
  const prefixed = `SIG${sig.toUpperCase().replace(/^SIG/, '')}`;
  const meant = numbers.has(prefixed) ? prefixed : nearest(sig, [...numbers.keys(), 'SIGRTMIN', 'SIGRTMAX']);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

/**
 * The number of a signal: `toNumber('SIGTERM')` is 15, `toNumber('SIGRTMIN+3')` is what this libc
 * says. A number in range is given back.
 *
 * @throws TypeError for a name that is none, RangeError for a number or offset out of range
 */
export function toNumber(sig: SignalName | number): number {
  if (typeof sig === 'number') {
    const { last } = realTimeRange();
    if (!Number.isInteger(sig) || sig < 1 || sig > last) {
      throw rangeError(`a signal is a number from 1 to ${last}, got ${sig}`);
    }
    return sig;
  }
  if (typeof sig !== 'string') throw argumentError(`a signal is a name or a number, got ${String(sig)}`);
  const found = numbers.get(sig) ?? realTime.get(sig);
  if (found !== undefined) return found;
  const parts = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(sig);
  if (parts === null) {
    throw argumentError(`there is no signal named ${JSON.stringify(sig)}${suggestion(sig)}`, 'ERR_INTERPROC_NAME');
  }
  const { first, last } = realTimeRange();
  const offset = Number(parts[3] ?? 0) * (parts[2] === '-' ? -1 : 1);
  const number = (parts[1] === 'MIN' ? first : last) + offset;
  if (number < first || number > last) {
    throw rangeError(`${sig} is ${number}; real-time signals are ${first} (SIGRTMIN) to ${last} (SIGRTMAX)`);
  }
  realTime.set(sig, number);
  return number;
}

function realTimeName(number: number, first: number, last: number): SignalName {
  if (number === first) return 'SIGRTMIN';
  if (number === last) return 'SIGRTMAX';
  return number - first <= last - number ? `SIGRTMIN+${number - first}` : `SIGRTMAX-${last - number}`;
}

/**
 * The name of a signal's number: `toName(15)` is `'SIGTERM'`, `toName(37)` is `'SIGRTMIN+3'`. A
 * real-time signal is named from the end that is nearer, as shells do: `toName(62)` is `'SIGRTMAX-2'`.
 */
export function toName(number: number): SignalName {
  const known = names.get(number);
  if (known !== undefined) return known;
  const { first, last } = realTimeRange();
  if (!Number.isInteger(number) || number < first || number > last) {
    throw rangeError(`${number} is no signal; signals are 1 to 31 and ${first} to ${last}`);
  }
  const name = realTimeName(number, first, last);
  names.set(number, name);
  return name;
}
