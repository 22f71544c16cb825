/** Folders and names that a test has for itself. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** An empty folder, removed with all that is in it when the test is over. */
export function temporaryFolder(t: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ip-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A name that nobody else uses: `randomName('q')` is `q-1f0c…`. */
export function randomName(prefix: string): string {
  return `${prefix}-${process.pid}-${randomBytes(6).toString('hex')}`;
}
