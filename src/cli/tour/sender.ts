/**
 * The sending program of the tour: `sender.js URL BACK JOB`. Over one channel go a few messages to
 * warm up, the file in blocks, small messages in several passes, and round trips; an empty message ends each
 * part, an empty part the passes, and the receiver says over the way back that it has it all, so that the next begins with empty buffers.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type Receiver, receiver as openReceiver, type Sender, sender as openSender } from '../../channel/index.js';
import { MESSAGE_BYTES, newMessage, numberMessage } from './pattern.js';
import { BLOCK_BYTES, type Job, median, now, peakMemoryBytes, runProgram, type Sent, say, Steps } from './program.js';

/** So many small messages leave together. */
const PUBLISH = 256;
/** Until then both programs are compiled, and what is measured is the mechanism. */
const WARM_UP_SECONDS = 0.3;
/** A slow disk makes fewer round trips. */
const ROUND_TRIP_SECONDS = 5;
const EMPTY = new Uint8Array(0);
const steps = new Steps();

runProgram(async ([url = '', back = ''], job) => {
  const sender = await openSender(url, { coalesce: job.coalesce });
  const answers = await openReceiver(back);
  await answers.receive();

  await sendMessages(sender, { ...job, corrupt: false, mostSeconds: WARM_UP_SECONDS }, 2 * job.messages);
  await partEnds(sender, answers);

  const file = await sendFile(sender, job);
  await partEnds(sender, answers);

  const passes: Sent['passes'] = [];
  const changeMessage = job.corrupt && file.bytes === 0;
  for (let pass = 0; pass < job.passes; pass++) {
    passes.push(await sendMessages(sender, { ...job, corrupt: changeMessage }, job.messages));
    await partEnds(sender, answers);
    steps.at(0.5 + (pass + 1) / job.passes / 2);
  }
  await partEnds(sender, answers);

  await makeRoundTrips(sender, answers, Math.ceil(job.roundTrips / 10));
  const roundTripMicroseconds = median(await makeRoundTrips(sender, answers, job.roundTrips));
  await sender.close();
  // The receiver ends in its turn: leaving before would break its way back.
  await answers.receive();
  await answers.close();
  say({
    bytes: file.bytes,
    fileBegan: file.began,
    passes,
    roundTripMicroseconds,
    peakMemoryBytes: peakMemoryBytes(),
  } satisfies Sent);
});

async function partEnds(sender: Sender, answers: Receiver): Promise<void> {
  await sender.send(EMPTY);
  await sender.flush();
  await answers.receive();
}

/** Sends the file through one buffer; it is read where it stands, so its size costs no memory. */
async function sendFile(sender: Sender, job: Job): Promise<{ bytes: number; began: string }> {
  const fd = openSync(job.input, 'r');
  const block = Buffer.alloc(BLOCK_BYTES);
  try {
    const { size } = fstatSync(fd);
    const began = now();
    let bytes = 0;
    for (;;) {
      const length = readSync(fd, block, 0, BLOCK_BYTES, null);
      if (length === 0) return { bytes, began };
      if (job.corrupt && bytes === 0) block[length >> 1]! ^= 0x10;
      await sender.send(block.subarray(0, length));
      bytes += length;
      steps.at(bytes / size / 2);
    }
  } finally {
    closeSync(fd);
  }
}

async function sendMessages(sender: Sender, job: Job, most: number): Promise<{ messages: number; began: string }> {
  const words = newMessage();
  const message = new Uint8Array(words.buffer);
  const deadline = job.mostSeconds === null ? Infinity : performance.now() + job.mostSeconds * 1000;
  const began = now();
  let count = 0;
  while (count < most && performance.now() < deadline) {
    const end = Math.min(count + PUBLISH, most);
    for (; count < end; count++) {
      numberMessage(words, count);
      if (job.corrupt && count === most >> 1) message[0]! ^= 0x10;
      if (!sender.trySend(message)) await sender.send(message);
    }
    await sender.flush();
    if (job.passes === 1) steps.at(0.5 + count / most / 2);
  }
  return { messages: count, began };
}

/** Sends a message and waits until it is back, again and again: how long each took, in microseconds. */
async function makeRoundTrips(sender: Sender, answers: Receiver, most: number): Promise<number[]> {
  const message = new Uint8Array(MESSAGE_BYTES);
  const took: number[] = [];
  const deadline = performance.now() + ROUND_TRIP_SECONDS * 1000;
  for (let index = 0; index < most && performance.now() < deadline; index++) {
    message[0] = index;
    const began = process.hrtime.bigint();
    await sender.send(message);
    await sender.flush();
    const answer = await answers.receive();
    took.push(Number(process.hrtime.bigint() - began) / 1000);
    if (answer === null || answer.length !== MESSAGE_BYTES || answer[0] !== message[0]) {
      throw new Error('the answer to a message is not that message');
    }
  }
  return took;
}
