/**
 * The receiving program of the tour: `receiver.js URL BACK`. It knows nothing but the two
 * addresses. See sender.ts for what comes over them.
 */
import { type Receiver, receiver as openReceiver, sender as openSender } from '../../channel/index.js';
import { now, peakMemoryBytes, type Received, runProgram, say } from './program.js';
import { type Part, Tally } from './tally.js';

const EMPTY = new Uint8Array(0);

runProgram(async ([url = '', back = '']) => {
  const receiver = await openReceiver(url);
  // Each answer leaves at once: nothing else is on its way.
  const answers = await openSender(back, { coalesce: false });
  const tally = new Tally(receiver.traits.bounded);
  await answers.send(EMPTY);

  const received = async (): Promise<Part> => {
    const part = await receivePart(receiver, tally);
    await answers.send(EMPTY);
    return part;
  };
  await received();
  const file = await received();
  const passes: Part[] = [];
  for (let pass = await received(); pass.messages > 0; pass = await received()) passes.push(pass);
  for (let message = await receiver.receive(); message !== null; message = await receiver.receive()) {
    await answers.send(message);
  }
  await answers.close();
  await receiver.close();
  say({
    bytes: file.bytes,
    fileDigest: file.digest,
    fileEnded: file.ended,
    passes,
    peakMemoryBytes: peakMemoryBytes(),
  } satisfies Received);
});

/** Receives up to the next empty message, after which the sender waits for our word. */
async function receivePart(receiver: Receiver, tally: Tally): Promise<Part> {
  let ended: string | undefined;
  const visit = (bytes: Buffer, start: number, end: number): void => {
    if (start === end) ended = now();
    else tally.add(bytes, start, end);
  };
  while (ended === undefined) {
    if ((await receiver.drain(visit)) === null) throw new Error('the sender ended in the middle');
  }
  return tally.result(ended);
}
