/** That opening and closing a thing over and over leaves nothing behind. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { start } from './program.js';

const MOST_MAPPINGS = 500; // the heap of V8 comes and goes; one each round would be 100,000
const MOST_MEGABYTES = 20;

interface Grown {
  descriptors: number;
  mappings: number;
  megabytes: number;
  children: number;
}

/** Runs `test/fixtures/rounds.ts` for one kind of thing and checks what it tells. */
export async function assertNothingLeaks(t: TestContext, kind: string, rounds = 100_000): Promise<void> {
  const file = fileURLToPath(new URL('../fixtures/rounds.js', import.meta.url));
  const program = start(t, process.execPath, ['--expose-gc', '--max-semi-space-size=1', file, kind, String(rounds)]);
  const grown = JSON.parse(await program.line()) as Grown;
  assert.equal(grown.descriptors, 0, `${kind}: descriptors are left`);
  assert.equal(grown.children, 0, `${kind}: children are left`);
  assert.ok(grown.mappings < MOST_MAPPINGS, `${kind}: ${grown.mappings} mappings are left`);
  assert.ok(grown.megabytes < MOST_MEGABYTES, `${kind}: grew by ${grown.megabytes} MB`);
}
