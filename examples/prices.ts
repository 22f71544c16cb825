/**
 * Prices from one process to another over shared memory.
 *
 *   node dist/examples/prices.js sell [URL]      in one shell
 *   node dist/examples/prices.js buy [URL]       in another; either may start first
 *
 * The URL is shm:prices if left out. Try unix:@prices or mq:/prices: nothing else changes.
 */
import { channel } from 'interproc';

const PRICES = 1_000_000;
/** A price on the wire: a number for the instrument, and a double. */
const BYTES = 16;

async function sell(url: string): Promise<void> {
  await using sender = await channel.sender(url, { temporary: true });
  const message = new Uint8Array(BYTES);
  const view = new DataView(message.buffer);
  for (let n = 0; n < PRICES; n++) {
    view.setUint32(0, n % 500, true);
    view.setFloat64(8, 100 + (n % 100) / 100, true);
    // At once where there is room; else this waits, and other work of this process goes on.
    if (!sender.trySend(message)) await sender.send(message);
  }
}

async function buy(url: string): Promise<void> {
  await using receiver = await channel.receiver(url, { temporary: true });
  const last = new Float64Array(500);
  let count = 0;
  const visit = (bytes: Buffer, start: number): void => {
    last[bytes.readUInt32LE(start)] = bytes.readDoubleLE(start + 8);
    count += 1;
  };
  const began = performance.now();
  while ((await receiver.drain(visit)) !== null);
  const seconds = (performance.now() - began) / 1000;
  console.log(`${count} prices of ${last.length} instruments; the last of the first is ${last[0]}`);
  console.error(`${(count / seconds / 1e6).toFixed(1)} million a second`);
}

const [what, url = 'shm:prices'] = process.argv.slice(2);
if (what === 'sell') await sell(url);
else if (what === 'buy') await buy(url);
else {
  console.error('usage: prices.js sell|buy [URL]');
  process.exitCode = 2;
}
