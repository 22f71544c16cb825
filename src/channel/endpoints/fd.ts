/** `fd:N`: a descriptor that was inherited, the end of a pipe or a stream socket. */
import { constants } from 'node:fs';
import { F_SETFD, FD_CLOEXEC, native } from '../../sys/index.js';
import { argumentError, check, IpcError } from '../../core/errors.js';
import { isKind, statusOf } from '../../core/files.js';
import { DescriptorHandle } from '../../core/handle.js';
import { setNonBlocking } from '../../core/transfer.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf } from '../endpoint.js';
import { streamSink, streamSource } from '../stream/hangup.js';
import { type EndpointUrl, flagOption } from '../url.js';

class Inherited extends DescriptorHandle {
  describe(): string {
    return 'the inherited descriptor';
  }
}

function adopt(url: EndpointUrl): Inherited {
  if (!/^\d{1,9}$/.test(url.rest)) {
    throw argumentError(`${url.href}: fd: is followed by a descriptor's number, like fd:3`, 'ERR_INTERPROC_URL');
  }
  const fd = Number(url.rest);
  const { mode } = statusOf(fd, { object: url.href });
  if (!isKind(mode, constants.S_IFIFO) && !isKind(mode, constants.S_IFSOCK)) {
    throw new IpcError({
      code: 'EINVAL',
      syscall: 'fstat',
      object: url.href,
      message: 'the descriptor is neither a pipe nor a socket',
    });
  }
  check(native().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl(F_SETFD)', { object: url.href });
  setNonBlocking(fd, true);
  return new Inherited(fd, url.href);
}

/** Inherited descriptors as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: true, retains: false, bounded: true, multiSender: false },
  options: ['raw'],
  async sender(url): Promise<OpenHalf<Sink>> {
    return streamSink(adopt(url), flagOption(url, 'raw'), { object: url.href });
  },
  async receiver(url): Promise<OpenHalf<Source>> {
    return streamSource(adopt(url), flagOption(url, 'raw'), { object: url.href });
  },
};
