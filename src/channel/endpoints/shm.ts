/**
 * `shm:name`: a ring in sealed memory without a name, handed over an abstract Unix socket. The
 * fastest way, and the safest: nobody can truncate it, the peer's identity is known, and a crash
 * leaves nothing behind.
 */
import type { WaitOptions } from '../../core/wait.js';
import { argumentError, IpcError } from '../../core/errors.js';
import { stream, type StreamSocket } from '../../unix/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenDuplex, OpenHalf, OpenListener } from '../endpoint.js';
import { giveRing, type RingOptions, takeRing } from '../ring/exchange.js';
import { ACCEPT, BUSY, HELLO, hear, ROLES, tell } from '../ring/handshake.js';
import { capacityOption, spinOption } from '../ring/options.js';
import { busy, checkPeer, Deadline, meet, type Meeting } from '../ring/rendezvous.js';
import type { EndpointUrl } from '../url.js';

function addressOf(url: EndpointUrl): string {
  if (url.rest === '')
    throw argumentError(`${url.href}: shm: is followed by a name, like shm:prices`, 'ERR_INTERPROC_URL');
  return `@interproc.shm/${url.rest}`;
}

function anyUser(url: EndpointUrl): boolean {
  const users = url.options.get('users');
  if (users !== undefined && users !== 'any') {
    throw argumentError(`${url.href}: users is "any" or left out, got ${JSON.stringify(users)}`, 'ERR_INTERPROC_URL');
  }
  return users === 'any';
}

function meetingOf(url: EndpointUrl, role: 'sender' | 'receiver'): Meeting {
  return { address: addressOf(url), url: url.href, role, anyUser: anyUser(url) };
}

function ringOptions(url: EndpointUrl): RingOptions {
  return { url: url.href, capacity: capacityOption(url), spinMs: spinOption(url) };
}

function vanished(url: EndpointUrl): IpcError {
  return new IpcError({
    code: 'ECONNRESET',
    syscall: 'recvmsg',
    object: url.href,
    message: 'the peer hung up during the handshake',
  });
}

/** Both rings of a two-way connection; the socket itself is not needed afterwards. */
async function bothRings(url: EndpointUrl, socket: StreamSocket, options: WaitOptions): Promise<OpenDuplex> {
  const rings = ringOptions(url);
  const peer = socket.peerCredentials;
  const sink = await giveRing(socket, rings, options);
  try {
    const source = await takeRing(socket, rings, options);
    if (source === undefined) throw vanished(url);
    return { sink, source, peer };
  } catch (error) {
    void sink.half.release(false);
    throw error;
  } finally {
    socket.close();
  }
}

async function welcome(url: EndpointUrl, socket: StreamSocket, options: WaitOptions): Promise<OpenDuplex | undefined> {
  try {
    checkPeer(socket, url.href, anyUser(url));
    const hello = await hear(socket, [HELLO], url.href, options);
    if (hello === undefined || hello.value !== ROLES.both) {
      if (hello !== undefined) await tell(socket, BUSY, 0, [], options);
      socket.close();
      return undefined;
    }
    await tell(socket, ACCEPT, 0, [], options);
    return await bothRings(url, socket, options);
  } catch (error) {
    socket.close();
    // A guest that fails does not end the listener: only our own abort and time-out do.
    if (error instanceof IpcError && error.code !== 'ETIMEDOUT') return undefined;
    throw error;
  }
}

/** Rings in memory that is handed over, as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: true, retains: false, bounded: true, multiSender: false },
  options: ['capacity', 'spin', 'users'],

  async sender(url, options): Promise<OpenHalf<Sink>> {
    const deadline = new Deadline(options, url.href);
    const { socket, leave } = await meet(meetingOf(url, 'sender'), deadline.left());
    try {
      return await giveRing(socket, ringOptions(url), deadline.left(), leave);
    } catch (error) {
      leave();
      throw error;
    } finally {
      socket.close();
    }
  },

  async receiver(url, options): Promise<OpenHalf<Source>> {
    const deadline = new Deadline(options, url.href);
    for (;;) {
      const { socket, leave } = await meet(meetingOf(url, 'receiver'), deadline.left());
      try {
        const half = await takeRing(socket, ringOptions(url), deadline.left(), leave);
        if (half !== undefined) return half;
      } catch (error) {
        leave();
        throw error;
      } finally {
        socket.close();
      }
      // The sender died between the handshake and the ring: as if it had never come.
      leave();
    }
  },

  async connect(url, options): Promise<OpenDuplex> {
    const deadline = new Deadline(options, url.href);
    const socket = await stream.connectWhenListening(addressOf(url), deadline.left());
    try {
      checkPeer(socket, url.href, anyUser(url));
      await tell(socket, HELLO, ROLES.both, [], deadline.left());
      const answer = await hear(socket, [ACCEPT, BUSY], url.href, deadline.left());
      if (answer === undefined) throw vanished(url);
      if (answer.type === BUSY) throw busy(url.href, 'end', answer.pid);
      return await bothRings(url, socket, deadline.left());
    } catch (error) {
      socket.close();
      throw error;
    }
  },

  async listen(url): Promise<OpenListener> {
    const listener = stream.listen(addressOf(url), {});
    return {
      async accept(options): Promise<OpenDuplex> {
        const deadline = new Deadline({ signal: options?.signal, timeoutMs: options?.timeoutMs }, url.href);
        for (;;) {
          const connection = await welcome(url, await listener.accept(deadline.left()), deadline.left());
          if (connection !== undefined) return connection;
        }
      },
      close: () => listener.close(),
    };
  },
};
