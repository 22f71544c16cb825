/** The redirections of one stage, in their order, as dup2(2) and open(2) would do them one after the other in a shell's child. */
import { constants } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { native } from '../../sys/index.js';
import { argumentError, check, IpcError } from '../../core/errors.js';
import { ENXIO } from '../../core/errno.js';
import { isKind, statusOf } from '../../core/files.js';
import { setNonBlocking } from '../../core/transfer.js';
import type { ChildDescriptor } from '../../proc/index.js';
import type { Redirect } from './commandLine.js';

const FLAGS = {
  read: constants.O_RDONLY,
  write: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
  append: constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
} as const;
/** What a shell makes a file with; the umask takes its part away. */
const MODE = 0o666;

/** Opening a FIFO waits for the other side, and this thread must not. */
function refuseFifo(path: string): IpcError {
  return new IpcError({
    code: 'EAGAIN',
    syscall: 'open',
    path,
    message: 'it is a FIFO, and opening it waits for its other side',
    hint: 'open it with fifo.openReader() or fifo.openWriter(), and pass that as the input or output of the pipeline',
  });
}

function open(way: keyof typeof FLAGS, path: string): number {
  const found = native().open(path, FLAGS[way] | constants.O_NOCTTY | constants.O_NONBLOCK, MODE);
  if (found === -ENXIO) throw refuseFifo(path); // for writing, and nobody reads
  const fd = check(found, 'open', { path });
  try {
    if (way === 'read' && isKind(statusOf(fd, { path }).mode, constants.S_IFIFO)) throw refuseFifo(path);
    setNonBlocking(fd, false);
  } catch (why) {
    native().close(fd);
    throw why;
  }
  return fd;
}

/**
 * Changes `fds`, by number in the child, as the redirections say.
 *
 * @param folder where relative paths begin; this process's own if `undefined`
 * @param opened gets what was opened; the caller closes it once the stage runs
 */
export function applyRedirects(
  fds: Record<number, ChildDescriptor>,
  redirects: readonly Redirect[],
  folder: string | undefined,
  opened: number[],
): void {
  for (const redirect of redirects) {
    if ('open' in redirect) {
      const here = folder === undefined || isAbsolute(redirect.path);
      const fd = open(redirect.open, here ? redirect.path : join(folder, redirect.path));
      opened.push(fd);
      fds[redirect.fd] = fd;
    } else {
      const like = fds[redirect.like];
      if (like === undefined) {
        throw argumentError(`${redirect.fd}>&${redirect.like} names a descriptor that the stage does not have`);
      }
      fds[redirect.fd] = like === 'inherit' ? redirect.like : like;
    }
  }
}
