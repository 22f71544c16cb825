/** What the tests of file locks share. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as filelock from '../../src/filelock/index.js';
import { temporaryFolder } from '../support/folder.js';
import { type Program, start, startFixture, type StartOptions } from '../support/program.js';

/** The three kinds, as the forms that all of them have. */
export const KINDS = { flock: filelock.flock, record: filelock.record, ofd: filelock.ofd };
export type KindName = keyof typeof KINDS;
/** Those that belong to an open file, so that two in one process exclude each other. */
export const OF_OPEN_FILES = ['flock', 'ofd'] as const;
export const ALL = ['flock', 'record', 'ofd'] as const;

/** A file of this test, in a folder of its own. */
export function newFile(t: Pick<TestContext, 'after'>, content = ''): string {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, content);
  return path;
}

/** Released when the test is over. */
export function held<T extends { release(): void }>(t: Pick<TestContext, 'after'>, lock: T | undefined): T {
  if (lock === undefined) throw new Error('somebody has the lock');
  t.after(() => lock.release());
  return lock;
}

/** Another process that has a lock: it says `held`, and obeys `release`, `exit`, `ask`. */
export async function holder(
  t: Pick<TestContext, 'after'>,
  kind: KindName | 'lockFile' | 'lease',
  path: string | number,
  lockOptions: object = {},
  options: StartOptions = {},
): Promise<Program> {
  const program = waiter(t, kind, path, lockOptions, options);
  const line = await program.line();
  if (line !== 'held') throw new Error(line);
  return program;
}

/** The same, without waiting until it has the lock. */
export function waiter(
  t: Pick<TestContext, 'after'>,
  kind: KindName | 'lockFile' | 'lease',
  path: string | number,
  lockOptions: object = {},
  options: StartOptions = {},
): Program {
  return startFixture(t, 'filelock-holder', [kind, String(path), JSON.stringify(lockOptions)], options);
}

/** Lets it release, and waits until it has. */
export async function release(program: Program): Promise<void> {
  program.say('release');
  const line = await program.line();
  if (line !== 'released') throw new Error(line);
}

/** Whether a lock of flock(2) can be had at once, as flock(1) sees it. */
export function flockIsFree(path: string, how: '-x' | '-s' = '-x'): boolean {
  return spawnSync('flock', [how, '-n', path, 'true']).status === 0;
}

const LOCKF = `
import fcntl, os, sys
path, how, start, length = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
fd = os.open(path, os.O_RDWR)
try: fcntl.lockf(fd, (fcntl.LOCK_SH if how == 's' else fcntl.LOCK_EX) | fcntl.LOCK_NB, length, start)
except OSError as why: sys.exit(1 if why.errno == 11 else 2)
`;

/** Whether a record lock can be had at once, as Python sees it. It is in the way of, and hindered by, those of open files. */
export function rangeIsFree(path: string, offset = 0, length = 0, how: 'x' | 's' = 'x'): boolean {
  const { status } = spawnSync('python3', ['-c', LOCKF, path, how, String(offset), String(length)]);
  if (status !== 0 && status !== 1) throw new Error(`python3 ended with ${status}`);
  return status === 0;
}

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/filelock-peer.c', import.meta.url));

/** The peer in C, compiled. */
export function compiledPeer(t: Pick<TestContext, 'after'>): string {
  const program = join(temporaryFolder(t), 'peer');
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', program, SOURCE]);
  return program;
}

/** Starts the peer in C: it says `held` once it has the lock, and ends with its input. */
export function startPeer(t: Pick<TestContext, 'after'>, peer: string, words: readonly (string | number)[]): Program {
  return start(t, peer, words.map(String));
}
