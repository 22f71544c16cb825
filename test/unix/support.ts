/** Sockets that are connected to each other, for tests. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type DatagramSocket,
  datagram,
  type SeqpacketSocket,
  type StreamListener,
  type StreamSocket,
  seqpacket,
  stream,
} from '../../src/unix/index.js';
import { temporaryFolder } from '../support/folder.js';

/** The bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The text of bytes that were read. */
export const text = (read: Uint8Array | null | undefined): string => new TextDecoder().decode(read ?? undefined);

/** A path for a socket in a folder of its own. */
export function socketPath(t: TestContext): string {
  return join(temporaryFolder(t), 's');
}

/** A pair of sockets that is closed when the test is over. */
export function pairFor(t: TestContext): { first: StreamSocket; second: StreamSocket } {
  const pair = stream.pair();
  t.after(() => pair.close());
  return pair;
}

/** Connects until the backlog is full. */
export function fill(listener: StreamListener): StreamSocket[] {
  const waiting: StreamSocket[] = [];
  for (let one = stream.tryConnect(listener.address); one !== undefined; one = stream.tryConnect(listener.address)) {
    waiting.push(one);
  }
  return waiting;
}

/** The sockets of messages, by their kind. */
interface MessageSockets {
  datagram: DatagramSocket;
  seqpacket: SeqpacketSocket;
}

/** Two sockets of messages that are connected to each other. */
export interface MessagePair<Kind extends keyof MessageSockets = keyof MessageSockets> extends Disposable {
  first: MessageSockets[Kind];
  second: MessageSockets[Kind];
}

/** The kinds of sockets of messages, each with what makes a pair of them. */
export const MESSAGE_KINDS: { [Kind in keyof MessageSockets]: () => MessagePair<Kind> } = {
  datagram: datagram.pair,
  seqpacket: seqpacket.pair,
};

/** A pair of sockets of messages that is closed when the test is over. */
export function messagePair<Kind extends keyof MessageSockets>(t: TestContext, kind: Kind): MessagePair<Kind> {
  const pair = MESSAGE_KINDS[kind]();
  t.after(() => pair[Symbol.dispose]());
  return pair;
}

/** Sends until there is no room: how many were sent. */
export function fillWith(send: () => boolean): number {
  let sent = 0;
  while (send()) sent++;
  return sent;
}
