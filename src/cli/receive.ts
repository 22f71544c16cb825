/** `interproc receive URL`: the messages that arrive, as bytes on standard output. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Receiver, receiver as openReceiver } from '../channel/index.js';
import { write, written } from './output.js';
import { counter, type Moved } from './progress.js';
import { withOption } from './urlOption.js';
import type { Verb } from './verb.js';

interface ReceiveOptions {
  keep?: boolean;
  type?: string;
  progress?: boolean;
}

/** Bytes that are gathered for one write, if they are there. */
const GATHER = 256 * 1024;

/** The verb. */
export const verb: Verb<ReceiveOptions> = {
  define(command) {
    command
      .argument(
        '<url>',
        'where from: fifo:./f, unix:./s, unixpacket:./s, unixgram:./s, mq:/q, msgq:0x51, shm:name, posixshm:/name, sysvshm:0x51, mmap:./ring, file:./log, fd:3',
      )
      .option('-k, --keep', 'leave what this command creates (a queue, a file)')
      .option('--type <number>', 'only messages of this type: msgq: (of any, if left out)')
      .option('-p, --progress', 'show on the terminal what has been received')
      .addHelpText(
        'after',
        `
Writes the bytes of the messages unchanged, one after the other, until the sender has ended.
Sender and receiver may be started in either order.

Examples:
  $ interproc receive fifo:./numbers > numbers.txt &
  $ seq 100000 | interproc send --lines fifo:./numbers
`,
      );
  },

  async run([url = ''], options, stop) {
    const receiver = await openReceiver(withOption(url, 'type', options.type), {
      temporary: options.keep !== true,
      signal: stop,
    });
    const moved = { messages: 0, bytes: 0 };
    const progress = options.progress === true ? await counter(moved) : undefined;
    try {
      for (let some = await gather(receiver, moved, stop); some !== null; some = await gather(receiver, moved, stop)) {
        await write(some, stop);
        progress?.update(moved.bytes);
        // A sender that is always faster must not keep the event loop from signals.
        await nextTurn();
      }
      await written(stop);
    } finally {
      progress?.stop();
      await receiver.close();
    }
    return 0;
  },
};

/** The bytes that are there, as soon as there are any; `null` at the end. One message alone may be more than GATHER. */
async function gather(receiver: Receiver, moved: Moved, stop: AbortSignal): Promise<Uint8Array | null> {
  const first = await receiver.receive({ signal: stop });
  if (first === null) return null;
  const parts = [first];
  let length = first.length;
  while (length < GATHER) {
    const next = nextNow(receiver);
    if (next === undefined) break;
    parts.push(next);
    length += next.length;
  }
  moved.messages += parts.length;
  moved.bytes += length;
  return parts.length === 1 ? first : Buffer.concat(parts, length);
}

/** A message that is there now. The end, and an error, come again with the next wait: what arrived before is written first. */
function nextNow(receiver: Receiver): Buffer | undefined {
  try {
    return receiver.tryReceive() ?? undefined;
  } catch {
    return undefined;
  }
}
