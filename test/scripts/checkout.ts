import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** The folder of the repository that is tested. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

const TAKEN = ['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'interproc', 'scripts'];

const MAIN = `import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

export async function main(argv: string[]): Promise<number> {
  const addon = createRequire(import.meta.url)('../../../build/Release/interproc.node') as { word: string };
  switch (argv[0]) {
    case 'cat':
      process.stdout.write(readFileSync(0));
      return 0;
    case 'stdin':
      process.stdout.write(readFileSync('/proc/self/fdinfo/0', 'utf8'));
      return 0;
    case 'wait':
      return new Promise((resolve) => {
        const alive = setInterval(() => {}, 1 << 30);
        process.once('SIGTERM', () => {
          clearInterval(alive);
          resolve(7);
        });
        process.stdout.write('ready\\n');
      });
    default:
      process.stdout.write(JSON.stringify({ argv, cwd: process.cwd(), addon: addon.word, typescript: 'first', pid: process.pid }));
      return 0;
  }
}
`;

const ADDON = `#include "word.h"
#include <node_api.h>

NAPI_MODULE_INIT() {
  napi_value word;
  if (napi_create_string_utf8(env, WORD, NAPI_AUTO_LENGTH, &word) != napi_ok) return NULL;
  if (napi_set_named_property(env, exports, "word", word) != napi_ok) return NULL;
  return exports;
}
`;

/** What a program that has ended left: its status and its output. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** How to run a program in a checkout. */
export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  input?: string;
  uid?: number;
}

/**
 * A small checkout: the repository's own scripts and settings around an addon and a command line of a few lines, so
 * that what is tested here does not wait for the whole library to compile.
 */
export class Checkout implements Disposable {
  readonly folder: string;
  readonly outside: string;

  constructor(name = 'a checkout') {
    this.outside = realpathSync(mkdtempSync(join(tmpdir(), 'interproc-checkout-')));
    chmodSync(this.outside, 0o755);
    this.folder = join(this.outside, name);
    for (const part of TAKEN) cpSync(join(root, part), join(this.folder, part), { recursive: true });
    this.write('native/word.c', ADDON);
    this.write('native/word.h', '#define WORD "first"\n');
    this.write('src/cli/main.ts', MAIN);
  }

  /** A checkout that has the packages of this repository, as if it had installed them. */
  static installed(name?: string): Checkout {
    const checkout = new Checkout(name);
    cpSync(join(root, 'node_modules'), join(checkout.folder, 'node_modules'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    return checkout;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  /** Starts `./interproc` of this checkout. */
  start(argv: string[], options: RunOptions = {}): ChildProcess {
    return start(this.path('interproc'), argv, { cwd: this.folder, ...options });
  }

  /** Runs `./interproc` of this checkout to its end. */
  run(argv: string[] = [], options: RunOptions = {}): Promise<Ended> {
    return finish(this.start(argv, options), options.input);
  }

  /** Gives everything to another user. */
  giveTo(uid: number): void {
    for (const entry of ['.', ...(readdirSync(this.outside, { recursive: true }) as string[])]) {
      lchownSync(join(this.outside, entry), uid, uid);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.outside, { recursive: true, force: true });
  }
}

/** Starts a program with pipes for its streams. */
export function start(file: string, argv: string[], { cwd, env, uid }: RunOptions = {}): ChildProcess {
  return spawn(file, argv, {
    stdio: 'pipe',
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** Waits for the end of a program that `start` has started. */
export async function finish(child: ChildProcess, input = ''): Promise<Ended> {
  child.stdin!.on('error', () => {}).end(input);
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve([code, signal]));
  });
  const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout!), text(child.stderr!), ended]);
  return { code, signal, stdout, stderr };
}

/** Runs a script of the repository, or of another folder that has them, to its end. */
export function runScript(name: string, argv: string[], folder = root, options: RunOptions = {}): Promise<Ended> {
  return finish(start(process.execPath, [join(folder, 'scripts', name), ...argv], { cwd: folder, ...options }));
}
