/**
 * How a program of the conformance suite is told what to do: over a socket of its own, in lines of
 * JSON. It has no other connection to the test: nothing inherited, no standard input or output.
 *
 *     node sender.js CONTROL SENDER_URL RECEIVER_URL
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { traits } from '../../../src/channel/index.js';

/** What a program can be asked; it may answer later, and be asked other things meanwhile. */
export type Verbs = Record<string, (args: never) => unknown>;

/** An error as it goes over the wire. */
export interface SentError {
  name: string;
  message: string;
  code?: string;
  syscall?: string;
}

/** The URLs that this program was given. */
export const senderUrl = process.argv[3] ?? '';
/** As `senderUrl`, for the other end. */
export const receiverUrl = process.argv[4] ?? '';

/** What of an error is told. */
export function sentError(why: unknown): SentError {
  const { name, message, code, syscall } = why as SentError;
  return { name, message, ...(code === undefined ? {} : { code }), ...(syscall === undefined ? {} : { syscall }) };
}

/** Answers until the test is gone, or until `leave`, after which the process ends when nothing is open. */
export async function serve(verbs: Verbs): Promise<void> {
  const socket = connect(process.argv[2] ?? '');
  const tell = (what: object): void => {
    socket.write(`${JSON.stringify(what)}\n`);
  };
  const known: Verbs = {
    ping: () => 'pong',
    leave: () => {
      socket.unref();
    },
    exit: () => process.exit(0),
    descriptors: async () => {
      const { countDescriptors, openWaiting } = await import('../../support/descriptors.js');
      // Whether an end needs a thread depends on who is first: what that leaves open is there from the first count on.
      await openWaiting();
      return countDescriptors();
    },
    ...verbs,
  };
  // What opening an end needs is loaded before it is asked for: from then on it waits for nothing but its peer.
  for (const url of new Set([senderUrl, receiverUrl])) await traits(url);
  tell({ pid: process.pid });
  createInterface({ input: socket }).on('line', async (line) => {
    const { id, verb, args } = JSON.parse(line) as { id: number; verb: string; args: never };
    try {
      const result = await (known[verb] as (args: never) => unknown)(args);
      tell({ id, result });
    } catch (why) {
      tell({ id, error: sentError(why) });
    }
  });
  socket.on('error', () => process.exit(70));
  socket.on('end', () => process.exit(71));
}
