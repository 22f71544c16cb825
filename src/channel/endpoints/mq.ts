/**
 * `mq:/name`: a POSIX message queue. It keeps messages for the next receiver, and takes several
 * senders. Whoever comes first makes the queue; `?max=` and `?size=` are its limits then. One that
 * is temporary is removed by the receiver that reaches the end, unless others use it (inUse.ts).
 * `?priority=` is the sender's: all that it sends, its end mark too, so that its order is kept.
 * `?raw` sends and receives messages as they are, for programs that know nothing of us.
 */
import { native, POLLIN, POLLOUT } from '../../sys/index.js';
import { IpcError } from '../../core/errors.js';
import { onceReady } from '../../core/readiness.js';
import type { WaitOptions } from '../../core/wait.js';
import * as mq from '../../mq/index.js';
import type { Sink, Source, Visit } from '../contract.js';
import type { Endpoint, OpenHalf, OpenReceiver, OpenSender } from '../endpoint.js';
import { isTemporary, leave, removeUnused, TEMPORARY_MODE, use } from '../inUse.js';
import {
  END,
  END_LENGTH,
  END_TEMPORARY,
  FIRST,
  Joiner,
  MORE,
  newSenderId,
  PIECE_HEADER,
  WHOLE,
  WHOLE_HEADER,
} from '../pieces.js';
import { type EndpointUrl, flagOption, numberOption } from '../url.js';

const MOST_PRIORITY = 32767;

/** The queue, in use; whether it is this end's to remove, or to say so: made for as long as it is needed, now or before. */
async function openQueue(
  url: EndpointUrl,
  access: mq.Access,
  { temporary = false, signal, timeoutMs }: WaitOptions & { temporary?: boolean },
): Promise<{ queue: mq.MessageQueue; temporary: boolean }> {
  const maxMessages = numberOption(url, 'max', 1, 0x7fffffff);
  const messageSize = numberOption(url, 'size', 1, 0x7fffffff);
  const options: mq.CreateOptions = {
    access,
    ...(maxMessages === undefined ? {} : { maxMessages }),
    ...(messageSize === undefined ? {} : { messageSize }),
    ...(temporary ? { mode: TEMPORARY_MODE } : {}),
  };
  const queue = await use(() => mq.openOrCreate(url.rest, options), url.rest, { signal, timeoutMs });
  return { queue, temporary: temporary && isTemporary(queue) };
}

class QueueSink implements Sink {
  readonly wholeLimit: number;
  readonly #queue: mq.MessageQueue;
  readonly #raw: boolean;
  readonly #temporary: boolean;
  readonly #priority: mq.Priority | undefined;
  readonly #buffer: Buffer;
  readonly #sender = newSenderId();
  #piece = 0;

  constructor(queue: mq.MessageQueue, raw: boolean, temporary: boolean, priority: number) {
    this.#queue = queue;
    this.#raw = raw;
    this.#priority = priority === 0 ? undefined : { priority };
    this.#temporary = temporary;
    this.#buffer = Buffer.alloc(queue.messageSize);
    this.wholeLimit = raw ? queue.messageSize : queue.messageSize - WHOLE_HEADER;
    if (!raw && queue.messageSize <= PIECE_HEADER) {
      throw new IpcError({
        code: 'EMSGSIZE',
        syscall: 'mq_open',
        object: queue.name,
        message: `a queue for messages of ${queue.messageSize} bytes cannot carry a channel, which needs ${PIECE_HEADER + 1}`,
      });
    }
  }

