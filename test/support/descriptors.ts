/** The descriptors that a process has open, to show that none is left. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { keepAlive, letGo } from '../../src/core/loop.js';
import { anonymous } from '../../src/mmap/index.js';

/** Every open descriptor of a process (this one if none is named) and what it is open on. */
export function openDescriptors(pid: number | 'self' = 'self'): Map<number, string> {
  const found = new Map<number, string>();
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      found.set(Number(name), readlinkSync(`/proc/${pid}/fd/${name}`));
    } catch {
      // The descriptor that read the folder itself is gone by now.
    }
  }
  return found;
}

/** Opens the poller, which is opened once and stays: call it before counting what a test opens. */
export function openPoller(): void {
  keepAlive();
  letGo();
}

/** Opens all that waiting opens once and keeps: the poller, and that by which threads tell of their end. */
export async function openWaiting(): Promise<void> {
  using memory = anonymous(1, { shared: false });
  await memory.sync(); // by a thread
}

/** How many descriptors this process has open. */
export function countDescriptors(): number {
  return openDescriptors().size;
}

/** The open file flags of a descriptor (fcntl(2), F_GETFL), with O_CLOEXEC where it is set. */
export function flagsOf(fd: number, pid: number | 'self' = 'self'): number {
  const line = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'));
  return Number.parseInt(line?.[1] ?? '0', 8);
}
