/** Runs the command line as a user does: a process, its words, its output and its exit code. */
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { syscallOf, until } from '../support/proc.js';

/** The built command line. */
export const MAIN = fileURLToPath(new URL('../../bundle/cli/main.js', import.meta.url));

/** What came of it. */
export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
}

/** A command that runs. */
export interface Running {
  pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Writes to its standard input, if that was left open. */
  write(text: string): void;
  /** Resolves as soon as its standard output has been this or began with it. */
  said(text: string): Promise<void>;
  done: Promise<Outcome>;
}

/** How a command is started. */
export interface Options {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Standard input, which ends after it; `null` leaves it open. Nothing if omitted. */
  input?: string | Buffer | null;
}

/** Starts any program; it is killed when the test is over, should it still be running. */
export function launch(
  t: Pick<TestContext, 'after'>,
  command: string,
  words: readonly string[],
  options: Options = {},
): Running {
  const child = spawn(command, words, { cwd: options.cwd, env: { ...process.env, ...options.env } });
  const stdout: Buffer[] = [];
  const output = new EventEmitter();
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => {
    stdout.push(bytes);
    output.emit('more');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => undefined);
  if (options.input !== null) child.stdin.end(options.input ?? '');
  const done = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout: Buffer.concat(stdout), stderr }));
  });
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await done;
  });
  return {
    pid: child.pid ?? -1,
    kill: (signal) => child.kill(signal),
    write: (text) => child.stdin.write(text),
    async said(text) {
      while (!String(Buffer.concat(stdout)).startsWith(text)) {
        const ended = await Promise.race([once(output, 'more').then(() => undefined), done]);
        if (ended !== undefined) throw new Error(`it ended without saying ${text}: ${ended.stderr}`);
      }
    },
    done,
  };
}

/** Starts `interproc WORDS…`. */
export function start(t: Pick<TestContext, 'after'>, words: readonly string[], options?: Options): Running {
  return launch(t, process.execPath, [MAIN, ...words], options);
}

/** Runs `interproc WORDS…` to its end. */
export function run(t: Pick<TestContext, 'after'>, words: readonly string[], options?: Options): Promise<Outcome> {
  return start(t, words, options).done;
}

const EPOLL_WAITS = process.arch === 'x64' ? [232, 281] : [22];
const LOOKS = 100;

/**
 * Waits until a command seems to have come to rest in its event loop. It may still be starting: this
 * makes an order likely, and is no proof of it.
 */
export async function resting({ pid }: Running): Promise<void> {
  let seen = 0;
  await until(`process ${pid} waits`, () => {
    seen = EPOLL_WAITS.includes(syscallOf(pid)) ? seen + 1 : 0;
    return seen >= LOOKS;
  });
}
