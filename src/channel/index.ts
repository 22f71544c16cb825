/**
 * One channel over every mechanism, chosen by URL: messages of 0 to 64 MiB, in order, whole.
 *
 * @example
 * // one process
 * await using sender = await channel.sender('shm:prices');
 * await sender.send(Buffer.from('EURUSD 1.0873'));
 * // another
 * const text = new TextDecoder();
 * for await (const message of await channel.receiver('shm:prices')) console.log(text.decode(message));
 */
import { checkInteger, checkOptions } from '../core/arguments.js';
import { argumentError } from '../core/errors.js';
import { checkSignal, checkTimeout } from '../core/wait.js';
import { ChannelListener, Connection } from './connection.js';
import type { Traits } from './contract.js';
import type { Endpoint, OpenReceiver, OpenSender } from './endpoint.js';
import { endpointOf, SCHEMES } from './endpoints.js';
import { Receiver } from './receiver.js';
import { Sender } from './sender.js';
import { checkUrlOptions, type EndpointUrl, parseUrl } from './url.js';

export { ChannelListener, Connection } from './connection.js';
export { LONGEST_MESSAGE, type ReceiverOptions, type SenderOptions, type Traits, type Visit } from './contract.js';
export type { OpenReceiver, OpenSender, Peer } from './endpoint.js';
export { SCHEMES } from './endpoints.js';
export { Receiver } from './receiver.js';
export type { Closed } from './closing.js';
export { Sender } from './sender.js';

async function resolve(href: string): Promise<{ url: EndpointUrl; endpoint: Endpoint }> {
  const url = parseUrl(href, SCHEMES);
  const endpoint = await endpointOf(url.scheme);
  checkUrlOptions(url, endpoint.options);
  return { url, endpoint };
}

function checkOpen(options: OpenSender & OpenReceiver, known: readonly string[]): void {
  checkOptions(options, [...known, 'temporary', 'signal', 'timeoutMs']);
  checkSignal(options.signal);
  checkTimeout(options.timeoutMs);
  if (options.highWaterMark !== undefined)
    checkInteger('highWaterMark', options.highWaterMark, 0, Number.MAX_SAFE_INTEGER);
  if (options.senders !== undefined) checkInteger('senders', options.senders, 1, 0xffff);
}

/**
 * The sending end of a channel. Over a connected mechanism it resolves when the receiver is there;
 * either may come first. A receiver that dies later is EPIPE.
 *
 * @throws TypeError `ERR_INTERPROC_URL`; IpcError EBUSY (there is a sender already, its pid is
 *   named), EACCES, ENOSPC
 */
export async function sender(href: string, options: OpenSender = {}): Promise<Sender> {
  checkOpen(options, ['coalesce', 'highWaterMark']);
  const { url, endpoint } = await resolve(href);
  const open = await endpoint.sender(url, options);
  const made = new Sender(href, endpoint.traits, open.half, options);
  open.onPeerGone?.((why) => made.peerGone(why));
  return made;
}

/**
 * The receiving end of a channel. Over a connected mechanism it resolves when the sender is there;
 * either may come first. A sender that dies without having closed is ECONNRESET, after everything
 * it had published.
 *
 * @throws as `sender`
 */
export async function receiver(href: string, options: OpenReceiver = {}): Promise<Receiver> {
  checkOpen(options, ['senders']);
  const { url, endpoint } = await resolve(href);
  if ((options.senders ?? 1) > 1 && !endpoint.traits.multiSender) {
    throw argumentError(`${href} has one sender; several can share mq:, msgq: and unixgram:`);
  }
  const open = await endpoint.receiver(url, options);
  const made = new Receiver(href, endpoint.traits, open.half);
  open.onPeerGone?.((why) => made.peerGone(why));
  return made;
}

/** Connects to a `listen` of the same URL, waiting until there is one: `unix:`, `unixpacket:` and `shm:`. */
export async function connect(href: string, options: OpenSender = {}): Promise<Connection> {
  checkOpen(options, ['coalesce', 'highWaterMark']);
  const { url, endpoint } = await resolve(href);
  if (endpoint.connect === undefined) throw oneWay(href);
  return new Connection(href, endpoint.traits, await endpoint.connect(url, options), options);
}

/** Accepts two-way connections: `unix:`, `unixpacket:` and `shm:`. @throws IpcError EADDRINUSE (a live server has the address) */
export async function listen(href: string, options: OpenSender = {}): Promise<ChannelListener> {
  checkOpen(options, ['coalesce', 'highWaterMark']);
  const { url, endpoint } = await resolve(href);
  if (endpoint.listen === undefined) throw oneWay(href);
  return new ChannelListener(href, endpoint.traits, await endpoint.listen(url, options), options);
}

/** What kind of channel a URL's scheme is, without opening it. */
export async function traits(href: string): Promise<Traits> {
  return (await resolve(href)).endpoint.traits;
}

function oneWay(href: string): TypeError {
  return argumentError(`${href} goes one way: use sender() and receiver(); unix:, unixpacket: and shm: go both ways`);
}
