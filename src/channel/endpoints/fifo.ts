/**
 * `fifo:/path`: a named pipe between two processes that find each other by its path.
 *
 * Whoever comes first makes the FIFO if it is not there. Its sticky bit, which means nothing to the
 * kernel, says that a channel made it. The name of such a FIFO is removed once both have it open,
 * also if the one that made it was killed: a later pair makes another. A FIFO without the bit was
 * made by somebody for himself, and stays.
 *
 * The sender holds a record lock on byte 1 and the receiver a flock(2), so a pair has the FIFO for
 * itself; a record lock on byte 2 lets one of the two remove the name. All of them vanish with their
 * process. `?raw` does without them, for peers that know nothing of us.
 */
import { F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, native } from '../../sys/index.js';
import { EAGAIN, EEXIST, ENOENT } from '../../core/errno.js';
import { check, IpcError } from '../../core/errors.js';
import { atExit } from '../../core/exit.js';
import { namesDescriptor, statusAt, statusOf } from '../../core/files.js';
import { setNonBlocking } from '../../core/transfer.js';
import type { WaitOptions } from '../../core/wait.js';
import * as fifo from '../../fifo/index.js';
import type { PipeReader, PipeWriter } from '../../pipe/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf } from '../endpoint.js';
import { streamSink, streamSource } from '../stream/hangup.js';
import { type EndpointUrl, flagOption } from '../url.js';

/** The sticky bit, of a FIFO that a channel made and may remove. */
const OURS = 0o1000;
const MODE = 0o600;
const NAME_BYTE = 2;

/** Makes the FIFO unless something is there. True if this call made it. */
function make(path: string): boolean {
  if (statusAt(path) !== undefined) return false;
  try {
    fifo.create(path, { mode: OURS | MODE });
    return true;
  } catch (error) {
    if (error instanceof IpcError && error.errno === -EEXIST) return false;
    throw error;
  }
}

function taken(path: string, who: string): IpcError {
  return new IpcError({ code: 'EBUSY', syscall: 'open', path, message: `the FIFO has a ${who} already` });
}

/** Whether bytes are in it that a sender left who is gone: they are not ours to continue. */
function hasLeftovers(fd: number): boolean {
  return check(native().available(fd), 'ioctl(FIONREAD)') > 0;
}

function lockAsSender(fd: number): boolean {
  const locked = native().ofdSetLock(fd, F_WRLCK, 1, 1);
  if (locked === -EAGAIN) return false;
  check(locked, 'fcntl(F_OFD_SETLK)');
  return !hasLeftovers(fd);
}

function lockAsReceiver(fd: number): boolean {
  const locked = native().flock(fd, LOCK_EX | LOCK_NB);
  if (locked === -EAGAIN) return false;
  check(locked, 'flock');
  return true;
}

/** Removes the name that both ends no longer need, if a channel of this user made it and the other end is not doing so. */
function removeName(path: string, fd: number, access: number): void {
  const { mode, uid } = statusOf(fd, { path });
  if ((mode & OURS) === 0 || uid !== process.geteuid?.()) return;
  if (native().ofdSetLock(fd, access, NAME_BYTE, 1) === -EAGAIN) return;
  if (namesDescriptor(path, fd)) fifo.unlink(path);
  native().ofdSetLock(fd, F_UNLCK, NAME_BYTE, 1);
}

/** Removes the name of a FIFO that nobody has come to. */
function withdraw(path: string): void {
  const removed = native().unlink(path);
  if (removed !== -ENOENT) check(removed, 'unlink', { path });
}

/**
 * Opens our end, waiting for the other. An end that turns out to belong to another pair is let go:
 * if that pair has removed the name, a new FIFO is made, else it is busy.
 */
async function join<End extends PipeReader | PipeWriter>(
  url: EndpointUrl,
  who: string,
  open: () => Promise<End>,
  lock: (fd: number) => boolean,
  access: number,
): Promise<End> {
  const path = url.rest;
  if (flagOption(url, 'raw')) {
    const end = await open();
    setNonBlocking(end.fd, true);
    return end;
  }
  for (;;) {
    const made = make(path);
    const stayAtExit = atExit(() => made && withdraw(path));
    let end: End;
    try {
      end = await open();
    } catch (error) {
      if (made) withdraw(path);
      throw error;
    } finally {
      stayAtExit();
    }
    if (lock(end.fd)) {
      removeName(path, end.fd, access);
      setNonBlocking(end.fd, true);
      return end;
    }
    const named = namesDescriptor(path, end.fd);
    end.close();
    if (named) throw taken(path, who);
  }
}

function waiting(options: WaitOptions): WaitOptions {
  return { signal: options.signal, timeoutMs: options.timeoutMs };
}

/** FIFOs as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: true, retains: false, bounded: true, multiSender: false },
  options: ['raw'],
  async sender(url, options): Promise<OpenHalf<Sink>> {
    const end = await join(url, 'sender', () => fifo.openWriter(url.rest, waiting(options)), lockAsSender, F_WRLCK);
    return streamSink(end, flagOption(url, 'raw'), { path: url.rest });
  },
  async receiver(url, options): Promise<OpenHalf<Source>> {
    const end = await join(url, 'receiver', () => fifo.openReader(url.rest, waiting(options)), lockAsReceiver, F_RDLCK);
    return streamSource(end, flagOption(url, 'raw'), { path: url.rest });
  },
};
