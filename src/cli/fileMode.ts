/**
 * A mode as chmod(1), mkfifo(1) and mknod(1) take it: octal, or symbolic (`u=rw,g+w,o-rwx`), which changes a
 * mode that is there. The rules are those of GNU's commands.
 */
import { UsageError } from './failure.js';

const ALL = 0o7777;
const PERMISSIONS = 0o777;
const ANY_EXECUTE = 0o111;
/** What each letter means for owner, group and others together. */
const BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 };
/** Which bits each letter in front of the operator lets change. */
const AFFECTED: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: ALL };
const COPIED: Readonly<Record<string, number>> = { u: 0o700, g: 0o070, o: 0o007 };

const WHAT = '[0-7]+|[ugo]|[rwxXst]*';
const CLAUSE = new RegExp(`^(?<who>[ugoa]*)(?<actions>(?:[-+=](?:${WHAT}))+)$`);
const ACTION = new RegExp(`([-+=])(${WHAT})`, 'g');

function wrong(text: string): UsageError {
  return new UsageError(`MODE is octal as 640, or symbolic as u=rw,g=r, got ${JSON.stringify(text)}`);
}

function union(letters: string, meaning: Readonly<Record<string, number>>): number {
  return [...letters].reduce((bits, letter) => bits | (meaning[letter] ?? 0), 0);
}

/** What stands behind an operator, as bits. */
function bitsOf(what: string, mode: number): number {
  if (/^[0-7]/.test(what)) return Number.parseInt(what, 8);
  const copied = COPIED[what];
  if (copied !== undefined) {
    return Object.values({ r: 0o444, w: 0o222, x: 0o111 })
      .filter((bit) => (mode & copied & bit) !== 0)
      .reduce((bits, bit) => bits | bit, 0);
  }
  const mayExecute = what.includes('X') && (mode & ANY_EXECUTE) !== 0;
  return union(what, BITS) | (mayExecute ? ANY_EXECUTE : 0);
}

function changed(text: string, mode: number, clause: string, umask: number): number {
  const { who = '', actions = '' } = CLAUSE.exec(clause)?.groups ?? {};
  if (actions === '') throw wrong(text);
  const affected = union(who, AFFECTED);
  let result = mode;
  for (const [action, operator, what = ''] of actions.matchAll(ACTION)) {
    const isOctal = /^[0-7]/.test(what);
    if (isOctal && (affected !== 0 || action !== actions || Number.parseInt(what, 8) > ALL)) throw wrong(text);
    // Without u, g, o or a the umask has its say, and everything is affected.
    const reached = isOctal ? ALL : affected === 0 ? ALL & ~umask : affected;
    const bits = bitsOf(what, result) & reached;
    if (operator === '+') result |= bits;
    else if (operator === '-') result &= ~bits;
    else result = (affected === 0 ? 0 : result & ~affected) | bits;
  }
  return result;
}

/**
 * The permission bits that a text asks for.
 *
 * @param from what a symbolic mode changes
 * @param umask what it keeps from being given where nobody is named: `+w` is not `a+w`
 * @throws UsageError for what is no mode, or has the set-user-ID, set-group-ID or sticky bit
 */
export function parseMode(text: string, from: number, umask: number): number {
  const isOctal = /^[0-7]+$/.test(text);
  const mode = isOctal
    ? Number.parseInt(text, 8)
    : text.split(',').reduce((before, clause) => changed(text, before, clause, umask), from);
  if (mode > ALL) throw wrong(text);
  if (mode > PERMISSIONS) throw new UsageError(`MODE is permission bits only, up to 777, got ${JSON.stringify(text)}`);
  return mode;
}
