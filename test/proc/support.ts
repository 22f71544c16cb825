/** What the tests of children share. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import * as pipe from '../../src/pipe/index.js';
import { type Child, spawn, type SpawnOptions } from '../../src/proc/index.js';
import { isAlive } from '../support/proc.js';

type Tidy = Pick<TestContext, 'after'>;

/** Starts a child that is killed when the test is over, should it still be there. */
export function started(t: Tidy, file: string, args: readonly string[], options?: SpawnOptions): Child {
  const child = spawn(file, args, options);
  t.after(async () => {
    if (child.closed) return;
    child.kill('SIGKILL');
    await child.wait();
  });
  return child;
}

/** A child that lives until it is killed; unless it is told otherwise it does not hold the output of the test. */
export function sleeper(t: Tidy, options: SpawnOptions = {}): Child {
  const quiet = options.fds === undefined && options.terminal === undefined;
  return started(t, 'sleep', ['1000'], quiet ? { ...options, fds: ['null', 'null', 'null'] } : options);
}

/** Everything that a program writes to its standard output, and how it ended. */
export async function outputOf(
  t: Tidy,
  file: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<{ text: string; description: string; pid: number }> {
  const { reader, writer } = pipe.create();
  const child = started(t, file, args, { ...options, fds: { ...options.fds, 1: writer } });
  writer.close();
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader) chunks.push(chunk);
  reader.close();
  return { text: Buffer.concat(chunks).toString(), description: (await child.wait()).description, pid: child.pid };
}

/** Ends a process that is no child of this one and may be gone. */
export function put(pid: number, signal: NodeJS.Signals): void {
  if (isAlive(pid)) process.kill(pid, signal);
}

/** A core file is written where the hard limit allows it and core_pattern names a file in the working folder. */
export function dumps(): boolean {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  const limit = execFileSync('sh', ['-c', 'ulimit -Hc'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' && /^[^|/]+$/.test(pattern);
}
