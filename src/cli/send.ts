/** `interproc send URL`: standard input becomes messages. */
import { addAbortSignal } from 'node:stream';
import { type Sender, sender as openSender } from '../channel/index.js';
import { blocks, lines } from './cut.js';
import { counter } from './progress.js';
import { withOption } from './urlOption.js';
import type { Verb } from './verb.js';

interface SendOptions {
  lines?: boolean;
  keep?: boolean;
  priority?: string;
  type?: string;
  coalesce: boolean;
  progress?: boolean;
}

/** How long what was taken may need to leave after the program was asked to end. */
const LAST_WORDS_MS = 1000;

/** The verb. */
export const verb: Verb<SendOptions> = {
  define(command) {
    command
      .argument(
        '<url>',
        'where to: fifo:./f, unix:./s, unixpacket:./s, unixgram:./s, mq:/q, msgq:0x51, shm:name, posixshm:/name, sysvshm:0x51, mmap:./ring, file:./log, fd:3',
      )
      .option(
        '-l, --lines',
        'each line is a message, with its newline (else: blocks of up to 64 KiB, as they are read)',
      )
      .option('-k, --keep', 'leave what this command creates for later receivers (a queue, a file)')
      .option('--priority <number>', 'of every message, 0 to 32767: mq: gives the highest to its receiver first')
      .option('--type <number>', 'of every message, 1 or more (1 if left out): msgq: lets its receivers choose by it')
      .option('--no-coalesce', 'publish each message at once, not those of one turn together')
      .option('-p, --progress', 'show on the terminal what has been sent')
      .addHelpText(
        'after',
        `
Ends when its input ends and everything is sent. Sender and receiver may be started in either order.

Examples:
  $ seq 100000 | interproc send --lines mq:/numbers &
  $ interproc receive mq:/numbers | sha256sum

  $ interproc send --progress unix:./socket < disk.img

  $ interproc send mq:/jobs --keep --priority 5 < urgent.txt
`,
      );
  },

  async run([url = ''], options, stop) {
    const whole = withOption(withOption(url, 'priority', options.priority), 'type', options.type);
    const sender = await openSender(whole, {
      coalesce: options.coalesce,
      temporary: options.keep !== true,
      signal: stop,
    });
    const moved = { messages: 0, bytes: 0 };
    const progress = options.progress === true ? await counter(moved) : undefined;
    const input = addAbortSignal(stop, process.stdin);
    // A receiver that dies is known at once, not only when the next input comes.
    sender.closed.catch((why: Error) => input.destroy(why));
    try {
      for await (const some of options.lines === true ? lines(input) : blocks(input)) {
        await sender.sendMany(progress === undefined ? some : counted(some, moved), { signal: stop });
        progress?.update(moved.bytes);
      }
      await closeUnlessStopped(sender, stop);
    } catch (why) {
      if (stop.aborted) await lastWords(sender);
      else sender.destroy();
      throw why;
    } finally {
      progress?.stop();
      input.destroy();
    }
    return 0;
  },
};

function* counted(messages: Iterable<Uint8Array>, moved: { messages: number; bytes: number }): Generator<Uint8Array> {
  for (const message of messages) {
    yield message;
    moved.messages += 1;
    moved.bytes += message.length;
  }
}

/** Closes; the wait for a receiver that does not read is given up when the program is asked to end. */
async function closeUnlessStopped(sender: Sender, stop: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const give = (): void => {
      sender.unref();
      reject(stop.reason);
    };
    stop.addEventListener('abort', give, { once: true });
    sender.close().then(resolve, reject);
  });
}

/** What was taken still leaves, and the end with it, so that the receiver ends as at the end of a file. */
export async function lastWords(sender: Sender): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LAST_WORDS_MS);
  });
  await Promise.race([sender.close().catch(() => undefined), patience]);
  clearTimeout(timer);
  sender.unref();
}