  offer(message: Uint8Array): boolean {
    if (this.#raw) return this.#queue.trySend(message, this.#priority);
    this.#buffer[0] = WHOLE;
    this.#buffer.set(message, WHOLE_HEADER);
    return this.#queue.trySend(this.#buffer.subarray(0, WHOLE_HEADER + message.length), this.#priority);
  }

  offerPart(message: Uint8Array, from: number): number {
    if (this.#raw) {
      throw new IpcError({
        code: 'EMSGSIZE',
        syscall: 'mq_send',
        object: this.#queue.name,
        message: `${message.length} bytes are more than the ${this.wholeLimit} of this queue, and ?raw does not split`,
      });
    }
    const buffer = this.#buffer;
    let next = from;
    if (next === 0) this.#piece = 0;
    while (next < message.length) {
      const size = Math.min(buffer.length - PIECE_HEADER, message.length - next);
      buffer.writeUInt32LE(next === 0 ? FIRST : MORE, 0);
      buffer.writeUInt32LE(this.#piece, 4);
      buffer.writeBigUInt64LE(this.#sender, 8);
      buffer.writeBigUInt64LE(BigInt(next === 0 ? message.length : next), 16);
      buffer.set(message.subarray(next, next + size), PIECE_HEADER);
      if (!this.#queue.trySend(buffer.subarray(0, PIECE_HEADER + size), this.#priority)) break;
      next += size;
      this.#piece++;
    }
    return next;
  }

  /** Each message is in the queue as soon as it is taken: no call takes several, and a queue outlives its sender. */
  readonly idle = true;

  publish(): boolean {
    return true;
  }

  offerEnd(): boolean {
    if (this.#raw) return true;
    const mark = this.#buffer.subarray(0, END_LENGTH).fill(0);
    mark[0] = END;
    mark[1] = this.#temporary ? END_TEMPORARY : 0;
    mark.writeBigUInt64LE(this.#sender, 8);
    if (!this.#queue.trySend(mark, this.#priority)) return false;
    leave(this.#queue);
    return true;
  }

  whenWritable = (ready: () => void): (() => void) => onceReady(this.#queue.fd, POLLOUT, ready);

  waitWritable(timeoutMs: number): void {
    native().poll(this.#queue.fd, POLLOUT, Math.ceil(timeoutMs));
  }

  release(): void {
    this.#queue.close();
  }
}

class QueueSource implements Source {
  readonly #queue: mq.MessageQueue;
  readonly #raw: boolean;
  readonly #buffer: Buffer;
  readonly #joiner = new Joiner();
  /** Whether an end mark may ask for the removal. */
  readonly #mayRemove: boolean;
  #senders: number;
  #remove: boolean;

  constructor(queue: mq.MessageQueue, raw: boolean, options: { senders: number; remove: boolean; mayRemove: boolean }) {
    this.#queue = queue;
    this.#raw = raw;
    this.#senders = options.senders;
    this.#remove = options.remove;
    this.#mayRemove = options.mayRemove;
    this.#buffer = Buffer.alloc(queue.messageSize);
  }

  /** Receives once: where the message stands, `undefined` = none now, `null` = the end. */
  #next(): { bytes: Buffer; start: number; end: number } | undefined | null {
    while (this.#senders > 0) {
      const length = this.#queue.tryReceiveInto(this.#buffer);
      if (length === undefined) return undefined;
      if (this.#raw) return { bytes: this.#buffer, start: 0, end: length };
      const kind = length === 0 ? undefined : this.#buffer[0];
      if (kind === WHOLE) return { bytes: this.#buffer, start: WHOLE_HEADER, end: length };
      if (kind === END && length === END_LENGTH) {
        if (((this.#buffer[1] as number) & END_TEMPORARY) !== 0) this.#remove = this.#mayRemove;
        if (--this.#senders === 0) leave(this.#queue);
      } else if (kind === FIRST || kind === MORE) {
        const message = this.#joiner.add(this.#buffer, length);
        if (message !== undefined) return { bytes: message, start: 0, end: message.length };
      } else {
        throw new IpcError({
          code: 'EBADMSG',
          syscall: 'mq_receive',
          object: this.#queue.name,
          message: `a message of ${length} bytes is not in the form of a channel`,
          hint: 'its sender does not send in the form of docs/protocol.md; ?raw receives messages as they are',
        });
      }
    }
    return null;
  }

  take(): Uint8Array | undefined | null {
    const found = this.#next();
    if (!found) return found;
    return found.bytes === this.#buffer
      ? Uint8Array.prototype.slice.call(found.bytes, found.start, found.end)
      : found.bytes;
  }

  takeMany(list: Uint8Array[], most: number): number {
    let count = 0;
    while (count < most) {
      const message = this.take();
      if (message === undefined) break;
      if (message === null) return count === 0 ? -1 : count;
      list.push(message);
      count++;
    }
    return count;
  }

  drain(visit: Visit, most: number): number {
    let count = 0;
    while (count < most) {
      const found = this.#next();
      if (found === undefined) break;
      if (found === null) return count === 0 ? -1 : count;
      count++;
      visit(found.bytes, found.start, found.end);
    }
    return count;
  }

  whenReadable = (ready: () => void): (() => void) => onceReady(this.#queue.fd, POLLIN, ready);

  waitReadable(timeoutMs: number): void {
    native().poll(this.#queue.fd, POLLIN, Math.ceil(timeoutMs));
  }

  async release(ended: boolean): Promise<void> {
    try {
      if (ended && this.#remove) await removeUnused(this.#queue);
    } finally {
      this.#queue.close();
    }
  }
}

/** POSIX message queues as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: false, retains: true, bounded: true, multiSender: true },
  options: ['max', 'size', 'priority', 'raw'],
  async sender(url, options: OpenSender): Promise<OpenHalf<Sink>> {
    const raw = flagOption(url, 'raw');
    const priority = numberOption(url, 'priority', 0, MOST_PRIORITY) ?? 0;
    const { queue, temporary } = await openQueue(url, 'send', options);
    try {
      return { half: new QueueSink(queue, raw, temporary, priority) };
    } catch (error) {
      queue.close();
      throw error;
    }
  },
  async receiver(url, options: OpenReceiver): Promise<OpenHalf<Source>> {
    const raw = flagOption(url, 'raw');
    const { senders = 1 } = options;
    const { queue, temporary } = await openQueue(url, 'receive', options);
    const mayRemove = options.temporary !== false;
    return { half: new QueueSource(queue, raw, { senders, remove: temporary, mayRemove }) };
  },
};
