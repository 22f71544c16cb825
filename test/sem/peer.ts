/** The C program that shares semaphores with us. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/folder.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/sem-peer.c', import.meta.url));

/** Compiles it, for as long as the test lasts; its path. */
export function compiled(t: TestContext): string {
  const program = join(temporaryFolder(t), 'sem-peer');
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-pthread', '-o', program, SOURCE]);
  return program;
}
