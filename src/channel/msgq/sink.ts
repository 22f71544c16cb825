/**
 * The sending end at a System V queue. The kernel tells of room only to who sends: so where the queue is full, a thread puts one
 * message in that was taken ahead, and the next has to wait until it is there.
 */
import { IpcError } from '../../core/errors.js';
import type { messageQueue } from '../../sysv/index.js';
import type { Sink } from '../contract.js';
import {
  END,
  END_LENGTH,
  END_TEMPORARY,
  FIRST,
  MORE,
  newSenderId,
  PIECE_HEADER,
  WHOLE,
  WHOLE_HEADER,
} from '../pieces.js';
import type { Form } from './form.js';
import type { Use } from './users.js';

/** Sends messages, whole or in pieces. */
export class QueueSink implements Sink {
  readonly wholeLimit: number;
  readonly #queue: messageQueue.MessageQueue;
  readonly #use: Use;
  readonly #form: Form;
  readonly #temporary: boolean;
  readonly #buffer: Buffer;
  readonly #sender = newSenderId();
  #piece = 0;
  /** What was taken and is not in the queue yet. */
  #ahead: messageQueue.Departure | undefined;

  constructor(queue: messageQueue.MessageQueue, use: Use, form: Form, temporary: boolean) {
    this.#queue = queue;
    this.#use = use;
    this.#form = form;
    this.#temporary = temporary;
    this.#buffer = Buffer.alloc(form.size);
    this.wholeLimit = form.raw ? form.size : form.size - WHOLE_HEADER;
  }

  /** Whether everything that was taken is in the queue. */
  get idle(): boolean {
    return this.#ahead === undefined;
  }

  /** The same, having looked. */
  publish(): boolean {
    const result = this.#ahead?.result;
    if (result !== undefined) this.#ahead = undefined;
    if (result !== undefined && result < 0) throw this.#queue.failure(result, 'msgsnd');
    return this.#ahead === undefined;
  }

  /** Into the queue, or ahead of it; false if something is there already. */
  #put(bytes: Uint8Array): boolean {
    if (!this.publish()) return false;
    if (!this.#queue.trySend(this.#form.type, bytes)) this.#ahead = this.#queue.depart(this.#form.type, bytes);
    return true;
  }

  offer(message: Uint8Array): boolean {
    if (this.#form.raw) return this.#put(message);
    if (!this.publish()) return false;
    this.#buffer[0] = WHOLE;
    this.#buffer.set(message, WHOLE_HEADER);
    return this.#put(this.#buffer.subarray(0, WHOLE_HEADER + message.length));
  }

  offerPart(message: Uint8Array, from: number): number {
    if (this.#form.raw) {
      throw new IpcError({
        code: 'EMSGSIZE',
        syscall: 'msgsnd',
        ...this.#queue.subject,
        message: `${message.length} bytes are more than the ${this.wholeLimit} of this queue, and ?raw does not split`,
      });
    }
    const buffer = this.#buffer;
    let next = from;
    if (next === 0) this.#piece = 0;
    while (next < message.length && this.publish()) {
      const size = Math.min(buffer.length - PIECE_HEADER, message.length - next);
      buffer.writeUInt32LE(next === 0 ? FIRST : MORE, 0);
      buffer.writeUInt32LE(this.#piece, 4);
      buffer.writeBigUInt64LE(this.#sender, 8);
      buffer.writeBigUInt64LE(BigInt(next === 0 ? message.length : next), 16);
      buffer.set(message.subarray(next, next + size), PIECE_HEADER);
      if (!this.#put(buffer.subarray(0, PIECE_HEADER + size))) break;
      next += size;
      this.#piece++;
    }
    return next;
  }

  offerEnd(): boolean {
    if (!this.publish()) return false;
    if (this.#form.raw) return true;
    const mark = this.#buffer.subarray(0, END_LENGTH).fill(0);
    mark[0] = END;
    mark[1] = this.#temporary ? END_TEMPORARY : 0;
    mark.writeBigUInt64LE(this.#sender, 8);
    return this.#put(mark);
  }

  whenWritable = (ready: () => void): (() => void) | undefined => {
    const ahead = this.#ahead;
    if (ahead === undefined || ahead.result !== undefined) return undefined;
    ahead.onOver = ready;
    return () => {
      ahead.onOver = undefined;
    };
  };

  waitWritable(timeoutMs: number): void {
    this.#ahead?.block(timeoutMs);
  }

  release(): void {
    this.#ahead?.cancel();
    this.#use.close();
    this.#queue.close();
  }
}
