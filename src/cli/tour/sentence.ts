/** What the tables mean, in a sentence each, true whatever was measured. */
import * as format from '../format.js';
import type { RowResult } from './run.js';

/** Below this ratio two speeds are said to be alike. */
const ALIKE = 1.15;

/** The best that a way has shown, each by whichever mechanism; `null` if nothing was measured. */
interface Best {
  name: string;
  file: number | null;
  messages: number | null;
}

function best(name: string, rows: readonly RowResult[], belongs: (row: RowResult) => boolean): Best | undefined {
  const members = rows.filter((row) => row.verified && belongs(row));
  if (members.length === 0) return undefined;
  const most = (speeds: (number | null)[]): number | null => {
    const measured = speeds.filter((speed) => speed !== null);
    return measured.length === 0 ? null : Math.max(...measured);
  };
  return {
    name,
    file: most(members.map(({ throughputBytesPerSecond }) => throughputBytesPerSecond)),
    messages: most(members.map(({ messagesPerSecond }) => messagesPerSecond)),
  };
}

function times(ratio: number): string {
  return `${ratio < 9.95 ? ratio.toFixed(1) : ratio < 999.5 ? ratio.toFixed(0) : format.count(ratio)} times`;
}

/** How one speed compares with another, whichever is greater in truth. */
function compared(one: number | null, other: number | null, what: string): string | undefined {
  if (one === null || other === null) return undefined;
  const ratio = other / one;
  if (ratio >= ALIKE) return `${times(ratio)} slower with ${what}`;
  return ratio > 1 / ALIKE ? `about as fast with ${what}` : `${times(1 / ratio)} faster with ${what}`;
}

/** `compared with OTHER, ONE is …` */
function clause(others: readonly (Best | undefined)[], other: Best | undefined): string | undefined {
  if (other === undefined) return undefined;
  const said = others.flatMap((one) => {
    if (one === undefined) return [];
    const how = [
      compared(one.file, other.file, 'blocks of 64 KiB'),
      compared(one.messages, other.messages, 'messages of 64 bytes'),
    ].filter((part) => part !== undefined);
    return how.length === 0 ? [] : [`${one.name} ${how.join(' and ')}`];
  });
  return said.length === 0 ? undefined : `compared with ${other.name}, ${said.join(', and ')}`;
}

/**
 * The sentence about what was moved, made from the best verified figures of each way; `undefined` if they are of one way
 * only. Of the file, made durable and not, each is compared by itself.
 */
export function sentence(all: readonly RowResult[]): string | undefined {
  const rows = all.filter(({ family }) => family !== 'sync');
  const durable = best('a file made durable message by message is', rows, ({ name }) => name === 'file-durable');
  const cached = best(
    'a file in the page cache is',
    rows,
    ({ way, name }) => way === 'file' && name !== 'file-durable',
  );
  const isKernel = ({ way, family }: RowResult): boolean => way === 'kernel' && family !== 'signal';
  const kernel = best("the kernel's buffers", rows, isKernel);
  const memory = best('shared memory', rows, ({ way }) => way === 'memory');
  const clauses = [
    clause([durable, cached], kernel ?? memory),
    clause([kernel && { ...kernel, name: `${kernel.name} are` }], memory),
  ].filter((part) => part !== undefined);
  return clauses.length === 0 ? undefined : `On this machine, ${clauses.join('; ')}.`;
}

/** Who handed the turn over most often, of some. */
function quickest(rows: readonly RowResult[]): { mechanism: string; rate: number } | undefined {
  const measured = rows.flatMap(({ verified, mechanism, messagesPerSecond: rate }) =>
    verified && rate !== null ? [{ mechanism, rate }] : [],
  );
  return measured.toSorted((a, b) => b.rate - a.rate)[0];
}

/** The sentence about turns: who is quickest of those in shared memory and of those in the kernel; `undefined` if none was measured. */
export function sentenceOfTurns(all: readonly RowResult[]): string | undefined {
  const rows = all.filter(({ family }) => family === 'sync');
  const memory = quickest(rows.filter(({ way }) => way === 'memory'));
  const kernel = quickest(rows.filter(({ way }) => way === 'kernel'));
  const parts = [
    memory && `of what is in shared memory, ${memory.mechanism}, ${format.count(memory.rate)} times a second`,
    kernel && `of what is in the kernel, ${kernel.mechanism}, ${format.count(kernel.rate)} times a second`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : `A turn is handed over most often by: ${parts.join('; ')}.`;
}
