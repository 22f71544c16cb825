/**
 * `posixshm:/name`: a ring in a POSIX shared memory object, for two processes that share nothing but
 * its name. The kernel's locks on the object say who is alive, a futex wakes. The object comes into the world
 * complete (O_TMPFILE and linkat), so there is exactly one maker and nobody sees a half-made ring.
 */
import { namesDescriptor } from '../../core/files.js';
import * as shm from '../../shm/index.js';
import { formatRing, ringBytes } from '../ring/memory.js';
import { type Found, foundFile, namedEndpoint } from '../ring/named.js';
import type { EndpointUrl } from '../url.js';

function find(url: EndpointUrl, capacity: number): Found {
  const name = url.rest;
  const object = shm.openOrCreate(name, {
    size: ringBytes(capacity),
    prepare: (memory) => formatRing(memory, capacity),
  });
  return foundFile(object, url, {
    replaceable: true,
    memory: () => object.map(),
    isNamed: () => namesDescriptor(`/dev/shm${name}`, object.fd),
    unlink: () => shm.unlink(name),
  });
}

/** Rings in POSIX shared memory, as a channel. */
export const endpoint = namedEndpoint(find);
