/**
 * The tour's results for people: a table of what was moved, and one of the turns that were handed over; grouped by way, fastest first in each.
 */
import * as format from '../format.js';
import type { RowResult } from './run.js';

/** A table: what its columns are called and show, and the groups of its rows. */
interface Shape {
  head: readonly string[];
  cells(row: RowResult): string[];
  groups: readonly { title: string; has(row: RowResult): boolean }[];
}

const DASH = '–';

function shown(value: number | null, as: (value: number) => string): string {
  return value === null ? DASH : as(value);
}

function memory({ peakMemoryBytes: { sender, receiver } }: RowResult): string {
  return sender === null || receiver === null ? DASH : `${format.bytes(sender)}, ${format.bytes(receiver)}`;
}

function ends(row: RowResult): string[] {
  return [memory(row), row.verified ? 'yes' : 'NO'];
}

const MOVED: Shape = {
  head: ['mechanism', 'processes', 'file', '64-byte messages', 'round trip', 'peak memory, both', 'verified'],
  cells: (row) => [
    `  ${row.mechanism}`,
    row.processes,
    shown(row.throughputBytesPerSecond, (value) => `${format.bytes(value)}/s`),
    shown(row.messagesPerSecond, format.rate),
    shown(row.roundTripMicroseconds, format.micros),
    ...ends(row),
  ],
  groups: [
    { title: 'through a file', has: ({ way }) => way === 'file' },
    {
      title: "through the kernel's buffers",
      has: ({ way, family }) => way === 'kernel' && family !== 'signal' && family !== 'sync',
    },
    { title: 'through shared memory', has: ({ way, family }) => way === 'memory' && family !== 'sync' },
    { title: 'notify', has: ({ family }) => family === 'signal' },
  ],
};

const TURNS: Shape = {
  head: ['mechanism', 'processes', 'hand-overs', 'there and back', 'peak memory, both', 'verified'],
  cells: (row) => [
    `  ${row.mechanism}`,
    row.processes,
    shown(row.messagesPerSecond, format.rate),
    shown(row.roundTripMicroseconds, format.micros),
    ...ends(row),
  ],
  groups: [
    { title: 'take turns, by a state in the kernel', has: ({ way, family }) => way === 'kernel' && family === 'sync' },
    {
      title: 'take turns, by a word in shared memory',
      has: ({ way, family }) => way === 'memory' && family === 'sync',
    },
  ],
};

/** By throughput of the file; where there is none, an empty file, signals or turns, by messages. */
function faster(a: RowResult, b: RowResult): number {
  const speed = (row: RowResult): number => row.throughputBytesPerSecond ?? row.messagesPerSecond ?? 0;
  return speed(b) - speed(a);
}

/** Draws the tables that have rows. */
export async function drawTables(rows: readonly RowResult[]): Promise<string[]> {
  const { default: Table } = await import('cli-table3');
  const style = { head: [], border: [], compact: true };
  return [MOVED, TURNS].flatMap(({ head, cells, groups }) => {
    const numbers = head.slice(2, -1).map(() => 'right' as const);
    const table = new Table({ head: [...head], colAligns: ['left', 'left', ...numbers, 'left'], style });
    for (const { title, has } of groups) {
      const members = rows.filter(has).sort(faster);
      if (members.length === 0) continue;
      table.push([{ colSpan: head.length, content: title }]);
      table.push(...members.map(cells));
    }
    return table.length === 0 ? [] : [table.toString()];
  });
}
