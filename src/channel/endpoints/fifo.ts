/**
 * `fifo:/path`: a named pipe between two processes that find each other by its path.
 *
 * Whoever comes first makes the FIFO if it is not there, and removes its name once both have it
 * open: a later pair makes another. A FIFO that somebody else made stays. The sender holds a
 * record lock on byte 1 and the receiver a flock(2), so a pair has the FIFO for itself; both locks
 * vanish with their process. `?raw` does without the locks, for peers that know nothing of us.
 */
import { F_WRLCK, LOCK_EX, LOCK_NB, native } from '../../sys/index.js';
import { EAGAIN, EEXIST } from '../../core/errno.js';
import { check, IpcError } from '../../core/errors.js';
import { namesDescriptor, statusAt } from '../../core/files.js';
import { setNonBlocking } from '../../core/transfer.js';
import type { WaitOptions } from '../../core/wait.js';
import * as fifo from '../../fifo/index.js';
import type { PipeReader, PipeWriter } from '../../pipe/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf } from '../endpoint.js';
import { streamSink, streamSource } from '../stream/hangup.js';
import { type EndpointUrl, flagOption } from '../url.js';

/** Makes the FIFO unless something is there. True if this call made it. */
function make(path: string): boolean {
  if (statusAt(path) !== undefined) return false;
  try {
    fifo.create(path);
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

/**
 * Opens our end, waiting for the other. An end that turns out to belong to another pair is let go:
 * if that pair has removed the name, a new FIFO is made, else it is busy.
 */
async function join<End extends PipeReader | PipeWriter>(
  url: EndpointUrl,
  who: string,
  open: () => Promise<End>,
  lock: (fd: number) => boolean,
): Promise<End> {
  const path = url.rest;
  if (flagOption(url, 'raw')) {
    const end = await open();
    setNonBlocking(end.fd, true);
    return end;
  }
  for (;;) {
    const made = make(path);
    let end: End;
    try {
      end = await open();
    } catch (error) {
      if (made) fifo.unlink(path);
      throw error;
    }
    if (lock(end.fd)) {
      if (made && namesDescriptor(path, end.fd)) fifo.unlink(path);
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
    const end = await join(url, 'sender', () => fifo.openWriter(url.rest, waiting(options)), lockAsSender);
    return streamSink(end, flagOption(url, 'raw'), { path: url.rest });
  },
  async receiver(url, options): Promise<OpenHalf<Source>> {
    const end = await join(url, 'receiver', () => fifo.openReader(url.rest, waiting(options)), lockAsReceiver);
    return streamSource(end, flagOption(url, 'raw'), { path: url.rest });
  },
};
