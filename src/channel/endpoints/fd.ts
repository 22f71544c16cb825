/**
 * `fd:N`: a descriptor that was inherited: the end of a pipe, a stream socket, or anonymous memory, which carries a ring. A pipe or a
 * socket is taken over and closed with the channel. Memory is opened anew, so that each end has locks of its own, and the descriptor stays the caller's.
 */
import { constants } from 'node:fs';
import { F_GETFL, F_SETFD, FD_CLOEXEC, native } from '../../sys/index.js';
import { argumentError, check, IpcError } from '../../core/errors.js';
import { isKind, statusOf } from '../../core/files.js';
import { OwnedDescriptor } from '../../core/handle.js';
import { setNonBlocking } from '../../core/transfer.js';
import { descriptor, type Mapping } from '../../mmap/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf } from '../endpoint.js';
import { LEAST_CAPACITY, MOST_CAPACITY } from '../ring/layout.js';
import { formatRing, isBlank, ringBytes } from '../ring/memory.js';
import { type Found, foundFile, NAMED_OPTIONS, namedReceiver, namedSender } from '../ring/named.js';
import { streamSink, streamSource } from '../stream/hangup.js';
import { type EndpointUrl, flagOption } from '../url.js';

const inherited = (fd: number): OwnedDescriptor => new OwnedDescriptor(fd, 'the inherited descriptor');

function numberOf(url: EndpointUrl): number {
  if (!/^\d{1,9}$/.test(url.rest)) {
    throw argumentError(`${url.href}: fd: is followed by a descriptor's number, like fd:3`, 'ERR_INTERPROC_URL');
  }
  return Number(url.rest);
}

const isMemory = (url: EndpointUrl): boolean =>
  isKind(statusOf(numberOf(url), { object: url.href }).mode, constants.S_IFREG);

function refuseOptions(url: EndpointUrl, options: readonly string[], what: string): void {
  const given = options.find((option) => url.options.has(option));
  if (given === undefined) return;
  throw argumentError(`${url.href}: ?${given} does not go with ${what}`, 'ERR_INTERPROC_URL');
}

/** A pipe or a socket. */
function adopt(url: EndpointUrl): OwnedDescriptor {
  refuseOptions(url, NAMED_OPTIONS, 'a pipe or a socket');
  const fd = numberOf(url);
  const { mode } = statusOf(fd, { object: url.href });
  if (!isKind(mode, constants.S_IFIFO) && !isKind(mode, constants.S_IFSOCK)) {
    throw new IpcError({
      code: 'EINVAL',
      syscall: 'fstat',
      object: url.href,
      message: 'the descriptor is neither a pipe nor a socket nor memory',
    });
  }
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', { object: url.href });
  setNonBlocking(fd, true);
  return inherited(fd);
}

/** The largest ring that memory of so many bytes can carry. */
function capacityIn(size: number, url: EndpointUrl): number {
  let capacity = MOST_CAPACITY;
  while (ringBytes(capacity) > size && capacity > LEAST_CAPACITY) capacity /= 2;
  if (ringBytes(capacity) <= size) return capacity;
  const message = `${size} bytes are too few for a ring: at least ${ringBytes(LEAST_CAPACITY)} are needed`;
  throw new IpcError({ code: 'EINVAL', syscall: 'mmap', object: url.href, message });
}

/** Memory without a name: who comes first under the lock writes the ring's header into it. */
function findMemory(url: EndpointUrl): Found {
  refuseOptions(url, ['raw', 'capacity'], 'memory');
  const subject = { object: url.href };
  const status = check(native().fcntl(numberOf(url), F_GETFL, 0), 'fcntl(F_GETFL)', subject);
  if ((status & 3) !== constants.O_RDWR) {
    // Opening it anew would give us what we were not given.
    const message = 'the descriptor is not open for reading and writing, as a ring needs';
    throw new IpcError({ code: 'EACCES', syscall: 'mmap', object: url.href, message });
  }
  const file = inherited(check(native().open(`/proc/self/fd/${numberOf(url)}`, constants.O_RDWR, 0), 'open', subject));
  const memory = (): Mapping => {
    const capacity = capacityIn(statusOf(file.fd, subject).size, url);
    const mapped = descriptor(file.fd, { length: ringBytes(capacity) }, subject);
    if (isBlank(mapped)) formatRing(mapped, capacity);
    return mapped;
  };
  return foundFile(file, url, { replaceable: false, memory, isNamed: () => true, unlink: () => undefined });
}

/** Inherited descriptors as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: true, retains: false, bounded: true, multiSender: false },
  options: ['raw', ...NAMED_OPTIONS],
  async sender(url, options): Promise<OpenHalf<Sink>> {
    if (isMemory(url)) return namedSender(findMemory, url, options);
    return streamSink(adopt(url), flagOption(url, 'raw'), { object: url.href });
  },
  async receiver(url, options): Promise<OpenHalf<Source>> {
    if (isMemory(url)) return namedReceiver(findMemory, url, options);
    return streamSource(adopt(url), flagOption(url, 'raw'), { object: url.href });
  },
};
