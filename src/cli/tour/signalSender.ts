/**
 * The sending program of the signals' row: `signalSender.js signal:SIGRTMIN+1?pid=PID JOB`. It sends
 * values to the receiver, which answers with the number it has, with the same signal. At most WINDOW are
 * on their way: how many signals may be queued is a limit that all processes of a user share
 * (RLIMIT_SIGPENDING). Once all are there, it measures round trips.
 */
import { setTimeout as pause } from 'node:timers/promises';
import * as signal from '../../signal/index.js';
import { signalValue } from './pattern.js';
import { type Job, median, now, peakMemoryBytes, runProgram, type Sent, say, Steps } from './program.js';
import { markOf, parseSignalUrl, sendSignal } from './signals.js';

const WINDOW = 1024;

runProgram(async ([url = ''], job) => {
  const { sig, pid } = parseSignalUrl(url);
  using answers = signal.open(sig);
  const pass = await sendValues(answers, sig, pid, job);

  const took: number[] = [];
  for (let index = -Math.ceil(job.roundTrips / 10); index < job.roundTrips; index++) {
    const begun = process.hrtime.bigint();
    await sendSignal(pid, sig, index);
    const answer = await answers.receive();
    if (index >= 0) took.push(Number(process.hrtime.bigint() - begun) / 1000);
    if (answer.value !== index) throw new Error(`the answer to the value ${index} is ${answer.value}`);
  }
  await sendSignal(pid, markOf(sig), 0);
  say({
    bytes: null,
    fileBegan: null,
    passes: [pass],
    roundTripMicroseconds: median(took),
    peakMemoryBytes: peakMemoryBytes(),
  } satisfies Sent);
});

async function sendValues(
  answers: signal.SignalReceiver,
  sig: string,
  pid: number,
  job: Job,
): Promise<Sent['passes'][number]> {
  const steps = new Steps();
  const began = now();
  let arrived = 0;
  let sent = 0;
  while (arrived < job.messages) {
    while (sent < job.messages && sent - arrived < WINDOW) {
      const changed = job.corrupt && sent === job.messages >> 1 ? 0x10 : 0;
      if (!signal.tryQueue(pid, sig, signalValue(sent) ^ changed)) break;
      sent += 1;
    }
    steps.at(arrived / job.messages);
    // Nothing of ours is on its way and yet the queue is full: it is other programs that fill it.
    if (sent === arrived) await pause(1);
    else arrived = (await answers.receive()).value;
  }
  // The mark is answered too, so that no answer to a value is left when the round trips begin.
  await sendSignal(pid, markOf(sig), 0);
  for (let last = await answers.receive(); last.value !== -1; last = await answers.receive());
  return { messages: sent, began };
}
