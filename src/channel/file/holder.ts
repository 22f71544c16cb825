/** Who holds the lock of a log. */
import { IpcError } from '../../core/errors.js';
import { owner } from '../../filelock/index.js';
import type { LogFile } from './logfile.js';

function whoSends(path: string): string {
  const { pid, command } = owner(path) ?? {};
  if (pid === undefined) return 'another process';
  return command === undefined ? `process ${pid}` : `process ${pid} (${command})`;
}

/** The error for a log that has a sender. */
export function busy({ path }: LogFile): IpcError {
  return new IpcError({
    code: 'EBUSY',
    syscall: 'flock',
    path,
    message: `${whoSends(path)} sends to this log`,
    hint: 'a log has one sender at a time: close that one first, or send through mq:, which takes several',
  });
}
