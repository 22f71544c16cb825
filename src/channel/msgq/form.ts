/** How messages of the channel stand in a System V queue. */
import { readFileSync } from 'node:fs';
import { IpcError } from '../../core/errors.js';
import type { messageQueue } from '../../sysv/index.js';
import { PIECE_HEADER } from '../pieces.js';

/** What both ends need to know. */
export interface Form {
  /** Of every message that is sent, or of those that are received, where 0 is any: several channels may share a queue. */
  readonly type: number;
  /** Whether they stand there as they are. */
  readonly raw: boolean;
  /** Bytes of the longest message of the queue. */
  readonly size: number;
}

const limit = (name: string): number => Number(readFileSync(`/proc/sys/kernel/${name}`, 'utf8'));

/** What the kernel tells of a queue, `undefined` to a sender who may not look. */
export function lookAt(queue: messageQueue.MessageQueue): messageQueue.Status | undefined {
  try {
    return queue.stat();
  } catch (why) {
    if (why instanceof IpcError && why.code === 'EACCES') return undefined;
    throw why;
  }
}

/** Bytes of the longest message that fits into this queue: msgmax, and no more than the whole queue holds. */
function sizeOf(queue: messageQueue.MessageQueue): number {
  return Math.min(limit('msgmax'), lookAt(queue)?.maxBytes ?? limit('msgmnb'));
}

/** The form of messages in this queue. @throws IpcError EMSGSIZE where it cannot carry a channel */
export function formOf(queue: messageQueue.MessageQueue, type: number, raw: boolean): Form {
  const size = sizeOf(queue);
  if (!raw && size <= PIECE_HEADER) {
    throw new IpcError({
      code: 'EMSGSIZE',
      syscall: 'msgget',
      ...queue.subject,
      message: `a queue for messages of ${size} bytes cannot carry a channel, which needs ${PIECE_HEADER + 1}`,
    });
  }
  return { type, raw, size };
}
