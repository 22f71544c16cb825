// Brings a checkout to the point where it can run: packages as the lock file says, addon and TypeScript built.
import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NO_COMPILER, addonIsCurrent, buildAddon, findCompiler } from '../build-addon.mjs';
import { findNpm, install, installIsCurrent } from './install.mjs';
import { lock } from './lock.mjs';
import { buildTypescript, typescriptIsCurrent } from './typescript.mjs';

/** The folder of the checkout. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Something that the person at the keyboard can mend; the message is all there is to say. */
export class SetUpError extends Error {}

/** Progress goes to stderr: stdout belongs to the command that runs afterwards. */
function say(text) {
  process.stderr.write(`interproc: ${text}\n`);
}

const allIsCurrent = (part) => installIsCurrent(root) && addonIsCurrent() && typescriptIsCurrent(root, part);

/**
 * Does what is needed and no more: when nothing has changed it takes a few dozen milliseconds, no lock, and writes
 * nothing. Rejects with a {@link SetUpError} when something is missing or does not compile.
 * @param {'everything' | 'the command line'} part what is going to run
 */
export async function setUp(part) {
  if (!findCompiler()) throw new SetUpError(NO_COMPILER);
  if (allIsCurrent(part)) return;

  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new SetUpError(
      `interproc: ${root} has to be built and you may not write there: build it as its owner, or clone it to a folder of yours`,
    );
  }
  const release = await lock(join(root, 'build', 'setup-lock'), () => say('waiting for another set-up in this folder'));
  try {
    if (!installIsCurrent(root)) {
      if (!findNpm())
        throw new SetUpError(
          'interproc: npm is missing: install it (Debian, Ubuntu: apt-get install npm; it also comes with Node.js from https://nodejs.org)',
        );
      say('installing packages (npm ci)');
      const failure = install(root);
      if (failure) throw new SetUpError(`${failure}\ninterproc: npm ci failed (above is what it said)`);
    }
    const faults = [];
    if (!addonIsCurrent()) {
      say('compiling the addon');
      if (!buildAddon()) faults.push('the addon');
    }
    if (!typescriptIsCurrent(root, part)) {
      say('compiling TypeScript');
      if (!(await buildTypescript(root))) faults.push('TypeScript');
    }
    if (faults.length > 0) throw new SetUpError(`interproc: ${faults.join(' and ')} did not compile`);
  } finally {
    release();
  }
}
