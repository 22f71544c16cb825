/** The tour's results for people: a table grouped by way, fastest first in each. */
import * as format from '../format.js';
import type { RowResult } from './run.js';

const GROUPS: readonly { title: string; has(row: RowResult): boolean }[] = [
  { title: 'through a file', has: ({ way }) => way === 'file' },
  { title: "through the kernel's buffers", has: ({ way, family }) => way === 'kernel' && family !== 'signal' },
  { title: 'through shared memory', has: ({ way }) => way === 'memory' },
  { title: 'notify', has: ({ family }) => family === 'signal' },
];

const HEAD = ['mechanism', 'processes', 'file', '64-byte messages', 'round trip', 'peak memory, both', 'verified'];
const DASH = '–';

function shown(value: number | null, as: (value: number) => string): string {
  return value === null ? DASH : as(value);
}

function cells(row: RowResult): string[] {
  const { sender, receiver } = row.peakMemoryBytes;
  return [
    `  ${row.mechanism}`,
    row.processes,
    shown(row.throughputBytesPerSecond, (value) => `${format.bytes(value)}/s`),
    shown(row.messagesPerSecond, format.rate),
    shown(row.roundTripMicroseconds, format.micros),
    sender === null || receiver === null ? DASH : `${format.bytes(sender)}, ${format.bytes(receiver)}`,
    row.verified ? 'yes' : 'NO',
  ];
}

/** By throughput of the file; where there is none, an empty file or signals, by messages. */
function faster(a: RowResult, b: RowResult): number {
  const speed = (row: RowResult): number => row.throughputBytesPerSecond ?? row.messagesPerSecond ?? 0;
  return speed(b) - speed(a);
}

/** Draws the table. */
export async function drawTable(rows: readonly RowResult[]): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const right = ['left', 'left', 'right', 'right', 'right', 'right', 'left'] as const;
  const table = new Table({ head: HEAD, colAligns: [...right], style: { head: [], border: [], compact: true } });
  for (const { title, has } of GROUPS) {
    const members = rows.filter(has).sort(faster);
    if (members.length === 0) continue;
    table.push([{ colSpan: HEAD.length, content: title }]);
    table.push(...members.map(cells));
  }
  return table.toString();
}
