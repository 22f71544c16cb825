/** The machine under the bench: where its processors are, who else uses them, what it is. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { machine as describe, type Machine as Described } from '../src/cli/machine.js';
import { compiler, cProgram } from './build-c.js';

/**
 * How far apart two processors are, by the round trip of one cache line between them.
 *
 * A virtual machine is moved about by its host within seconds, and cross-process figures differ several times between
 * placements. `sibling`: two threads of one core. `near`: two cores with a common cache. `far`: two sockets. `single`:
 * there is one processor only.
 */
export type Placement = 'sibling' | 'near' | 'far' | 'single';

/** Nanoseconds that divide the placements; the middles lie at 40, 120 to 170 and 600 to 1200. */
const SIBLING_BELOW = 70;
const NEAR_BELOW = 350;

/**
 * Runs the probe once (milliseconds, about). `ns` is the round trip of the cache line; `work` the nanoseconds of a few
 * additions, which double when a neighbour on the host takes the other half of the core.
 */
export function probe(ms = 50): { placement: Placement; ns: number | null; work: number } {
  const result = spawnSync(cProgram('probe'), ['--ms', String(ms)], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`the probe failed\n${result.stderr}`);
  const { ns, work } = JSON.parse(result.stdout) as { ns: number | null; work: number };
  if (ns === null) return { placement: 'single', ns, work };
  return { placement: ns < SIBLING_BELOW ? 'sibling' : ns < NEAR_BELOW ? 'near' : 'far', ns, work };
}

/** Processor time so far, in ticks of 10 ms. */
export interface Ticks {
  busy: number;
  stolen: number;
  ours: number;
}

/** Processor time of the whole machine, and of this process with the children it has waited for. */
export function ticks(): Ticks {
  const all = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.split(/\s+/).slice(1).map(Number);
  const self = readFileSync('/proc/self/stat', 'utf8');
  const fields = self
    .slice(self.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return {
    busy: all[0]! + all[1]! + all[2]! + all[5]! + all[6]!,
    stolen: all[7]!,
    ours: fields[11]! + fields[12]! + fields[13]! + fields[14]!,
  };
}

/** The part of one processor (0 and up) that others took from the machine since `before`, over `seconds`. */
export function foreignLoad(before: Ticks, seconds: number): number {
  const after = ticks();
  const others = after.busy - before.busy - (after.ours - before.ours) + (after.stolen - before.stolen);
  return Math.max(0, others / 100 / seconds);
}

/** What the report says about the machine. */
export interface Machine extends Described {
  compiler: string;
}

/** Describes the machine. */
export function machine(): Machine {
  const version = spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout ?? '';
  return { ...describe(), compiler: version.split('\n', 1)[0]! };
}
