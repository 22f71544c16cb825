/** What the kernel has counted of a process's reading and writing: proc_pid_io(5). */
import { native } from '../sys/index.js';

/** Counted by the kernel. */
export interface Accounts {
  /** Bytes read by read(2) and its kin, wherever from (`rchar`). What splice(2) moves is in neither. */
  bytesRead: number;
  /** Bytes written by write(2) and its kin, wherever to (`wchar`). */
  bytesWritten: number;
  /** How many of those calls (`syscr`). */
  reads: number;
  /** How many of those calls (`syscw`). */
  writes: number;
  /** Bytes that were fetched from a disk (`read_bytes`). */
  diskBytesRead: number;
  /** Bytes that were to go to a disk (`write_bytes`). */
  diskBytesWritten: number;
}

const room = new Uint8Array(512);

/** Reads an open /proc/PID/io; `null` where that is refused. */
export function readAccounts(fd: number): Accounts | null {
  const length = native().pread(fd, room, 0, room.length, 0);
  if (length < 0) return null;
  const text = Buffer.from(room.buffer, 0, length).toString('latin1');
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return {
    bytesRead: field('rchar'),
    bytesWritten: field('wchar'),
    reads: field('syscr'),
    writes: field('syscw'),
    diskBytesRead: field('read_bytes'),
    diskBytesWritten: field('write_bytes'),
  };
}
