/**
 * `msgq:0x1234`, `msgq:/path?id=1`: a System V message queue, by its key or by what ftok(3) makes of a path. It keeps messages
 * for the next receiver, and takes several senders. Whoever comes first makes the queue; `?bytes=` is its size then. One that
 * is temporary is removed by the receiver that reaches the end, unless others use it (msgq/users.ts). `?type=` is the type of all that
 * a sender sends, 1 if it is left out, and of all that a receiver receives, any if it is left out: several channels may share a queue.
 * `?raw` sends and receives messages as they are, for programs that know nothing of us.
 */
import type { WaitOptions } from '../../core/wait.js';
import { messageQueue } from '../../sysv/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf, OpenReceiver, OpenSender } from '../endpoint.js';
import { type Form, formOf } from '../msgq/form.js';
import { QueueSink } from '../msgq/sink.js';
import { QueueSource } from '../msgq/source.js';
import { isTemporary, TEMPORARY_MODE, Use } from '../msgq/users.js';
import { systemVKey } from '../systemVKey.js';
import { type EndpointUrl, flagOption, numberOption } from '../url.js';

const ANY_TYPE = 0;
const DEFAULT_TYPE = 1;
const MOST_TYPE = Number.MAX_SAFE_INTEGER;

/** An end's queue. */
interface Opened {
  queue: messageQueue.MessageQueue;
  use: Use;
  form: Form;
  /** Whether it is this end's to remove, or to say so: made for as long as it is needed, now or before. */
  temporary: boolean;
}

async function openQueue(
  url: EndpointUrl,
  access: messageQueue.Access,
  defaultType: number,
  { temporary = false, signal, timeoutMs }: WaitOptions & { temporary?: boolean },
): Promise<Opened> {
  const raw = flagOption(url, 'raw');
  const type = numberOption(url, 'type', 1, MOST_TYPE) ?? defaultType;
  const maxBytes = numberOption(url, 'bytes', 1, 0x7fff_ffff);
  const key = systemVKey(url, 'queue');
  const options: messageQueue.CreateOptions & messageQueue.OpenOptions = {
    access,
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(temporary ? { mode: TEMPORARY_MODE } : {}),
  };
  const { use, queue } = await Use.of(key, () => messageQueue.openOrCreate(key, options), { signal, timeoutMs });
  try {
    return { use, queue, form: formOf(queue, type, raw), temporary: temporary && isTemporary(queue) };
  } catch (why) {
    use.close();
    throw why;
  }
}

/** System V message queues as a channel. */
export const endpoint: Endpoint = {
  traits: { connected: false, retains: true, bounded: true, multiSender: true },
  options: ['id', 'type', 'bytes', 'raw'],
  async sender(url, options: OpenSender): Promise<OpenHalf<Sink>> {
    const { queue, use, form, temporary } = await openQueue(url, 'send', DEFAULT_TYPE, options);
    return { half: new QueueSink(queue, use, form, temporary) };
  },
  async receiver(url, options: OpenReceiver): Promise<OpenHalf<Source>> {
    const { queue, use, form, temporary } = await openQueue(url, 'receive', ANY_TYPE, options);
    const { senders = 1, temporary: wanted } = options;
    return { half: new QueueSource(queue, use, form, { senders, remove: temporary, mayRemove: wanted !== false }) };
  },
};
