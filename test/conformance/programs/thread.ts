/** The thread of worker.ts: it says how long each message is. */
import { parentPort, workerData } from 'node:worker_threads';
import { receiver } from '../../../src/channel/index.js';

const { url, wait } = workerData as { url: string; wait: string };
const tell = (value: number | string | undefined): void => parentPort?.postMessage(value);

const open = await receiver(url);
tell('waiting');
if (wait === 'iterate') for await (const message of open) tell(message.length);
for (;;) tell((wait === 'receiveSync' ? open.receiveSync() : await open.receive())?.length);
