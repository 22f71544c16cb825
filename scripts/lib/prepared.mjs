// The way into every command of a checkout: check, set up, then run in this same process, so that signals, standard
// input and the exit code are the command's own. Old Nodes must be able to read this file far enough to say no.
// Nothing on this way may import node:process: that evaluates process.stdin and so makes standard input non-blocking.
import { missingPlatform } from './requirements.mjs';

/**
 * Sets up what is missing and then calls `then`. If that cannot be, says why on stderr and exits with 1.
 * @param {() => unknown} then
 * @param {'everything' | 'the command line'} part what of the build `then` runs
 */
export async function prepared(then, part = 'everything') {
  const missing = missingPlatform();
  if (missing) {
    process.stderr.write(`${missing}\n`);
    process.exit(1);
  }
  const { SetUpError, setUp } = await import('./setup.mjs');
  try {
    await setUp(part);
  } catch (error) {
    process.stderr.write(`${error instanceof SetUpError ? error.message : error.stack}\n`);
    process.exit(1);
  }
  await then();
}
