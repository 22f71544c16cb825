/** What any process does with its signals: /proc/PID/status, proc(5). */
import { readdirSync, readFileSync } from 'node:fs';
import { checkInteger } from '../core/arguments.js';
import { IpcError } from '../core/errors.js';
import { list } from './list.js';
import type { SignalName } from './names.js';

/** What a process does with one signal. */
export interface SignalState {
  name: SignalName;
  number: number;
  /** It has a handler. */
  caught: boolean;
  ignored: boolean;
  /** Every thread of it blocks it, so that it stays pending. */
  blocked: boolean;
  /** The threads that block it; all of them where `blocked` is true. */
  blockedBy: number[];
  /** It was sent and has not been handled: it waits for the process, or for one of its threads. */
  pending: boolean;
}

const MOST_PID = 2 ** 22;
const FIELDS = /^(ShdPnd|SigPnd|SigBlk|SigIgn|SigCgt):\s+([0-9a-f]+)$/gm;

type Masks = Record<string, bigint>;

function masksIn(path: string): Masks {
  const found: Masks = {};
  for (const [, field = '', bits = ''] of readFileSync(path, 'latin1').matchAll(FIELDS))
    found[field] = BigInt(`0x${bits}`);
  return found;
}

/** The masks of each thread; one that ends meanwhile is left out. */
function threadsOf(pid: number): Map<number, Masks> {
  const found = new Map<number, Masks>();
  for (const name of readdirSync(`/proc/${pid}/task`)) {
    try {
      found.set(Number(name), masksIn(`/proc/${pid}/task/${name}/status`));
    } catch (why) {
      if (!isGone(why)) throw why;
    }
  }
  return found;
}

function isGone(why: unknown): boolean {
  return ['ENOENT', 'ESRCH'].includes((why as NodeJS.ErrnoException).code ?? '');
}

function read(pid: number): { ofAll: Masks; threads: Map<number, Masks> } {
  try {
    return { ofAll: masksIn(`/proc/${pid}/status`), threads: threadsOf(pid) };
  } catch (why) {
    if (!isGone(why)) throw why;
    throw new IpcError({
      code: 'ESRCH',
      syscall: 'open',
      path: `/proc/${pid}/status`,
      hint: 'no process has this pid',
    });
  }
}

/**
 * What a process catches, ignores, blocks and has pending, one record for each signal of `list()`,
 * by number. It needs no permission; the process may change while it is looked at.
 *
 * @param pid 1 or more
 * @throws IpcError ESRCH (no such process)
 * @example
 * const ignored = signal.table(pid).filter(({ ignored }) => ignored).map(({ name }) => name);
 */
export function table(pid: number): SignalState[] {
  checkInteger('pid', pid, 1, MOST_PID);
  const { ofAll, threads } = read(pid);
  return list().map(({ name, number }) => {
    const has = (masks: Masks, field: string): boolean => (((masks[field] ?? 0n) >> BigInt(number - 1)) & 1n) === 1n;
    const blockedBy = [...threads].filter(([, masks]) => has(masks, 'SigBlk')).map(([tid]) => tid);
    const pending = has(ofAll, 'ShdPnd') || [...threads.values()].some((masks) => has(masks, 'SigPnd'));
    return {
      name,
      number,
      caught: has(ofAll, 'SigCgt'),
      ignored: has(ofAll, 'SigIgn'),
      blocked: threads.size > 0 && blockedBy.length === threads.size,
      blockedBy,
      pending,
    };
  });
}
