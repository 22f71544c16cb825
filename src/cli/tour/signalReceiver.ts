/** The receiving program of the signals' row: `signalReceiver.js signal:SIGRTMIN+1`. See signalSender.ts. */
import { createHash } from 'node:crypto';
import * as signal from '../../signal/index.js';
import { now, peakMemoryBytes, type Received, runProgram, say } from './program.js';
import { markOf, parseSignalUrl, sendSignal } from './signals.js';

/** Values after which the sender learns how many have come. */
const ANSWER_EVERY = 256;

runProgram(async ([url = '']) => {
  const { sig } = parseSignalUrl(url);
  const mark = signal.toNumber(markOf(sig));
  const values: number[] = [];
  using receiver = signal.open([sig, mark]);
  say({ ready: true });

  let ended = now();
  let event = await receiver.receive();
  const peer = event.pid;
  while (event.number !== mark) {
    values.push(event.value);
    const next = receiver.tryReceive();
    if (next === undefined || values.length % ANSWER_EVERY === 0) {
      ended = now();
      await sendSignal(peer, sig, values.length);
    }
    event = next ?? (await receiver.receive());
  }
  await sendSignal(peer, sig, -1);

  for (event = await receiver.receive(); event.number !== mark; event = await receiver.receive()) {
    await sendSignal(peer, sig, event.value);
  }
  say({
    bytes: null,
    fileDigest: null,
    fileEnded: null,
    passes: [
      { messages: values.length, digest: createHash('sha256').update(Int32Array.from(values)).digest('hex'), ended },
    ],
    peakMemoryBytes: peakMemoryBytes(),
  } satisfies Received);
});
