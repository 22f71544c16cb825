/** A program that receives in a worker thread, and terminates it in the middle of a wait. */
import { Worker } from 'node:worker_threads';
import { receiverUrl, serve } from './control.js';

let worker: Worker;
const heard: (number | string)[] = [];
let listener: ((value: number | string) => void) | undefined;

function next(): Promise<number | string> {
  const value = heard.shift();
  if (value !== undefined) return Promise.resolve(value);
  return new Promise((resolve) => {
    listener = resolve;
  });
}

await serve({
  receiveInWorker: ({ wait }: { wait: string }) => {
    worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: { url: receiverUrl, wait } });
    worker.on('message', (value) => {
      if (listener === undefined) heard.push(value);
      else listener(value);
      listener = undefined;
    });
    worker.on('error', (why) => heard.push(String(why)));
    return next();
  },
  heard: () => next(),
  terminate: () => worker.terminate(),
});
