/** Calls of interproc made by another process: as another user, under other limits, in namespaces of its own. */
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { start, type StartOptions } from './program.js';
import { skip } from './skips.js';
import { fileURLToPath } from 'node:url';

/** Where the calls are made. */
export interface Elsewhere {
  /** As the user nobody (65534), without groups; needs root. */
  asNobody?: boolean;
  /** In namespaces of its own: `unshare --ipc`, `--mount`. */
  unshared?: readonly ('ipc' | 'mount')[];
  /** Shell commands before that, in the namespaces. */
  before?: string;
  /** Options of prlimit(1): `--nofile=64`. */
  limits?: readonly string[];
}

/**
 * A function by its family and name (`mq.create`, `sysv.messageQueue.create`), or a method or property of what an earlier call gave
 * (`$0.send`), and its arguments. With a `*` in front it is repeated until it throws; `#` in a text is
 * replaced by the round. `{ bytes: n }` becomes so many bytes.
 */
export type Call = readonly [target: string, ...args: unknown[]];

/** What became of a call. */
export interface Outcome {
  /** What it gave, as far as it can be told as JSON. */
  value?: unknown;
  /** Of the error that it threw. */
  code?: string;
  errno?: number;
  syscall?: string;
  object?: string;
  key?: string;
  hint?: string;
  message?: string;
  /** How often it was repeated before. */
  count?: number;
}

const isRoot = process.getuid?.() === 0;

function canUnshare(words: readonly string[]): boolean {
  return spawnSync('unshare', [...words, 'true'], { stdio: 'ignore' }).status === 0;
}

/** The command line that runs `command` there, `undefined` (and the test is skipped) where that is not allowed. */
export function commandElsewhere(
  t: Pick<TestContext, 'skip'>,
  command: readonly string[],
  where: Elsewhere,
): string[] | undefined {
  if (where.asNobody === true && !isRoot) {
    skip(t, 'root');
    return undefined;
  }
  const words: string[] = [];
  if (where.unshared !== undefined) {
    const spaces = [...(isRoot ? [] : ['--map-root-user']), ...where.unshared.map((one) => `--${one}`)];
    if (!canUnshare(spaces)) {
      skip(t, 'namespaces');
      return undefined;
    }
    words.push('unshare', ...spaces);
  }
  words.push('sh', '-ec', `${where.before ?? ':'}\nexec "$@"`, 'sh');
  if (where.limits !== undefined) words.push('prlimit', ...where.limits);
  if (where.asNobody === true) words.push('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups');
  return [...words, ...command];
}

/** Makes the calls there, one after the other, and tells what became of each; `undefined` if the test is skipped. */
export async function attempt(
  t: Pick<TestContext, 'after' | 'skip'>,
  where: Elsewhere,
  calls: readonly Call[],
  options: StartOptions = {},
): Promise<Outcome[] | undefined> {
  const file = fileURLToPath(new URL('../fixtures/attempts.js', import.meta.url));
  const words = commandElsewhere(t, [process.execPath, file, JSON.stringify(calls)], where);
  if (words === undefined) return undefined;
  const program = start(t, words[0] as string, words.slice(1), options);
  const line = await program.line();
  await program.ended;
  return JSON.parse(line) as Outcome[];
}
