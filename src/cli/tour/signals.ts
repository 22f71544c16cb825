/** What both programs of the signals' row agree on. */
import { setTimeout as pause } from 'node:timers/promises';
import * as signal from '../../signal/index.js';

/** Takes `signal:SIGRTMIN+1` or `signal:SIGRTMIN+1?pid=123` apart. */
export function parseSignalUrl(url: string): { sig: string; pid: number } {
  const parts = /^signal:([A-Z0-9+-]+)(?:\?pid=(\d+))?$/.exec(url);
  if (parts === null) throw new Error(`${url} is no address of a signal`);
  return { sig: parts[1] as string, pid: Number(parts[2] ?? 0) };
}

/** The signal that ends a part: the next one, since of several that wait the lowest number comes first. */
export function markOf(sig: string): string {
  return signal.toName(signal.toNumber(sig) + 1);
}

/** Sends; while the queue is full it tries again, for it is other programs that fill it. */
export async function sendSignal(pid: number, sig: string, value: number): Promise<void> {
  while (!signal.tryQueue(pid, sig, value)) await pause(1);
}
