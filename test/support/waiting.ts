/** What a wait costs while nothing happens, and how it bears being interrupted. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { start, startFixture } from './program.js';

interface Waited {
  said: string;
  elapsed: number;
  processor: number;
  caught: number;
}

const PERIOD_MS = 2000;
const MOST_SHARE = 0.01;
/** A wait of 500 ms that began again with each signal would last as long as the signals: for ever. */
const LONGEST_MS = 20_000;

/** Runs `test/fixtures/waiting.ts` for these kinds of waits, all at once: each takes less than 1 % of a processor. */
export async function assertWaitsSleep(t: TestContext, kinds: readonly string[], periodMs = PERIOD_MS): Promise<void> {
  await Promise.all(kinds.map((kind) => waitSleeps(t, kind, periodMs)));
}

/** The least of three counts: what the compiler and the collector do in the background falls into one or another. */
async function waitSleeps(t: TestContext, kind: string, periodMs: number): Promise<void> {
  let least = Infinity;
  for (let round = 0; round < 3 && least >= periodMs * MOST_SHARE; round++) {
    const program = startFixture(t, 'waiting', [kind, String(periodMs)]);
    const { said, elapsed, processor } = JSON.parse(await program.line()) as Waited;
    assert.equal(said, 'ETIMEDOUT', kind);
    assert.ok(elapsed >= periodMs, `${kind} was over after ${elapsed} ms`);
    least = Math.min(least, processor);
  }
  assert.ok(least < periodMs * MOST_SHARE, `${kind} took ${least} ms of ${periodMs}`);
}

/** The same for half a second while a thousand signals a second are handled: no error, and the time-out is not stretched. */
export async function assertWaitsBearSignals(t: TestContext, kinds: readonly string[]): Promise<void> {
  await Promise.all(kinds.map((kind) => bearsSignals(t, kind)));
}

/** A thousand signals a second, unless the machine stands still. */
const ENOUGH_SIGNALS = 20;

async function bearsSignals(t: TestContext, kind: string): Promise<void> {
  let caught = 0;
  for (let round = 0; round < 3 && caught <= ENOUGH_SIGNALS; round++) caught = await interrupted(t, kind);
  assert.ok(caught > ENOUGH_SIGNALS, `${kind}: ${caught} signals were handled meanwhile`);
}

/** How many signals were handled meanwhile; no fewer than enough where the thread is blocked, and handles none. */
async function interrupted(t: TestContext, kind: string): Promise<number> {
  const program = startFixture(t, 'waiting', [kind, '500', 'interrupted']);
  assert.equal(await program.line(), 'interrupt me');
  const storm = 'while (kill "USR2", $ARGV[0]) { select undef, undef, undef, 0.001 }';
  const perl = start(t, 'perl', ['-e', storm, String(program.pid)]);
  const { said, elapsed, caught } = JSON.parse(await program.line()) as Waited;
  assert.equal(said, 'ETIMEDOUT', kind);
  assert.ok(elapsed >= 500, `${kind} was over after ${elapsed} ms`);
  assert.ok(elapsed < LONGEST_MS, `${kind} was stretched to ${elapsed} ms`);
  await program.ended;
  await perl.ended;
  return kind.endsWith('Sync') ? Infinity : caught;
}
