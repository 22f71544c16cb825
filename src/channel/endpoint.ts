/**
 * What an endpoint is: one file in endpoints/ for each scheme, listed in `endpoints.ts`. Adding a
 * mechanism is adding such a file.
 */
import type { WaitOptions } from '../core/wait.js';
import type { PeerGone, ReceiverOptions, SenderOptions, Sink, Source, Traits } from './contract.js';
import type { EndpointUrl } from './url.js';

/** How an end is opened: waiting for the other one can be aborted. */
export type OpenSender = SenderOptions & WaitOptions;
/** How an end is opened: waiting for the other one can be aborted. */
export type OpenReceiver = ReceiverOptions & WaitOptions;

/** Half of a channel, open. `onPeerGone` is called once, before anything else happens to it. */
export interface OpenHalf<Half> {
  readonly half: Half;
  /** Tells whom to tell when the other side dies; not all mechanisms can know. */
  onPeerGone?(gone: PeerGone): void;
}

/** Who is at the other end of a connection. */
export interface Peer {
  pid: number;
  uid: number;
  gid: number;
}

/** Both halves, open. */
export interface OpenDuplex {
  readonly sink: OpenHalf<Sink>;
  readonly source: OpenHalf<Source>;
  readonly peer: Peer | undefined;
}

/** Accepts connections. */
export interface OpenListener {
  /** The next connection; `null` once the listener is closed. */
  accept(options: WaitOptions | undefined): Promise<OpenDuplex>;
  close(): void | Promise<void>;
}

/** A mechanism as the channel uses it. */
export interface Endpoint {
  readonly traits: Traits;
  /** The `?options` that its URLs may have. */
  readonly options: readonly string[];
  /** The sending end; resolves when messages can be sent. */
  sender(url: EndpointUrl, options: OpenSender): Promise<OpenHalf<Sink>>;
  /** The receiving end; resolves when there can be messages. */
  receiver(url: EndpointUrl, options: OpenReceiver): Promise<OpenHalf<Source>>;
  /** One end of a two-way connection, where the mechanism has them. */
  connect?(url: EndpointUrl, options: OpenSender): Promise<OpenDuplex>;
  /** Accepts two-way connections, where the mechanism has them. */
  listen?(url: EndpointUrl, options: OpenSender): Promise<OpenListener>;
}
