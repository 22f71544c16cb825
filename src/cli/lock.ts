/** `interproc lock PATH -- COMMAND`: runs a command while a file is locked, as flock(1) does; `--json` tells who has it. */
import { fstatSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { type FileLock, flock, type Holder, holders } from '../filelock/index.js';
import { type ChildDescriptor, type ExitStatus, spawn } from '../proc/index.js';
import { handle } from '../signal/index.js';
import { UsageError } from './failure.js';
import { writeJson } from './output.js';
import type { Verb } from './verb.js';

interface LockOptions {
  shared?: boolean;
  exclusive?: boolean;
  e?: boolean;
  unlock?: boolean;
  nonblock?: boolean;
  wait?: string;
  close?: boolean;
  conflictExitCode?: string;
  command?: string;
  json?: boolean;
}

/** What a program is asked with to end; COMMAND is asked with it, too. */
const PASSED_ON = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'];
/** What a shell adds to the number of the signal that ended a program. */
const KILLED = 128;
const CONFLICT = 1;
const MOST_EXIT_CODE = 255;
/** Under which number COMMAND has the lock. */
const LOCK_FD = 3;
/** What flock(1) makes a file with, less what the umask takes. */
const MODE = 0o666;

/** What the words and options ask for. */
interface Asked {
  path: string;
  command: string[];
  shared: boolean;
  timeoutMs: number | undefined;
  conflict: number;
}

function timeoutOf({ nonblock, wait }: LockOptions): number | undefined {
  if (nonblock === true) return 0;
  if (wait === undefined) return undefined;
  if (!/^(\d+(\.\d*)?|\.\d+)$/.test(wait)) throw new UsageError(`--wait takes seconds as 10 or 0.5, got ${wait}`);
  return Number(wait) * 1000;
}

function conflictCode({ conflictExitCode }: LockOptions): number {
  if (conflictExitCode === undefined) return CONFLICT;
  const code = /^\d+$/.test(conflictExitCode) ? Number(conflictExitCode) : Number.NaN;
  if (!(code <= MOST_EXIT_CODE)) throw new UsageError(`-E takes 0 to ${MOST_EXIT_CODE}, got ${conflictExitCode}`);
  return code;
}

function askedFor([path = '', ...words]: readonly string[], options: LockOptions): Asked {
  const { shared = false, exclusive = false, e = false, unlock = false, command: line } = options;
  if ([shared, exclusive || e, unlock].filter(Boolean).length > 1) {
    throw new UsageError('one of --shared, --exclusive and --unlock can be asked for');
  }
  if (line !== undefined && words.length > 0) throw new UsageError('COMMAND and -c LINE cannot go together');
  const command = line === undefined ? words : [process.env['SHELL'] ?? '/bin/sh', '-c', line];
  return { path, command, shared, timeoutMs: timeoutOf(options), conflict: conflictCode(options) };
}

/** The lock; `undefined` if others have it for longer than one wants to wait. */
async function lockWithin(file: string | number, asked: Asked, stop: AbortSignal): Promise<FileLock | undefined> {
  const making = typeof file === 'string' ? { create: true, mode: MODE & ~process.umask() } : {};
  try {
    return await flock.acquire(file, { ...making, shared: asked.shared, timeoutMs: asked.timeoutMs, signal: stop });
  } catch (why) {
    if ((why as { code?: unknown }).code === 'ETIMEDOUT') return undefined;
    throw why;
  }
}

/** What COMMAND finds open: node has marked what the shell had open besides as not to be inherited, so that is not among it. */
function descriptors(lock: FileLock, { close, json }: LockOptions): Record<number, ChildDescriptor> {
  return { ...(json === true ? { 1: 2 } : {}), ...(close === true ? {} : { [LOCK_FD]: lock.fd }) };
}

/** Runs COMMAND and waits for its end; what ends this process ends it. */
async function run([file = '', ...args]: readonly string[], fds: Record<number, ChildDescriptor>): Promise<ExitStatus> {
  const held: Disposable[] = [];
  try {
    let child: ReturnType<typeof spawn> | undefined; // handlers run in a later turn, when it is there
    for (const name of PASSED_ON) {
      // What the terminal sends, COMMAND gets from it: it is in the same process group.
      held.push(handle(name, ({ code }) => void (code === 'SI_KERNEL' || child?.kill(name))));
    }
    child = spawn(file, args, { fds });
    return await child.wait();
  } finally {
    for (const one of held) one[Symbol.dispose]();
  }
}

/** What is printed of somebody who has it or waits. */
function shown({ kind, pid, pids, command, shared, waiting, offset, length }: Holder): object {
  return {
    kind,
    pid: pid ?? null,
    pids,
    command: command ?? null,
    shared,
    waiting,
    offset: Number(offset),
    length: Number(length),
  };
}

/** Numbers that the shell has not opened mean nothing, or what node has open for itself, which is never a file. */
function checkDescriptor(fd: number): void {
  let isFile = false;
  try {
    const found = fstatSync(fd);
    isFile = found.isFile() || found.isDirectory();
  } catch {
    // It is not open at all.
  }
  if (!isFile)
    throw new UsageError(`descriptor ${fd} is no file that the shell has opened, as in: (interproc lock 9; …) 9>FILE`);
}

/** `interproc lock 9`: locks what the shell has open as 9, which keeps it. */
async function lockDescriptor(fd: number, asked: Asked, options: LockOptions, stop: AbortSignal): Promise<number> {
  checkDescriptor(fd);
  if (options.unlock === true) {
    flock.unlock(fd);
    return 0;
  }
  flock.unlock(fd); // as flock(2) converts a lock: it is given up first
  const lock = await lockWithin(fd, asked, stop);
  if (options.json === true)
    await writeJson({ path: asked.path, locked: lock !== undefined, ...others(fd, lock) }, stop);
  lock?.leave(); // the shell has it
  return lock === undefined ? asked.conflict : 0;
}

function others(file: string | number, lock: FileLock | undefined): { holders: object[] } {
  return { holders: lock === undefined ? holders(file).map(shown) : [] };
}

/** The verb. */
export const verb: Verb<LockOptions> = {
  define(command) {
    command
      .argument('<path>', 'a file, which is made if it is not there, or a folder; or the number of a descriptor')
      .argument('[command...]', 'what is run while it is locked, best behind --')
      .option('-s, --shared', 'others may have a shared lock, too')
      .option('-x, --exclusive', 'nobody else has the lock (the default)')
      .option('-e', 'the same')
      .option('-u, --unlock', 'give back the lock of a descriptor')
      .option('-n, --nonblock', 'fail at once if others have it')
      .option('-w, --wait <seconds>', 'fail if others have it for longer')
      .option('-E, --conflict-exit-code <number>', 'the exit code for that; 1 unless named')
      .option(
        '-o, --close',
        'COMMAND does not get the descriptor: the lock ends with this process, not with the last child',
      )
      .option('-c, --command <line>', 'run LINE by the shell')
      .option('--json', 'print whether it was got, and who has it; without COMMAND, only that')
      .addHelpText(
        'after',
        `
It is the lock of flock(2), as of flock(1): both exclude each other. The exit status is that of COMMAND, 128 and the number
of the signal if one ended it, 127 if there is no such program, 126 if it cannot be executed; 1, or what -E says, if others
have the lock; 2 for wrong usage. SIGHUP, SIGINT, SIGQUIT and SIGTERM are passed on to COMMAND.

COMMAND and its children have the lock, too, as descriptor 3: it lasts until the last of them has ended, unless -o is given.
Other descriptors of the shell than 0, 1 and 2 do not reach COMMAND.

Examples:
  $ interproc lock jobs.lock -- make -j8
  $ interproc lock -n -E 75 jobs.lock -- ./nightly.sh
  $ interproc lock --json jobs.lock
  $ (interproc lock 9; echo alone) 9>jobs.lock
`,
      );
  },

  async run(words, options, stop, leaveSignals) {
    const asked = askedFor(words, options);
    const { path, command, conflict } = asked;
    if (command.length === 0) {
      if (/^\d+$/.test(path)) return lockDescriptor(Number(path), asked, options, stop);
      if (options.json !== true || options.unlock === true)
        throw new UsageError('lock PATH needs a COMMAND, or --json');
      await writeJson({ path, holders: holders(path).map(shown) }, stop);
      return 0;
    }
    if (options.unlock === true) throw new UsageError('--unlock is for a descriptor');
    const began = performance.now();
    const lock = await lockWithin(path, asked, stop);
    const waitedSeconds = (performance.now() - began) / 1000;
    if (lock === undefined) {
      const ofCommand = { code: null, signal: null };
      if (options.json === true)
        await writeJson({ path, locked: false, waitedSeconds, ...others(path, lock), ...ofCommand }, stop);
      return conflict;
    }
    stop.throwIfAborted();
    leaveSignals();
    const { code, signal, signalNumber } = await run(command, descriptors(lock, options));
    if (options.json === true) {
      await writeJson({ path, locked: true, waitedSeconds, ...others(path, lock), code, signal }, stop);
    }
    lock.leave(); // what COMMAND has started may have it still
    return code ?? KILLED + (signalNumber ?? 0);
  },
};
