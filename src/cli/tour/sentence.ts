/** One sentence that says what the table means, true whatever was measured. */
import * as format from '../format.js';
import type { RowResult } from './run.js';

/** Below this ratio two speeds are said to be alike. */
const ALIKE = 1.15;

interface Speed {
  name: string;
  perSecond: number;
}

function times(ratio: number): string {
  return `${ratio < 9.95 ? ratio.toFixed(1) : ratio < 999.5 ? ratio.toFixed(0) : format.count(ratio)} times`;
}

/** How `slow` compares with `fast`, whichever it is in truth. */
function compared(slow: number, fast: number): string {
  const ratio = fast / slow;
  if (ratio >= ALIKE) return `${times(ratio)} slower than`;
  return ratio > 1 / ALIKE ? 'about as fast as' : `${times(1 / ratio)} faster than`;
}

function best(rows: readonly RowResult[], belongs: (row: RowResult) => boolean): Speed | undefined {
  let found: Speed | undefined;
  for (const row of rows) {
    const perSecond = row.messagesPerSecond;
    if (!row.verified || perSecond === null || !belongs(row)) continue;
    if (found === undefined || perSecond > found.perSecond) found = { name: row.mechanism, perSecond };
  }
  return found;
}

/**
 * The sentence, made from the verified rows; `undefined` if they are of one way only. Small messages are
 * compared, the best mechanism of each way; of the file, durable and not, each by itself.
 */
export function sentence(rows: readonly RowResult[]): string | undefined {
  const durable = best(rows, ({ way, name }) => way === 'file' && name === 'file-durable');
  const cached = best(rows, ({ way, name }) => way === 'file' && name !== 'file-durable');
  const kernel = best(rows, ({ way, family }) => way === 'kernel' && family !== 'signal');
  const memory = best(rows, ({ way }) => way === 'memory');
  const against = kernel ?? memory;
  if (against === undefined) return undefined;

  const buffers =
    kernel === undefined ? '' : `the kernel's buffers (at best ${kernel.name}, ${format.rate(kernel.perSecond)})`;
  const shared = memory === undefined ? '' : `shared memory (at best ${memory.name}, ${format.rate(memory.perSecond)})`;
  const parts: string[] = [];
  if (durable !== undefined) {
    parts.push(
      `a file that is made durable message by message is ${compared(durable.perSecond, against.perSecond)} ${buffers || shared}`,
    );
  }
  if (cached !== undefined) {
    const than = durable === undefined ? buffers || shared : kernel === undefined ? 'shared memory' : 'those buffers';
    parts.push(`a file in the page cache is ${compared(cached.perSecond, against.perSecond)} ${than}`);
  }
  if (kernel !== undefined && memory !== undefined) {
    const who = parts.length === 0 ? buffers : `the kernel's buffers`;
    parts.push(`${who} are ${compared(kernel.perSecond, memory.perSecond)} ${shared}`);
  }
  if (parts.length === 0) return undefined;
  const last = parts.pop() as string;
  const list = parts.length === 0 ? last : `${parts.join(', ')}, and ${last}`;
  return `On this machine, for messages of 64 bytes, ${list}.`;
}
