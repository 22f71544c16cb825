/** Round trips by real-time signals that carry a value, both sides blocking in `receiveSync`. */
import * as signal from '../../src/signal/index.js';
import { startOther } from '../support/pair.js';
import { now, readOptions, reportRoundTrips, workArguments } from '../support/report.js';

const SIG = 'SIGRTMIN';
/** Bytes that a signal carries. */
const SIZE = 4;

async function main(): Promise<void> {
  const { work, words } = readOptions(50_000);
  using receiver = signal.open(SIG);
  if (words[0] === 'answer') {
    const parent = Number(words[1]);
    signal.queue(parent, SIG, -1);
    for (let n = 0; n < work.total; n++) signal.queue(parent, SIG, receiver.receiveSync().value);
    return;
  }
  const other = startOther(import.meta.url, ['answer', String(process.pid), ...workArguments(work)]);
  // A signal that comes before the other side receives would end it.
  let wrong = receiver.receiveSync().value ^ -1;
  const samples = new Float64Array(work.count);
  let last = now();
  for (let n = 0; n < work.total; n++) {
    signal.queue(other.pid, SIG, n);
    wrong |= receiver.receiveSync().value ^ n;
    const t = now();
    if (n >= work.warmup) samples[n - work.warmup] = t - last;
    last = t;
  }
  const ended = await other.ended;
  reportRoundTrips(SIZE, samples, 1, ended && wrong === 0);
}

await main();
