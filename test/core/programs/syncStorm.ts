/** Blocks its main thread for 2 s while signals arrive, and says how long that was and how many came. */
import { Counter } from '../support.js';

let signals = 0;
process.on('SIGWINCH', () => signals++);
process.stdout.write('ready\n');
process.stdin.once('data', () => {
  const start = performance.now();
  let ended = '';
  try {
    new Counter().takeSync({ timeoutMs: 2000 });
  } catch (why) {
    ended = (why as NodeJS.ErrnoException).code ?? String(why);
  }
  const took = performance.now() - start;
  // The turn after the next has seen the signals.
  setImmediate(setImmediate, () => {
    process.stdout.write(`${JSON.stringify({ ended, took, signals })}\n`);
    process.exit();
  });
});
