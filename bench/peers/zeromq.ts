/**
 * The package zeromq over ipc:// (a Unix socket): PUSH and PULL, one message for each send. The bench fetches it
 * (`fetchPeers`): it brings a program of its own for each machine, and nobody but the bench needs it.
 */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { scratchDirectory, startOther } from '../support/pair.js';
import { Check, Stock } from '../support/payload.js';
import { now, readOptions, reportOneWay, workArguments } from '../support/report.js';
import { peersFolder } from '../fetch-peers.js';

/** What is used of the package. */
interface ZeroMq {
  Push: new () => { connect(address: string): void; send(message: Uint8Array): Promise<void>; close(): void };
  Pull: new () => {
    bind(address: string): Promise<void>;
    receive(): Promise<[Buffer]>;
    close(): void;
  };
}

async function main(): Promise<void> {
  const { work, words } = readOptions(200_000);
  const { Push, Pull } = createRequire(join(peersFolder, 'package.json'))('zeromq') as ZeroMq;
  if (words[0] === 'send') {
    const told = once(process, 'SIGTERM');
    const push = new Push();
    push.connect(words[1]!);
    const alive = setInterval(() => {}, 1000);
    const stock = new Stock(work.size);
    for (let n = 0; n < work.total; n++) {
      // It keeps what it was given until it has left, so each message is a copy.
      await push.send(Buffer.from(stock.messages[stock.slot(n)]!));
      stock.renew(n);
    }
    // What it has taken is lost if it is closed before it has left.
    await told;
    clearInterval(alive);
    push.close();
    return;
  }
  const address = `ipc://${join(scratchDirectory(), 'socket')}`;
  const pull = new Pull();
  await pull.bind(address);
  const sender = startOther(import.meta.url, ['send', address, ...workArguments(work)]);
  const check = new Check(work.size);
  let start = now();
  while (check.count < work.total) {
    const [message] = await pull.receive();
    check.seeCut(message, new DataView(message.buffer, message.byteOffset, message.length));
    if (check.count === work.warmup) start = now();
  }
  reportOneWay(work.size, work.count, start, now(), check.passed(work.total));
  pull.close();
  process.kill(sender.pid, 'SIGTERM');
}

await main();
