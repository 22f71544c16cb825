/**
 * Who waits at System V semaphore sets: threads that sleep in semop(2). The kernel notes nobody who has permits, only who did something to a semaphore
 * last; that one is named as likely, and no more.
 */
import { readlinkSync } from 'node:fs';
import { semaphoreSet } from '../../sysv/index.js';
import type { Found } from './found.js';
import { memoryOf } from './memory.js';
import type { Processes } from './processes.js';
import type { Sleeper } from './sleepers.js';

/** Bytes of struct sembuf. */
const SEMBUF_BYTES = 6;
const MOST_OPERATIONS = 0x7fff;

/** One of the operations that are made together. */
interface Operation {
  readonly index: number;
  readonly op: number;
}

/** The first of the operations that cannot be made, with these values; `undefined` if all can. */
export function firstImpossible(operations: readonly Operation[], values: readonly number[]): Operation | undefined {
  const left = [...values];
  return operations.find(({ index, op }) => {
    const value = left[index] ?? 0;
    left[index] = value + op;
    return op === 0 ? value !== 0 : value + op < 0;
  });
}

function operationsOf({ tid, args }: Sleeper): Operation[] {
  const count = Math.min(Number(args[2]), MOST_OPERATIONS);
  const bytes = memoryOf(tid, args[1] as bigint, SEMBUF_BYTES * count);
  if (bytes === undefined) return [];
  return Array.from({ length: count }, (_, place) => ({
    index: bytes.getUint16(SEMBUF_BYTES * place, true),
    op: bytes.getInt16(SEMBUF_BYTES * place + 2, true),
  }));
}

/** Sets have numbers of their own in each namespace. */
function isOurNamespace(tid: number): boolean {
  try {
    return readlinkSync(`/proc/${tid}/ns/ipc`) === readlinkSync('/proc/self/ns/ipc');
  } catch {
    return false;
  }
}

/** What a set is and who did something to the semaphore last; `undefined` if it is gone or not ours to read. */
function lookAt(
  id: number,
  operations: readonly Operation[],
): { name: string; blocked: Operation; last: number } | undefined {
  try {
    using set = semaphoreSet.fromId(id);
    const blocked = firstImpossible(operations, set.getAll());
    const last = blocked === undefined ? undefined : set.lastPid(blocked.index);
    if (blocked === undefined || last === undefined) return undefined;
    const key = `0x${set.key.toString(16).padStart(8, '0')}`;
    return { name: `semaphore ${blocked.index} of set ${id} (${key})`, blocked, last };
  } catch {
    return undefined;
  }
}

function edgesOf(sleeper: Sleeper, processes: Processes): Found[] {
  const { pid, tid, behalf, args, switches } = sleeper;
  const id = Number(args[0]);
  if (sleeper.call !== 'semop' || !isOurNamespace(tid)) return [];
  const found = lookAt(id, operationsOf(sleeper));
  if (found === undefined || found.last === pid) return [];
  const from = processes.party(pid, behalf);
  const to = processes.party(found.last);
  if (from === undefined || to === undefined) return [];
  const { name, blocked } = found;
  return [
    {
      edge: { from, to, mechanism: 'semaphore set', object: name, mode: String(blocked.op), certainty: 'inferred' },
      key: [pid, from.startTime, tid, 'semaphore set', id, blocked.index, to.pid, to.startTime].join(' '),
      stamp: switches,
      sleeper: tid,
      sharers: [],
      ends: false,
    },
  ];
}

/** All of them. */
export function semaphoreSetEdges(processes: Processes, asleep: readonly Sleeper[]): Found[] {
  return asleep.flatMap((sleeper) => edgesOf(sleeper, processes));
}
