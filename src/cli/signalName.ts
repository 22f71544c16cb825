/** Signals as people type them: `TERM`, `sigterm`, `SIGRTMIN+1`, `rtmin+1`, `15`. */
import { toName, toNumber } from '../signal/index.js';

/** What a shell adds to a signal's number when it tells how a program ended. */
const EXIT_STATUS = 128;

/** The number of a signal; 0 is one, for asking. */
export function parseSignal(word: string): number {
  if (/^\d+$/.test(word)) return Number(word) === 0 ? 0 : toNumber(Number(word));
  return toNumber(`SIG${word.toUpperCase().replace(/^SIG/, '')}`);
}

/** A name for a number or for an exit status above 128, a number for a name; names without SIG, as kill -l has them. */
export function translate(word: string): string {
  if (!/^\d+$/.test(word)) return String(parseSignal(word));
  const number = Number(word);
  return toName(number > EXIT_STATUS ? number - EXIT_STATUS : number).replace(/^SIG/, '');
}
