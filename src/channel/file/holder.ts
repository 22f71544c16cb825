/** Who holds the lock of a log. */
import { readFileSync } from 'node:fs';
import { IpcError } from '../../core/errors.js';
import type { LogFile } from './logfile.js';

/** The process that holds a file's exclusive flock(2), 0 if it cannot be seen from here (proc_locks(5)). */
export function lockHolder(file: LogFile): number {
  let text: string;
  try {
    text = readFileSync('/proc/locks', 'latin1');
  } catch {
    return 0;
  }
  // "1: FLOCK  ADVISORY  WRITE 4711 08:01:131073 0 EOF". The device is not compared: on some file
  // systems it is not the one that stat(2) shows.
  for (const line of text.split('\n')) {
    const [, type, , mode, pid, place] = line.trim().split(/\s+/);
    if (type !== 'FLOCK' || mode !== 'WRITE' || place?.split(':')[2] !== String(file.inode)) continue;
    return Math.max(0, Number(pid));
  }
  return 0;
}

/** The error for a log that has a sender. */
export function busy(file: LogFile): IpcError {
  const pid = lockHolder(file);
  let who = 'another process';
  if (pid > 0) {
    who = `process ${pid}`;
    try {
      who += ` (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`;
    } catch {
      // It has just ended, or is not ours to see.
    }
  }
  return new IpcError({
    code: 'EBUSY',
    syscall: 'flock',
    path: file.path,
    message: `${who} sends to this log`,
    hint: 'a log has one sender at a time: close that one first, or send through mq:, which takes several',
  });
}
