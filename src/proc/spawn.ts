/** Starting a program: its options, checked before any system call, and what went wrong in the child by its name. */
import { inspect } from 'node:util';
import { native } from '../sys/index.js';
import { checkInteger, checkOptions, checkString } from '../core/arguments.js';
import { argumentError, systemError } from '../core/errors.js';
import { traceOf } from '../core/trace.js';
import { type SignalName, toName, toNumber } from '../signal/index.js';
import { Child } from './child.js';
import { type ChildDescriptors, place } from './descriptors.js';
import { openControllingTerminal } from './groups.js';
import { Life } from './life.js';
import { Pty } from './pty.js';

/** How a child begins. */
export interface SpawnOptions {
  /**
   * What stands on which number in the child, and nothing else does: `{ 0: reader, 1: 'null', 5: fd }`, or a list for 0, 1, 2,
   * …. Standard input, output and error are those of this process unless named.
   */
  fds?: ChildDescriptors;
  /** The whole environment; that of this process if omitted. What is `undefined` is left out. */
  env?: Readonly<Record<string, string | undefined>>;
  /** The folder in which it starts; ours if omitted. A relative `file` with a slash starts there. */
  cwd?: string;
  /** What it finds as its own name (argv[0]); `file` if omitted. */
  argv0?: string;
  /** `'new'`: it leads a process group of its own; `'session'`: also a session; a number: it joins that group. Ours if omitted. */
  processGroup?: 'new' | 'session' | number;
  /**
   * A pseudo-terminal: it leads a session that has this one, on 0, 1 and 2 unless named. `'foreground'`: its group comes to the
   * foreground of our terminal; it leads a new one unless `processGroup` is a number.
   */
  terminal?: Pty | 'foreground';
  /** Sent to the child when the thread that started it ends: this process, or the worker (PR_SET_PDEATHSIG). */
  parentDeathSignal?: SignalName | number;
  /** Whether its descendants become its children when their parents end (PR_SET_CHILD_SUBREAPER). */
  subreaper?: boolean;
  /** Whether `child.accounts()` tells what it reads and writes, also after its end; a descriptor of ours is held until then. */
  accounts?: boolean;
  /** What it ignores and blocks from the beginning; all other signals have their default action and are not blocked. */
  signals?: { ignore?: readonly (SignalName | number)[]; block?: readonly (SignalName | number)[] };
}

const OPTIONS = [
  'fds',
  'env',
  'cwd',
  'argv0',
  'processGroup',
  'terminal',
  'parentDeathSignal',
  'subreaper',
  'accounts',
  'signals',
];
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';
/** The steps of native/child.c, as the system calls that they are. */
const STEPS = [
  'clone',
  'setsid',
  'setpgid',
  'prctl',
  'ioctl(TIOCSCTTY)',
  'tcsetpgrp',
  'chdir',
  'dup2',
  'close_range',
  'execve',
];
const CHDIR = 6;
const EXEC = 9;
const NEW_SESSION = 1;
const NEW_GROUP = 2;
const FOREGROUND = 4;
const OWN_TERMINAL = 8;
const SUBREAPER = 16;
const WITHOUT_CLOSE_RANGE = 32;
const WITH_ACCOUNTS = 64;
const MOST_PID = 2 ** 22;
const PID = 4;
const STEP = 5;
const ACCOUNTS = 6;
const trace = traceOf('proc');

function terminated(strings: readonly string[]): Uint8Array {
  return Buffer.from(strings.map((one) => `${one}\0`).join(''));
}

function checkArgument(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw argumentError(`${name} must be a string, got ${inspect(value)}`);
  if (value.includes('\0')) throw argumentError(`${name} must not contain a NUL, got ${inspect(value)}`);
}

function environmentOf(env: Readonly<Record<string, string | undefined>>): string[] {
  if (typeof env !== 'object' || env === null) throw argumentError(`env must be an object, got ${inspect(env)}`);
  const list: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    checkArgument(`env.${name}`, value);
    if (name === '' || name.includes('=') || name.includes('\0')) {
      throw argumentError(`env has a name that cannot be: ${inspect(name)}`);
    }
    list.push(`${name}=${value}`);
  }
  return list;
}

/** As execvp(3): a name without a slash is looked for in PATH, that of the child. */
function placesOf(file: string, env: Readonly<Record<string, string | undefined>>): string[] {
  if (file.includes('/')) return [file];
  return (env['PATH'] ?? DEFAULT_PATH).split(':').map((folder) => `${folder === '' ? '.' : folder}/${file}`);
}

function maskOf(name: string, sigs: readonly (SignalName | number)[] | undefined): bigint {
  if (sigs !== undefined && !Array.isArray(sigs)) throw argumentError(`${name} must be a list, got ${inspect(sigs)}`);
  let mask = 0n;
  for (const number of (sigs ?? []).map(toNumber)) {
    if (number === 9 || number === 19)
      throw argumentError(`${toName(number)} can be neither ignored nor blocked (${name})`);
    mask |= 1n << BigInt(number - 1);
  }
  return mask;
}

