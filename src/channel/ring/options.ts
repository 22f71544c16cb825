/** The `?options` of URLs that are rings. */
import { type EndpointUrl, numberOption } from '../url.js';
import { DEFAULT_CAPACITY, LEAST_CAPACITY, MOST_CAPACITY, roundCapacity } from './layout.js';
import { DEFAULT_SPIN_MS } from './link.js';

/** `?capacity=BYTES`: what the ring holds, rounded up to a power of two; 1 MiB if left out. */
export function capacityOption(url: EndpointUrl): number {
  return roundCapacity(numberOption(url, 'capacity', LEAST_CAPACITY, MOST_CAPACITY) ?? DEFAULT_CAPACITY);
}

/** `?spin=MICROSECONDS`: how long to look for work before sleeping; 20 if left out, 0 sleeps at once. */
export function spinOption(url: EndpointUrl): number {
  const microseconds = numberOption(url, 'spin', 0, 1_000_000);
  return microseconds === undefined ? DEFAULT_SPIN_MS : microseconds / 1000;
}
