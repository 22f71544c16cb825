/**
 * `head -c N /dev/zero | cat | wc -c` as a pipeline of ours, from the call to the result.
 *
 *   --taps none|count|copy   without taps (default), both edges counted, or one counted and copied to /dev/null
 */
import { openSync } from 'node:fs';
import { type PipelineOptions, pipeline } from '../../src/pipe/index.js';
import { measure } from '../support/joined.js';

function tapsFor(way: string): PipelineOptions {
  if (way === 'count') return { taps: true };
  if (way === 'copy') return { taps: { 0: { copyTo: openSync('/dev/null', 'w') } } };
  return {};
}

await measure(async (stages, way) => {
  const { output = new Uint8Array(0) } = await pipeline(stages, { output: 'buffer', ...tapsFor(way) }).wait();
  return { said: Buffer.from(output).toString() };
}, 'taps');
