/**
 * Why a test may be skipped: here and nowhere else. In CI (the variable CI is set) the runner fails for
 * a skip with another reason (`scripts/lib/test-run.mjs`), and a program that is missing is a failure:
 * `.ci/run` installs them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/** What a machine may lack. */
export const LACKING = {
  root: 'this user is not root: another user needs CAP_SETUID, a mount CAP_SYS_ADMIN',
  namespaces: 'no namespaces: they need CAP_SYS_ADMIN, or CONFIG_USER_NS and user.max_user_namespaces above 0',
  ptrace: 'nothing may be traced: that needs ptrace(2), which kernel.yama.ptrace_scope or a seccomp filter forbids',
  hugePages:
    'no huge pages, and none may be made: /proc/sys/vm/nr_hugepages is for root to write, and takes free memory',
  noHugePages: 'there are huge pages on this machine, so what happens without them cannot be seen',
  x64: 'not on x86-64: perl names system calls by their numbers there',
} as const;

type Skipped = Pick<TestContext, 'skip'>;

/** Skips the test, since the machine lacks this. */
export function skip(t: Skipped, what: keyof typeof LACKING): void {
  t.skip(LACKING[what]);
}

/** Whether the program is there. If it is not, the test is skipped, or fails in CI. */
export function peer(t: Skipped, program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
  } catch {
    if (process.env.CI) throw new Error(`${program} is not installed, and in CI it must be: .ci/run installs it`);
    t.skip(`${program} is not installed`);
    return false;
  }
  if (program !== 'strace' || spawnSync('strace', ['-qq', 'true'], { stdio: 'ignore' }).status === 0) return true;
  skip(t, 'ptrace');
  return false;
}

/** Whether a child may be traced, as far as strace(1) can tell. If not, the test is skipped. */
export function canTrace(t: Skipped): boolean {
  const run = spawnSync('strace', ['-qq', 'true'], { stdio: 'ignore' });
  if (run.error !== undefined || run.status === 0) return true;
  skip(t, 'ptrace');
  return false;
}

/** Whether a module of another language is there: whether this command succeeds. If not, the test is skipped, or fails in CI. */
export function peerModule(t: Skipped, name: string, command: readonly [string, ...string[]]): boolean {
  if (spawnSync(command[0], command.slice(1), { stdio: 'ignore' }).status === 0) return true;
  if (process.env.CI) throw new Error(`${name} is not installed, and in CI it must be: .ci/run installs it`);
  t.skip(`${name} is not installed`);
  return false;
}
