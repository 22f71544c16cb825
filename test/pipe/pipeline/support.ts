/** What the tests of pipelines share. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { type Pipeline, type PipelineOptions, type PipelineResult, pipeline } from '../../../src/pipe/index.js';
import { children, processGroup } from '../../../src/proc/index.js';
import { stateOf } from '../../support/proc.js';

/** Starts a pipeline that is gone when the test is over. */
export function started(
  t: Pick<TestContext, 'after'>,
  line: string | readonly (readonly string[])[],
  options?: PipelineOptions,
): Pipeline {
  const running = pipeline(line, options);
  t.after(async () => {
    running.destroy();
    await running.wait().catch(() => {});
  });
  return running;
}

/** Runs a pipeline to its end: its result, and what it wrote. */
export async function run(
  line: string | readonly (readonly string[])[],
  options: PipelineOptions = {},
): Promise<PipelineResult & { text: string }> {
  const result = await pipeline(line, { input: 'null', output: 'buffer', ...options }).wait();
  return { ...result, text: Buffer.from(result.output ?? []).toString() };
}

/** Each stage's code, or the signal that ended it. */
export function ends({ stages }: PipelineResult): (number | string | null)[] {
  return stages.map(({ code, signal }) => signal ?? code);
}

/** The children of this process that have ended and were not waited for. */
export function zombies(): number[] {
  return children().filter((pid) => stateOf(pid) === 'Z');
}

/** Who is in a process group and has not ended. */
export function members(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => groupOf(pid) === group && stateOf(pid) !== 'Z');
}

function groupOf(pid: number): number {
  try {
    return processGroup(pid);
  } catch {
    return 0; // it has ended meanwhile
  }
}

/** A function that must throw, and what it threw. */
export function thrown(action: () => unknown): Error & Record<string, unknown> {
  try {
    action();
  } catch (why) {
    return why as Error & Record<string, unknown>;
  }
  assert.fail('it did not throw');
}
