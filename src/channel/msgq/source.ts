/** The receiving end at a System V queue. */
import { IpcError } from '../../core/errors.js';
import type { messageQueue } from '../../sysv/index.js';
import type { Source, Visit } from '../contract.js';
import { END, END_LENGTH, END_TEMPORARY, FIRST, Joiner, MORE, WHOLE, WHOLE_HEADER } from '../pieces.js';
import type { Form } from './form.js';
import type { Use } from './users.js';

/** How the end comes, and what is to be done then. */
export interface Ending {
  /** Marks that end the channel. */
  senders: number;
  /** Whether the queue is removed at the end. */
  remove: boolean;
  /** Whether an end mark may ask for that. */
  mayRemove: boolean;
}

/** Receives messages, and puts pieces together. */
export class QueueSource implements Source {
  readonly #queue: messageQueue.MessageQueue;
  readonly #use: Use;
  readonly #form: Form;
  readonly #select: messageQueue.Select;
  readonly #ending: Ending;
  readonly #joiner = new Joiner();
  #buffer: Buffer;
  /** The types of empty messages that were taken before they were asked for. */
  readonly #empty: (number | bigint)[] = [];

  constructor(queue: messageQueue.MessageQueue, use: Use, form: Form, ending: Ending) {
    this.#queue = queue;
    this.#use = use;
    this.#form = form;
    this.#select = { type: form.type };
    this.#ending = ending;
    this.#buffer = Buffer.alloc(form.size);
  }

  /** The length of a message that stands in the buffer then. */
  #take(): number | undefined {
    if (this.#empty.shift() !== undefined) return 0;
    for (;;) {
      try {
        return this.#queue.tryReceiveInto(this.#buffer, this.#select);
      } catch (why) {
        if (!(why instanceof IpcError && why.code === 'E2BIG')) throw why;
        // A limit was raised since the buffer was made.
        this.#buffer = Buffer.alloc(2 * this.#buffer.length);
      }
    }
  }

  /** Receives once: where the message stands, `undefined` = none now, `null` = the end. */
  #next(): { bytes: Buffer; start: number; end: number } | undefined | null {
    const ending = this.#ending;
    while (ending.senders > 0) {
      const length = this.#take();
      if (length === undefined) return undefined;
      if (this.#form.raw) return { bytes: this.#buffer, start: 0, end: length };
      const kind = length === 0 ? undefined : this.#buffer[0];
      if (kind === WHOLE) return { bytes: this.#buffer, start: WHOLE_HEADER, end: length };
      if (kind === END && length === END_LENGTH) {
        if (((this.#buffer[1] as number) & END_TEMPORARY) !== 0) ending.remove = ending.mayRemove;
        if (--ending.senders === 0) this.#use.leave();
      } else if (kind === FIRST || kind === MORE) {
        const message = this.#joiner.add(this.#buffer, length);
        if (message !== undefined) return { bytes: message, start: 0, end: message.length };
      } else {
        throw new IpcError({
          code: 'EBADMSG',
          syscall: 'msgrcv',
          ...this.#queue.subject,
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
    if (found.bytes !== this.#buffer) return found.bytes;
    return Uint8Array.prototype.slice.call(found.bytes, found.start, found.end);
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

  whenReadable = (ready: () => void): (() => void) | undefined => {
    if (this.#empty.length > 0) return undefined;
    let wanted = true;
    const takeBack = this.#queue.onceThere(this.#select, (empty) => {
      if (empty !== undefined) this.#empty.push(empty);
      if (wanted) ready();
    });
    return () => {
      wanted = false;
      takeBack();
    };
  };

  waitReadable(timeoutMs: number): void {
    if (this.#empty.length > 0) return;
    const empty = this.#queue.awaitThere(this.#select, timeoutMs);
    if (empty !== undefined) this.#empty.push(empty);
  }

  async release(ended: boolean): Promise<void> {
    try {
      // Nobody took these: they are the next receiver's.
      for (const type of this.#empty) this.#queue.trySend(type, new Uint8Array(0));
      if (ended && this.#ending.remove) await this.#use.removeUnused(this.#queue);
    } finally {
      this.#use.close();
      this.#queue.close();
    }
  }
}
