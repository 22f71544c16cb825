/**
 * The only place that loads the addon, and only when the first function of it is needed: an import
 * of interproc works on any system and without a build.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Native } from './native.js';

/** Why the addon is not there; `core/errors` turns it into the error that users see. */
export interface LoadFailure {
  code: 'ERR_INTERPROC_UNSUPPORTED' | 'ERR_INTERPROC_NOT_BUILT';
  message: string;
  cause?: unknown;
}

/** Makes the error to throw; set by core, so that this layer knows nothing of errors. */
let failWith: (failure: LoadFailure) => Error = (failure) => new Error(failure.message);

/** Lets core say how a failure to load looks. */
export function onLoadFailure(make: (failure: LoadFailure) => Error): void {
  failWith = make;
}

let loaded: Native | undefined;

/** The addon, loaded at the first call. */
export function native(): Native {
  return loaded ?? load();
}

function load(): Native {
  if (process.platform !== 'linux') {
    throw failWith({
      code: 'ERR_INTERPROC_UNSUPPORTED',
      message: `interproc works on Linux only, and this is ${process.platform}`,
    });
  }
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  try {
    const require = createRequire(import.meta.url);
    const find = require('node-gyp-build') as (folder: string) => Native;
    const found = find(root);
    // What C has filled, V8 looks properties up in slowly; not so in what another object inherits from. 8 ns a call.
    Object.create(found);
    loaded = found;
    return loaded;
  } catch (cause) {
    throw failWith({
      code: 'ERR_INTERPROC_NOT_BUILT',
      message: `interproc's addon is not built for this machine; build it with: node ${JSON.stringify(`${root}scripts/build-addon.mjs`)}`,
      cause,
    });
  }
}
