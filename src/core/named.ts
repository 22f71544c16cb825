/** Objects of the kernel that are found by a name. */
import { EEXIST, ENOENT } from './errno.js';
import { IpcError } from './errors.js';

/** Runs `attempt`; `undefined` if the kernel says this errno. */
function unless<T>(errno: number, attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof IpcError && error.errno === -errno) return undefined;
    throw error;
  }
}

/** Opens what exists, else makes it; of several who do so at once, one makes it and the others open that. */
export function openOrMake<T extends object>(open: () => T, create: () => T): T {
  for (;;) {
    const object = unless(ENOENT, open) ?? unless(EEXIST, create);
    if (object !== undefined) return object;
  }
}
