/**
 * `msgq:0x1234`, `msgq:/path?id=1`: a System V message queue, by its key or by what ftok(3) makes of a path. It keeps messages
 * for the next receiver, and takes several senders. Whoever comes first makes the queue; `?bytes=` is its size then. One that
 * is temporary is removed by the receiver that reaches the end, unless others use it (msgq/users.ts). `?type=` is the type of all that
 * a sender sends, 1 if it is left out, and of all that a receiver receives, any if it is left out: several channels may share a queue.
 * `?raw` sends and receives messages as they are, for programs that know nothing of us.
 */
import { argumentError } from '../../core/errors.js';
import type { WaitOptions } from '../../core/wait.js';
import { ftok, messageQueue } from '../../sysv/index.js';
import type { Sink, Source } from '../contract.js';
import type { Endpoint, OpenHalf, OpenReceiver, OpenSender } from '../endpoint.js';
import { type Form, formOf } from '../msgq/form.js';
import { QueueSink } from '../msgq/sink.js';
import { QueueSource } from '../msgq/source.js';
import { isTemporary, TEMPORARY_MODE, Use } from '../msgq/users.js';
import { type EndpointUrl, flagOption, numberOption } from '../url.js';

const ANY_TYPE = 0;
const DEFAULT_TYPE = 1;
const MOST_TYPE = Number.MAX_SAFE_INTEGER;

/** The key that a URL means. */
function keyOf(url: EndpointUrl): number {
  const id = numberOption(url, 'id', 1, 255);
  if (/^(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(url.rest)) {
    const key = Number(url.rest);
    if (id !== undefined) throw argumentError(`${url.href}: id goes with a path, not with a key`, 'ERR_INTERPROC_URL');
    if (key > 0 && key <= 0xffff_ffff) return key;
  } else if (url.rest.includes('/')) {
    return ftok(url.rest, id ?? 1);
  }
  throw argumentError(
    `${url.href}: a System V queue is named by its key, 1 to 0xffffffff, or by a path with a slash (./file)`,
    'ERR_INTERPROC_URL',
  );
}

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
  const key = keyOf(url);
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
