/**
 * `unixgram:/path` and `unixgram:@name`: datagram sockets. The receiver is bound there, and any number of senders send to it;
 * one that comes first waits for it. Nobody is told of a sender that died without its end mark. A receiver that is gone is
 * EPIPE to the next message, and what it had not received is gone, too.
 */
import { atExit } from '../../core/exit.js';
import { datagram } from '../../unix/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf } from '../endpoint.js';
import { PacketSink } from '../packet/sink.js';
import { PacketSource } from '../packet/source.js';
import { flagOption } from '../url.js';

/** Unix datagram sockets as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: false, retains: false, bounded: true, multiSender: true },
  options: ['raw'],
  async sender(url, { signal, timeoutMs }): Promise<OpenHalf<Sink>> {
    const raw = flagOption(url, 'raw');
    const socket = await datagram.connectWhenBound(url.rest, { signal, timeoutMs });
    return { half: new PacketSink(socket, raw, { path: url.rest }) };
  },
  async receiver(url, { senders = 1 }): Promise<OpenHalf<Source>> {
    const raw = flagOption(url, 'raw');
    const socket = datagram.bind(url.rest);
    const stayAtExit = atExit(() => socket.close());
    const half = new PacketSource(socket, { path: url.rest }, { raw, connected: false, senders });
    const release = half.release.bind(half);
    half.release = (): void => {
      stayAtExit();
      release();
    };
    return { half };
  },
};
