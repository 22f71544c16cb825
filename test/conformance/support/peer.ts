/**
 * Programs as a test sees them. Those of `startUnrelated` are children of nobody that has to do
 * with the channel: a shell starts them in the background, gives them no descriptor of ours, and
 * is gone; another one waits for them and says how they ended.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { SentError } from '../programs/control.js';

/** What a test needs of its context. */
export type Test = Pick<TestContext, 'after' | 'diagnostic'>;

/** A program that does what it is asked. */
export class Peer {
  pid = 0;
  /** The exit status as the shell tells it: '0', or '137' for SIGKILL. */
  readonly ended: Promise<string>;
  readonly #asked = new Map<number, { resolve(value: never): void; reject(why: Error): void }>();
  #socket: Socket | undefined;
  #next = 0;
  #over = false;

  constructor(ended: Promise<string>, words: () => string) {
    this.ended = ended;
    void ended.then((status) => {
      this.#over = true;
      const why = new Error(`process ${this.pid} ended with status ${status}. It said: ${words()}`);
      for (const { reject } of this.#asked.values()) reject(why);
    });
  }

  /** @internal */
  join(socket: Socket, lines: ReturnType<typeof createInterface>): void {
    this.#socket = socket;
    socket.on('error', () => {});
    lines.on('error', () => {});
    lines.on('line', (line) => {
      const { id, result, error } = JSON.parse(line) as { id: number; result: never; error?: SentError };
      const asked = this.#asked.get(id);
      this.#asked.delete(id);
      if (error === undefined) asked?.resolve(result);
      else asked?.reject(Object.assign(new Error(error.message), error));
    });
  }

  /** Asks for something; an error there is an error here, with its name, message and code. */
  ask<T = void>(verb: string, args: object = {}): Promise<T> {
    if (this.#over) return Promise.reject(new Error(`process ${this.pid} is gone`));
    const id = this.#next++;
    const answer = new Promise<T>((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    // Whoever asked looks at it later, perhaps after the process is gone.
    answer.catch(() => {});
    this.#socket?.write(`${JSON.stringify({ id, verb, args })}\n`);
    return answer;
  }

  /** Sends a signal. */
  signal(name: NodeJS.Signals): void {
    if (!this.#over) process.kill(this.pid, name);
  }

  /** Kills with SIGKILL and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  /** Nothing more will be asked: it ends by itself when nothing keeps it. Its exit status. */
  async leave(): Promise<string> {
    await this.ask('leave');
    return this.ended;
  }
}

let started = 0;

/** What is made for a program before it is started: where it asks what to do, and a file for what it says. */
interface Desk {
  path: string;
  errors: string;
  arrival: Promise<Socket>;
}

function prepare(t: Test, folder: string): Desk {
  const number = started++;
  const path = join(folder, `control-${number}`);
  let arrived: (socket: Socket) => void;
  const arrival = new Promise<Socket>((resolve) => {
    arrived = resolve;
  });
  const server = createServer((socket) => {
    server.close();
    arrived(socket);
    t.after(() => socket.destroy());
  });
  server.listen(path);
  t.after(() => server.close());
  return { path, errors: join(folder, `errors-${number}`), arrival };
}

const programFile = (name: string): string => fileURLToPath(new URL(`../programs/${name}.js`, import.meta.url));

async function joined(t: Test, desk: Desk, ended: Promise<string>): Promise<Peer> {
  const words = (): string => (existsSync(desk.errors) ? readFileSync(desk.errors, 'utf8') : '');
  const peer = new Peer(ended, words);
  const socket = await Promise.race([
    desk.arrival,
    ended.then((status) => {
      throw new Error(`the program ended with status ${status} at once. It said: ${words()}`);
    }),
  ]);
  const lines = createInterface({ input: socket });
  peer.pid = await new Promise<number>((resolve) =>
    lines.once('line', (line) => resolve((JSON.parse(line) as { pid: number }).pid)),
  );
  peer.join(socket, lines);
  t.after(() => peer.kill());
  return peer;
}

function environment(desk: Desk, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...process.env, ...env, ERRORS: desk.errors, NODE_TEST_CONTEXT: undefined };
}

/** Starts a program that is nobody's relative and has inherited nothing. */
export function startUnrelated(
  t: Test,
  folder: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Peer> {
  const desk = prepare(t, folder);
  const script = '{ "$@" </dev/null >/dev/null 2>"$ERRORS"; echo "$?"; } &';
  const command = [process.execPath, programFile(program), desk.path, ...args];
  const child = spawn('sh', ['-c', script, 'sh', ...command], {
    env: environment(desk, env),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<string>((resolve) => {
    let status = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      status += text;
    });
    child.stdout.once('close', () => resolve(status.trim()));
  });
  return joined(t, desk, ended);
}

/** Starts a child of this process, which gets `fds` from descriptor 3 on. */
export function startChild(
  t: Test,
  folder: string,
  program: string,
  args: readonly string[],
  fds: readonly number[],
  env: NodeJS.ProcessEnv = {},
): Promise<Peer> {
  const desk = prepare(t, folder);
  // The shell puts standard error into a file and becomes the program.
  const command = [process.execPath, programFile(program), desk.path, ...args];
  const child = spawn('sh', ['-c', 'exec "$@" 2>"$ERRORS"', 'sh', ...command], {
    env: environment(desk, env),
    stdio: ['ignore', 'ignore', 'ignore', ...fds],
  });
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal === null ? String(code) : signal === 'SIGKILL' ? '137' : signal),
    );
  });
  return joined(t, desk, ended);
}
