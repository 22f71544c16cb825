/** `interproc relay FROM TO`: copies messages, or bytes, between any two endpoints. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Receiver, receiver as openReceiver, type Sender, sender as openSender } from '../channel/index.js';
import { UsageError } from './failure.js';
import * as format from './format.js';
import { writeJson } from './output.js';
import { counter } from './progress.js';
import { lastWords } from './send.js';
import type { Verb } from './verb.js';

interface RelayOptions {
  raw?: boolean;
  keep?: boolean;
  json?: boolean;
}

/** The mechanisms that are streams of bytes, and can be used without frames. */
const STREAMS = ['fd', 'fifo', 'unix', 'file'];

/** After so many the event loop has a turn, for signals and the display, even if messages never run out. */
const MESSAGES_A_TURN = 256;

/** The verb. */
export const verb: Verb<RelayOptions> = {
  define(command) {
    command
      .argument('<from>', 'where the messages come from')
      .argument('<to>', 'where they go to')
      .option(
        '-r, --raw',
        'bytes, not messages: without frames where the mechanism is a stream (fd:, fifo:, unix:, file:)',
      )
      .option('-k, --keep', 'leave what this command creates (a queue, a file)')
      .option('--json', 'print { messages, bytes, seconds } at the end')
      .addHelpText(
        'after',
        `
Ends when the sender at FROM has ended and everything is passed on.

Examples:
  $ interproc relay fifo:./in shm:out
  $ interproc relay --raw fifo:./bytes unix:./server
`,
      );
  },

  async run([from = '', to = ''], options, stop) {
    const moved = { messages: 0, bytes: 0 };
    const ends = options.raw === true ? raw(from, to) : { from, to };
    const { receiver, sender } = await openBoth(ends, options.keep !== true, stop);
    const progress = await counter(moved);
    const begun = performance.now();
    try {
      for (let message = await next(receiver, stop); message !== null; message = await next(receiver, stop)) {
        await sender.send(message, { signal: stop });
        moved.messages += 1;
        moved.bytes += message.length;
        if (moved.messages % MESSAGES_A_TURN !== 0) continue;
        progress.update(moved.bytes);
        await nextTurn();
      }
      await sender.close();
    } catch (why) {
      // Nobody should take what broke off for the end; a relay that was asked to end did end.
      if (stop.aborted) await lastWords(sender);
      else sender.destroy();
      throw why;
    } finally {
      progress.stop();
      await receiver.close();
    }
    const seconds = (performance.now() - begun) / 1000;
    if (options.json === true) await writeJson({ ...moved, seconds }, stop);
    else if (process.stderr.isTTY) process.stderr.write(`${summary(moved, seconds)}\n`);
    return 0;
  },
};

function next(receiver: Receiver, stop: AbortSignal): Uint8Array | null | Promise<Uint8Array | null> {
  const now = receiver.tryReceive();
  return now === undefined ? receiver.receive({ signal: stop }) : now;
}

function summary(moved: { messages: number; bytes: number }, seconds: number): string {
  return `${format.count(moved.messages)} messages, ${format.bytes(moved.bytes)} in ${seconds.toFixed(2)} s`;
}

/** The URLs with `?raw` at each end that is a stream. */
function raw(from: string, to: string): { from: string; to: string } {
  const mark = (url: string): string => {
    if (!STREAMS.includes(url.slice(0, url.indexOf(':')))) return url;
    return `${url}${url.includes('?') ? '&' : '?'}raw`;
  };
  const ends = { from: mark(from), to: mark(to) };
  if (ends.from === from && ends.to === to) {
    throw new UsageError(
      `--raw needs a stream of bytes at one end at least (${STREAMS.map((name) => `${name}:`).join(' ')}), got ${from} and ${to}`,
    );
  }
  return ends;
}

/** Opens both ends at once, since either may have to wait for its peer; if one cannot be opened, neither stays. */
async function openBoth(
  ends: { from: string; to: string },
  temporary: boolean,
  stop: AbortSignal,
): Promise<{ receiver: Receiver; sender: Sender }> {
  const failed = new AbortController();
  const options = { temporary, signal: AbortSignal.any([stop, failed.signal]) };
  const opening = [openReceiver(ends.from, options), openSender(ends.to, options)] as const;
  try {
    const [receiver, sender] = await Promise.all(opening);
    return { receiver, sender };
  } catch (why) {
    failed.abort();
    for (const opened of await Promise.allSettled(opening)) {
      if (opened.status === 'fulfilled') opened.value.destroy();
    }
    throw why;
  }
}
