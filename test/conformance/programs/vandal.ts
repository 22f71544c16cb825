/** A thread that writes two values into a word of a ring, by turns, as fast as it can. */
import { parentPort, workerData } from 'node:worker_threads';
import * as shm from '../../../src/shm/index.js';

const { name, word, values } = workerData as { name: string; word: number; values: [number, number] };
const object = shm.open(name);
const { int32 } = object.map();
object.close();
const first = Atomics.load(int32, word);
parentPort?.postMessage('begun');
for (;;) {
  Atomics.store(int32, word, values[0]);
  Atomics.store(int32, word, first);
  Atomics.store(int32, word, values[1]);
}
