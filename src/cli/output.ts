/** Standard output, with back-pressure. */
import { once } from 'node:events';

/** Writes, and waits while whoever reads is slower. */
export async function write(bytes: Uint8Array | string, stop: AbortSignal): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain', { signal: stop });
}

/** Waits until everything that was written has left; a failure of that comes through `stop`. */
export async function written(stop: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stop.throwIfAborted();
    stop.addEventListener('abort', () => reject(stop.reason), { once: true });
    process.stdout.write('', (why) => {
      if (!why) resolve();
    });
  });
}

/** A value as JSON for programs, readable for people. */
export async function writeJson(value: unknown, stop: AbortSignal): Promise<void> {
  await write(`${JSON.stringify(value, null, 2)}\n`, stop);
  await written(stop);
}
