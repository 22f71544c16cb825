/** What /proc tells of signals. */
import { readdirSync, readFileSync } from 'node:fs';
import { syscallOf } from '../support/proc.js';

/** A field of /proc/…/status that is a set of signals, as their numbers: `SigBlk`, `SigIgn`, `SigCgt`. */
export function signalsIn(path: string, field: string): number[] {
  const line = new RegExp(`^${field}:\\s+([0-9a-f]+)`, 'm').exec(readFileSync(path, 'utf8'));
  const bits = BigInt(`0x${line?.[1] ?? '0'}`);
  return Array.from({ length: 64 }, (_, index) => index + 1).filter((number) => bits & (1n << BigInt(number - 1)));
}

const SIGTIMEDWAIT = process.arch === 'x64' ? 128 : 137;

/**
 * What each thread of this process blocks. One that is ending shows no mask any more, and one that waits in
 * sigtimedwait(2) shows as open what it waits for, though no handler can get that: neither is counted.
 */
function masks(): number[][] {
  const found: number[][] = [];
  for (const thread of readdirSync('/proc/self/task')) {
    const path = `/proc/self/task/${thread}/status`;
    try {
      const blocked = signalsIn(path, 'SigBlk');
      if (syscallOf(process.pid, Number(thread)) === SIGTIMEDWAIT) continue;
      if (!/^State:\s+[ZX]/m.test(readFileSync(path, 'utf8'))) found.push(blocked);
    } catch {
      // It has ended.
    }
  }
  return found;
}

/** Whether every thread of this process blocks the signal. */
export function isBlocked(number: number): boolean {
  return masks().every((mask) => mask.includes(number));
}

const MOST = 60;

/** Whether no thread of this process blocks the signal, but for those of Node's and ours that block everything. */
export function isFree(number: number): boolean {
  return masks().every((mask) => mask.length >= MOST || !mask.includes(number));
}
