/** Other programs: started, listened to line by line, and gone when the test is over. */
import { type ChildProcessByStdio, spawn, type StdioOptions } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** How a program ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running program. */
export interface Program {
  pid: number;
  process: ChildProcessByStdio<Writable | null, Readable | null, Readable | null>;
  /** The next line of its standard output; rejects, with what it said on standard error, if none comes. */
  line(): Promise<string>;
  /** Writes a line to its standard input. */
  say(line: string): void;
  /** How it ended; never rejects. */
  ended: Promise<Ended>;
  /** Everything it wrote on standard error so far. */
  errors(): string;
}

/** Options of `start`. */
export interface StartOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** As `stdio` of child_process; standard input, output and error are pipes unless named. */
  stdio?: StdioOptions;
}

/** Starts a program that is killed when the test is over, should it still be running. */
export function start(
  t: Pick<TestContext, 'after'>,
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Program {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: options.stdio ?? ['pipe', 'pipe', 'pipe'],
  }) as Program['process'];
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin?.on('error', () => {});
  const ended = new Promise<Ended>((resolve) => {
    child.once('error', (why) => {
      errors += String(why);
      resolve({ code: null, signal: null });
    });
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const lines = child.stdout === null ? undefined : createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  return {
    pid: child.pid ?? -1,
    process: child,
    ended,
    errors: () => errors,
    say: (line) => child.stdin?.write(`${line}\n`),
    async line() {
      const next = await lines?.next();
      if (next !== undefined && next.done !== true) return next.value;
      await ended;
      throw new Error(`${command} ended without another line. It said: ${errors}`);
    },
  };
}

/** Starts `test/fixtures/<name>.js` with this Node. */
export function startFixture(
  t: Pick<TestContext, 'after'>,
  name: string,
  args: readonly string[] = [],
  options: StartOptions = {},
): Program {
  const file = fileURLToPath(new URL(`../fixtures/${name}.js`, import.meta.url));
  return start(t, process.execPath, [file, ...args], options);
}

/** Kills with a signal and waits until the program is gone. */
export async function killed(program: Program, signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> {
  program.process.kill(signal);
  return program.ended;
}
