/**
 * `unixpacket:/path` and `unixpacket:@name`: a seqpacket socket. The receiver listens for one sender, or for as many as it was told,
 * and then gives the address free; `listen` and `connect` go both ways, many at a time.
 */
import { F_DUPFD_CLOEXEC, native, POLLRDHUP } from '../../sys/index.js';
import { check, type ErrorSubject } from '../../core/errors.js';
import { atExit } from '../../core/exit.js';
import { setNonBlocking } from '../../core/transfer.js';
import type { WaitOptions } from '../../core/wait.js';
import { seqpacket, type SeqpacketListener, type SeqpacketSocket } from '../../unix/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenDuplex, OpenHalf, OpenListener } from '../endpoint.js';
import { GatheringSource } from '../packet/gathering.js';
import { PacketSink } from '../packet/sink.js';
import { PacketSource } from '../packet/source.js';
import { receiverGone, watchPeer } from '../stream/hangup.js';
import { type EndpointUrl, flagOption } from '../url.js';

function subjectOf(url: EndpointUrl): ErrorSubject {
  return { path: url.rest };
}

function waiting(options: WaitOptions | undefined): WaitOptions {
  return { signal: options?.signal, timeoutMs: options?.timeoutMs };
}

function packetSink(url: EndpointUrl, socket: SeqpacketSocket): OpenHalf<Sink> {
  setNonBlocking(socket.fd, true);
  const half = new PacketSink(socket, flagOption(url, 'raw'), subjectOf(url));
  return { half, onPeerGone: (gone) => watchPeer(half, socket, 0, () => gone(receiverGone(subjectOf(url)))) };
}

function packetSource(url: EndpointUrl, socket: SeqpacketSocket): OpenHalf<Source> {
  setNonBlocking(socket.fd, true);
  const raw = flagOption(url, 'raw');
  const half = new PacketSource(socket, subjectOf(url), { raw, connected: true, senders: 1 });
  return { half, onPeerGone: (gone) => watchPeer(half, socket, POLLRDHUP, () => gone(half.lose())) };
}

/** The first has come when it is there; the others come while messages are received. */
async function gatheringSource(
  url: EndpointUrl,
  listener: SeqpacketListener,
  senders: number,
  options: WaitOptions,
): Promise<OpenHalf<Source>> {
  const raw = flagOption(url, 'raw');
  const half = new GatheringSource(listener, senders, (socket) => {
    setNonBlocking(socket.fd, true);
    return new PacketSource(socket, subjectOf(url), { raw, connected: true, senders: 1 });
  });
  half.add(await listener.accept(options));
  const stayAtExit = atExit(() => listener.close());
  const release = half.release.bind(half);
  half.release = (): void => {
    stayAtExit();
    release();
  };
  return { half };
}

/** Each direction has a descriptor of its own: it is closed, and waited for, by itself. */
function duplex(url: EndpointUrl, socket: SeqpacketSocket): OpenDuplex {
  const peer = socket.peerCredentials;
  const duplicate = check(native().fcntl(socket.fd, F_DUPFD_CLOEXEC, 0), 'fcntl(F_DUPFD_CLOEXEC)');
  return { sink: packetSink(url, socket), source: packetSource(url, seqpacket.fromFd(duplicate)), peer };
}

/** Unix seqpacket sockets as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: true, retains: false, bounded: true, multiSender: true },
  options: ['raw'],
  async sender(url, options): Promise<OpenHalf<Sink>> {
    return packetSink(url, await seqpacket.connectWhenListening(url.rest, waiting(options)));
  },
  async receiver(url, { senders = 1, ...options }): Promise<OpenHalf<Source>> {
    // Without a backlog: one sender more would be connected, and send, to nobody.
    const listener = seqpacket.listen(url.rest, { backlog: 0 });
    const stayAtExit = atExit(() => listener.close());
    try {
      if (senders > 1) return await gatheringSource(url, listener, senders, waiting(options));
      return packetSource(url, await listener.acceptLast(waiting(options)));
    } catch (why) {
      listener.close();
      throw why;
    } finally {
      stayAtExit();
    }
  },
  async connect(url, options): Promise<OpenDuplex> {
    return duplex(url, await seqpacket.connectWhenListening(url.rest, waiting(options)));
  },
  async listen(url): Promise<OpenListener> {
    const listener = seqpacket.listen(url.rest, {});
    return {
      accept: async (options) => duplex(url, await listener.accept(waiting(options))),
      close: () => listener.close(),
    };
  },
};
