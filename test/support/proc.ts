/** What /proc tells of a process: whether it is blocked, where, and how much processor time it took. */
import { readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

const PATIENCE_MS = 20_000;

/** futex(2). */
export const FUTEX = { x64: 202, arm64: 98 }[process.arch as 'x64'] ?? 202;

/** Looks again in each turn of the event loop until `holds` gives something that counts as true. */
export async function until<T>(what: string, holds: () => T): Promise<NonNullable<T>> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = holds();
    if (found) return found as NonNullable<T>;
    if (performance.now() > end) throw new Error(`waited ${PATIENCE_MS} ms in vain until ${what}`);
    await nextTurn();
  }
}

function readOr(fallback: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return fallback;
  }
}

/** The threads of a process. */
export function threadsOf(pid: number | 'self'): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}

/** The fields of /proc/PID/stat after the name: [0] is the state (`S` sleeps, `R` runs, `Z` is a zombie). */
function statOf(path: string): string[] {
  const line = readOr('', path);
  return line.slice(line.lastIndexOf(')') + 2).split(' ');
}

/** The state of a process's main thread, or of one of its threads; `''` if it is gone. */
export function stateOf(pid: number, thread: number = pid): string {
  return statOf(`/proc/${pid}/task/${thread}/stat`)[0] ?? '';
}

/** The number of the system call that a thread is blocked in, -1 if it is not blocked in one. */
export function syscallOf(pid: number, thread: number = pid): number {
  const number = Number.parseInt(readOr('', `/proc/${pid}/task/${thread}/syscall`), 10);
  return Number.isNaN(number) ? -1 : number;
}

/** Milliseconds of processor time that a process has taken, all threads, user and kernel. */
export function processorTimeMs(pid: number | 'self'): number {
  const fields = statOf(`/proc/${pid}/stat`);
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/**
 * How much processor time a process took in one of up to three periods, at least: what it had begun before, and what its compiler and
 * collector do in the background, falls into one or another. It is measured again only while that is too much.
 */
export async function leastProcessorTimeMs(
  pid: number | 'self',
  tooMuch: number,
  period: () => Promise<unknown>,
): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 3 && least >= tooMuch; round++) {
    const before = processorTimeMs(pid);
    await period();
    least = Math.min(least, processorTimeMs(pid) - before);
  }
  return least;
}

/** Whether a process is there and not a zombie. */
export function isAlive(pid: number): boolean {
  return !['', 'Z', 'X'].includes(stateOf(pid));
}
