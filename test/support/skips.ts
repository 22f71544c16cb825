/**
 * The one list of foreign programs that may be missing. A test that needs one of these skips, and
 * names it; in CI (the variable CI is set) only those in `MAY_BE_MISSING_IN_CI` may be missing.
 */
import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';

const MAY_BE_MISSING_IN_CI: readonly string[] = ['socat'];

/** Whether the program is there. If it is not, the test is skipped, or fails where it has to be there. */
export function peer(t: Pick<TestContext, 'skip'>, program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    if (process.env.CI && !MAY_BE_MISSING_IN_CI.includes(program)) {
      throw new Error(`${program} is not installed, and in CI it must be (test/support/skips.ts)`);
    }
    t.skip(`${program} is not installed`);
    return false;
  }
}
