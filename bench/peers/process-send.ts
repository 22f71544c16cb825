/** `process.send` of a child of child_process, as `fork` gives it, with bytes as they are (`serialization: 'advanced'`). */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportOneWay, workArguments } from '../support/report.js';

/** How many messages a sender lets wait before it looks whether they have left, as the documentation advises. */
const WINDOW = 64;

async function main(): Promise<void> {
  const { work, words } = readOptions(100_000);
  if (words[0] === 'send') {
    const stock = new Stock(work.size);
    for (let n = 0; n < work.total; n++) {
      const message = stock.messages[stock.slot(n)]!;
      if ((n + 1) % WINDOW === 0 || n === work.total - 1)
        await new Promise<void>((sent) => process.send!(message, () => sent()));
      else process.send!(message);
      stock.renew(n);
    }
    process.disconnect();
    return;
  }
  const args = ['send', ...workArguments(work)];
  const child = fork(fileURLToPath(import.meta.url), args, { serialization: 'advanced' });
  process.once('exit', () => child.kill('SIGKILL'));
  const check = new Check(work.size);
  let start = now();
  child.on('message', (message: Uint8Array) => {
    check.seeCut(
      Buffer.from(message.buffer, message.byteOffset, message.length),
      new DataView(message.buffer, message.byteOffset, message.length),
    );
    if (check.count === work.warmup) start = now();
    if (check.count === work.total) reportOneWay(work.size, work.count, start, now(), check.passed(work.total));
  });
}

await main();
