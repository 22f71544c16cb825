/** The list of endpoints. Each is loaded when its first URL is used. */
import type { Endpoint } from './endpoint.js';

/** How each scheme's file is loaded. */
const LOAD: Record<string, () => Promise<{ endpoint: Endpoint }>> = {
  file: () => import('./endpoints/file.js'),
  fd: () => import('./endpoints/fd.js'),
  fifo: () => import('./endpoints/fifo.js'),
  unix: () => import('./endpoints/unix.js'),
  unixpacket: () => import('./endpoints/unixpacket.js'),
  unixgram: () => import('./endpoints/unixgram.js'),
  mq: () => import('./endpoints/mq.js'),
  msgq: () => import('./endpoints/msgq.js'),
  shm: () => import('./endpoints/shm.js'),
  posixshm: () => import('./endpoints/posixshm.js'),
  mmap: () => import('./endpoints/mmap.js'),
  sysvshm: () => import('./endpoints/sysvshm.js'),
};

/** Every scheme that a URL can have. */
export const SCHEMES: readonly string[] = Object.keys(LOAD);

/** The endpoint of a scheme that is in the list. */
export async function endpointOf(scheme: string): Promise<Endpoint> {
  const load = LOAD[scheme];
  if (load === undefined) throw new Error(`no endpoint ${scheme}`);
  return (await load()).endpoint;
}
