/** Folders and names that a test has for itself. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** An empty folder, removed with all that is in it when the test is over. */
export function temporaryFolder(t: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ip-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The second that the kernel stamps things with now: its clock goes on tick by tick, and may be behind that of the process. */
export function kernelSecond(t: Pick<TestContext, 'after'>): Date {
  const { ctimeMs } = statSync(temporaryFolder(t));
  return new Date(Math.floor(ctimeMs / 1000) * 1000);
}

/** A name that nobody else uses: `randomName('q')` is `q-1f0c…`. */
export function randomName(prefix: string): string {
  return `${prefix}-${process.pid}-${randomBytes(6).toString('hex')}`;
}
