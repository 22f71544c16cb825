/** A buffer of the kernel with a blocking call for each message: pipe, FIFO, Unix sockets of all three types, message queues of both kinds. */
import { join } from 'node:path';
import * as fifo from '../../src/fifo/index.js';
import * as mq from '../../src/mq/index.js';
import * as pipe from '../../src/pipe/index.js';
import { messageQueue } from '../../src/sysv/index.js';
import { type DatagramSocket, datagram, type SeqpacketSocket, seqpacket, stream } from '../../src/unix/index.js';
import { scratchDirectory } from '../support/pair.js';

/** Sends a message, blocking. */
export type Send = (message: Uint8Array) => void;
/** Fills the array with the next message, blocking. */
export type Receive = (message: Uint8Array) => void;

/** A way in one direction, made by the parent. */
export interface Way {
  /** What the child calls `openSend` or `openReceive` with. */
  name: string;
  /** What the child must inherit for that, as the descriptor that `name` states. */
  descriptor?: number;
  send: () => Send;
  receive: () => Receive;
  /** Once the child has been started. */
  started: () => void;
}

interface Bytes {
  readIntoSync: (bytes: Uint8Array) => number | null;
}

/** A stream may give a large block in pieces. */
function receiveBytes(from: Bytes): Receive {
  return (message) => {
    let filled = from.readIntoSync(message);
    while (filled !== message.length) {
      if (filled === null) throw new Error('the other side ended');
      const more = from.readIntoSync(message.subarray(filled));
      if (more === null) throw new Error('the other side ended');
      filled += more;
    }
  };
}

function sendTo(queue: mq.MessageQueue): Send {
  return (message) => queue.sendSync(message);
}

function receiveFrom(queue: mq.MessageQueue): Receive {
  return (message) => {
    if (queue.receiveIntoSync(message) !== message.length) throw new Error('a message of another length');
  };
}

/** Those sockets keep the boundaries of messages. */
const SOCKETS = { unixgram: datagram, unixpacket: seqpacket };

function receiveMessage(from: DatagramSocket | SeqpacketSocket): Receive {
  return (message) => {
    if (from.receiveIntoSync(message) !== message.length) throw new Error('a message of another length');
  };
}

/** All messages have this type, as in C. */
const TYPE = 1;

function receiveTyped(queue: messageQueue.MessageQueue): Receive {
  return (message) => {
    if (queue.receiveIntoSync(message) !== message.length) throw new Error('a message of another length');
  };
}

/**
 * Makes a way.
 *
 * @param child what the child does with it
 * @param number the how manieth way of this run it is, from 0
 */
export function makeWay(mechanism: string, size: number, child: 'send' | 'receive', number: number): Way {
  const descriptor = 3 + number;
  if (mechanism === 'pipe') {
    const { reader, writer } = pipe.create();
    const [ours, theirs] = child === 'send' ? [reader, writer] : [writer, reader];
    return {
      name: `pipe:${descriptor}`,
      descriptor: theirs.handOver(),
      send: () => (message) => (ours as pipe.PipeWriter).writeSync(message),
      receive: () => receiveBytes(ours as pipe.PipeReader),
      started: () => theirs.close(),
    };
  }
  if (mechanism === 'unix') {
    const { first, second } = stream.pair();
    return {
      name: `unix:${descriptor}`,
      descriptor: second.fd,
      send: () => (message) => first.writeSync(message),
      receive: () => receiveBytes(first),
      started: () => second.close(),
    };
  }
  if (mechanism === 'fifo') {
    const path = join(scratchDirectory(), 'fifo');
    fifo.create(path);
    const name = `fifo:${path}`;
    return { name, send: () => openSend(name), receive: () => openReceive(name), started: () => {} };
  }
  if (mechanism === 'unixgram' || mechanism === 'unixpacket') {
    const { first, second } = SOCKETS[mechanism].pair();
    return {
      name: `${mechanism}:${descriptor}`,
      descriptor: second.handOver(),
      send: () => (message) => first.sendSync(message),
      receive: () => receiveMessage(first),
      started: () => second.close(),
    };
  }
  if (mechanism === 'msgq') {
    const typed = messageQueue.create('random');
    process.once('exit', () => typed.remove());
    const name = `msgq:${typed.key}`;
    return { name, send: () => openSend(name), receive: () => openReceive(name), started: () => {} };
  }
  if (mechanism !== 'mq') {
    throw new RangeError(`--mechanism must be pipe, fifo, unix, unixgram, unixpacket, mq or msgq, not ${mechanism}`);
  }
  const name = `/bench-${process.pid}-${number}`;
  const queue = mq.create(name, { maxMessages: 10, messageSize: size });
  process.once('exit', () => mq.unlink(name));
  return { name: `mq:${name}`, send: () => sendTo(queue), receive: () => receiveFrom(queue), started: () => {} };
}

function parse(name: string): { mechanism: string; rest: string } {
  const colon = name.indexOf(':');
  return { mechanism: name.slice(0, colon), rest: name.slice(colon + 1) };
}

/** The sending end of a way of this name. */
export function openSend(name: string): Send {
  const { mechanism, rest } = parse(name);
  if (mechanism === 'mq') return sendTo(mq.open(rest, { access: 'send' }));
  if (mechanism === 'unixgram' || mechanism === 'unixpacket') {
    const socket = SOCKETS[mechanism].fromFd(Number(rest));
    return (message) => socket.sendSync(message);
  }
  if (mechanism === 'msgq') {
    const typed = messageQueue.open(Number(rest));
    return (message) => typed.sendSync(TYPE, message);
  }
  const to =
    mechanism === 'pipe'
      ? pipe.writerFromFd(Number(rest))
      : mechanism === 'fifo'
        ? fifo.openWriterSync(rest)
        : stream.fromFd(Number(rest));
  return (message) => to.writeSync(message);
}

/** The receiving end of a way of this name. */
export function openReceive(name: string): Receive {
  const { mechanism, rest } = parse(name);
  if (mechanism === 'mq') return receiveFrom(mq.open(rest, { access: 'receive' }));
  if (mechanism === 'unixgram' || mechanism === 'unixpacket') {
    return receiveMessage(SOCKETS[mechanism].fromFd(Number(rest)));
  }
  if (mechanism === 'msgq') return receiveTyped(messageQueue.open(Number(rest)));
  if (mechanism === 'pipe') return receiveBytes(pipe.readerFromFd(Number(rest)));
  return receiveBytes(mechanism === 'fifo' ? fifo.openReaderSync(rest) : stream.fromFd(Number(rest)));
}