function groupFlags(processGroup: unknown, terminal: unknown): number {
  if (terminal !== undefined && terminal !== 'foreground' && !(terminal instanceof Pty)) {
    throw argumentError(
      `terminal must be what openPty() gave, or 'foreground'; got ${inspect(terminal, { depth: 0 })}`,
    );
  }
  if (typeof processGroup === 'number') checkInteger('processGroup', processGroup, 1, MOST_PID);
  else if (processGroup !== undefined && processGroup !== 'new' && processGroup !== 'session') {
    throw argumentError(
      `processGroup must be 'new', 'session' or the number of a group, got ${inspect(processGroup, { depth: 0 })}`,
    );
  }
  if (terminal instanceof Pty) {
    if (processGroup !== undefined && processGroup !== 'session') {
      throw argumentError(
        'a child with a pseudo-terminal leads a session of its own: processGroup can only be session',
      );
    }
    terminal.use();
    return NEW_SESSION | OWN_TERMINAL;
  }
  if (terminal === 'foreground') {
    if (processGroup === 'session') {
      throw argumentError('a new session has no terminal, so it cannot be in the foreground of ours');
    }
    return NEW_GROUP | FOREGROUND;
  }
  if (processGroup === 'session') return NEW_SESSION;
  return processGroup === undefined ? 0 : NEW_GROUP;
}

/**
 * Starts a program (vfork(2) and execve(2)). When this returns, the program runs, or it is an error with the kernel's
 * reason: there is no exit code 127 to guess from.
 *
 * @param file a path, or a name that is looked for in PATH
 * @param args what follows its name on its command line
 * @returns the child, which nobody has to wait for
 * @throws IpcError ENOENT, EACCES, ENOEXEC, E2BIG, ETXTBSY of execve with `path`; ENOENT, EACCES, ENOTDIR of chdir;
 *   EPERM of setpgid; ENXIO (no terminal); EAGAIN of clone (RLIMIT_NPROC); EBADF, EMFILE
 * @example
 * const { reader, writer } = pipe.create();
 * const child = proc.spawn('ls', ['-l'], { fds: { 1: writer } });
 * writer.close();
 * for await (const chunk of reader) process.stdout.write(chunk);
 * console.log((await child.wait()).description); // exited with code 0
 */
export function spawn(file: string, args: readonly string[] = [], options: SpawnOptions = {}): Child {
  checkString('file', file);
  if (!Array.isArray(args)) throw argumentError(`args must be a list of strings, got ${inspect(args, { depth: 0 })}`);
  for (const [index, value] of args.entries()) checkArgument(`args[${index}]`, value);
  checkOptions(options, OPTIONS);
  const { cwd, argv0 = file, terminal, parentDeathSignal, subreaper = false, accounts = false } = options;
  const { signals, processGroup } = options;
  if (cwd !== undefined) checkString('cwd', cwd);
  checkArgument('argv0', argv0);
  if (typeof subreaper !== 'boolean') throw argumentError(`subreaper must be true or false, got ${inspect(subreaper)}`);
  if (typeof accounts !== 'boolean') throw argumentError(`accounts must be true or false, got ${inspect(accounts)}`);
  checkOptions(signals, ['ignore', 'block']);
  const masks = BigUint64Array.of(maskOf('signals.ignore', signals?.ignore), maskOf('signals.block', signals?.block));
  let flags = groupFlags(processGroup, terminal) | (subreaper ? SUBREAPER : 0) | (accounts ? WITH_ACCOUNTS : 0);
  if (process.env['INTERPROC_CLOSE_RANGE'] === 'no') flags |= WITHOUT_CLOSE_RANGE;
  const deathSignal = parentDeathSignal === undefined ? 0 : toNumber(parentDeathSignal);
  const env = options.env ?? process.env;
  const environment = terminated(['', ...environmentOf(env)]);

  const { pairs, opened } = place(options.fds, terminal instanceof Pty);
  try {
    let terminalFd = -1;
    if (terminal instanceof Pty) {
      terminalFd = terminal.fd;
    } else if (terminal === 'foreground') {
      terminalFd = openControllingTerminal();
      opened.push(terminalFd);
    }
    const group = typeof processGroup === 'number' ? processGroup : 0;
    const settings = Int32Array.of(flags, group, deathSignal, terminalFd, 0, 0, -1);
    const pidfd = native().childSpawn(
      terminated(placesOf(file, env)),
      terminated([argv0, ...args]),
      environment,
      cwd,
      pairs,
      settings,
      masks,
    );
    if (pidfd < 0) throw failure(pidfd, settings[STEP] as number, file, cwd);
    const pid = settings[PID] as number;
    trace('spawn', { pid, file, args });
    return new Child(new Life(pid, pidfd, settings[ACCOUNTS]), file);
  } finally {
    for (const fd of opened) native().close(fd);
  }
}

function failure(result: number, step: number, file: string, cwd: string | undefined): Error {
  const subject = step === EXEC ? { path: file } : step === CHDIR && cwd !== undefined ? { path: cwd } : {};
  return systemError(result, STEPS[step] ?? 'clone', subject);
}
