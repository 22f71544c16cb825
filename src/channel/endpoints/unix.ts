/**
 * `unix:/path` and `unix:@name`: a stream socket. The receiver listens for one sender and then
 * gives the address free; `listen` and `connect` go both ways, many at a time.
 */
import type { WaitOptions } from '../../core/wait.js';
import { stream, type Address, type StreamSocket } from '../../unix/index.js';
import { F_DUPFD_CLOEXEC, native } from '../../sys/index.js';
import { check, type ErrorSubject } from '../../core/errors.js';
import { atExit } from '../../core/exit.js';
import { DescriptorHandle } from '../../core/handle.js';
import { setNonBlocking } from '../../core/transfer.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenDuplex, OpenHalf, OpenListener } from '../endpoint.js';
import { streamSink, streamSource } from '../stream/hangup.js';
import { type EndpointUrl, flagOption } from '../url.js';

class OtherDirection extends DescriptorHandle {
  describe(): string {
    return 'the socket';
  }
}

function addressOf(url: EndpointUrl): Address {
  return url.rest;
}

function subjectOf(url: EndpointUrl): ErrorSubject {
  return { path: url.rest };
}

function waiting(options: WaitOptions | undefined): WaitOptions {
  return { signal: options?.signal, timeoutMs: options?.timeoutMs };
}

/** Each direction has a descriptor of its own: it is closed, and waited for, by itself. */
function duplex(url: EndpointUrl, socket: StreamSocket): OpenDuplex {
  const raw = flagOption(url, 'raw');
  const peer = socket.peerCredentials;
  setNonBlocking(socket.fd, true);
  const duplicate = check(native().fcntl(socket.fd, F_DUPFD_CLOEXEC, 0), 'fcntl(F_DUPFD_CLOEXEC)');
  return {
    sink: streamSink(socket, raw, subjectOf(url)),
    source: streamSource(new OtherDirection(duplicate, url.href), raw, subjectOf(url)),
    peer,
  };
}

/** Unix stream sockets as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: true, retains: false, bounded: true, multiSender: false },
  options: ['raw'],
  async sender(url, options): Promise<OpenHalf<Sink>> {
    const socket = await stream.connectWhenListening(addressOf(url), waiting(options));
    setNonBlocking(socket.fd, true);
    return streamSink(socket, flagOption(url, 'raw'), subjectOf(url));
  },
  async receiver(url, options): Promise<OpenHalf<Source>> {
    // Without a backlog: a second sender would be connected, and send, to nobody.
    using listener = stream.listen(addressOf(url), { backlog: 0 });
    const stayAtExit = atExit(() => listener.close());
    try {
      const socket = await listener.acceptLast(waiting(options));
      setNonBlocking(socket.fd, true);
      return streamSource(socket, flagOption(url, 'raw'), subjectOf(url));
    } finally {
      stayAtExit();
    }
  },
  async connect(url, options): Promise<OpenDuplex> {
    return duplex(url, await stream.connectWhenListening(addressOf(url), waiting(options)));
  },
  async listen(url): Promise<OpenListener> {
    const listener = stream.listen(addressOf(url), {});
    return {
      accept: async (options) => duplex(url, await listener.accept(waiting(options))),
      close: () => listener.close(),
    };
  },
};
