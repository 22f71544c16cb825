/** The table "what survives which death", as tests: a holder ends in each way there is, and what it had is as the table says. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './folder.js';
import { stateOf, until } from './proc.js';
import { killed, type Program, start } from './program.js';
import { peer } from './skips.js';
import { type Made, type Primitive, primitiveOf } from './storms/primitive.js';
import { steadyClock } from './standstill.js';

/** What becomes of what it had: */
export type Fate =
  /** the next one gets it at once, and is told, where the primitive tells; */
  | 'comes back'
  /** the next one gets it, and nobody has died; */
  | 'is released'
  /** nobody gets it; */
  | 'is lost'
  /** it has it still, until its process ends; */
  | 'is kept until the process ends'
  /** and nobody gets it then. */
  | 'is kept, and lost when the process ends';

/** How a holder ends, or only seems to. */
export type Ending = 'is killed' | 'exits' | 'executes another program' | 'was a worker' | 'is stopped' | 'is a zombie';

const PROMPT_MS = 1000;
const PATIENCE_MS = 20_000;
const NOT_FREE_MS = 100;
const EXEC = fileURLToPath(new URL('../../../test/fixtures/exec.c', import.meta.url));
const DYING = fileURLToPath(new URL('../fixtures/dying.js', import.meta.url));

/** A test for each way to end: its sentence, and what it does. */
export function deaths(
  what: string,
  name: string,
  table: Partial<Record<Ending, Fate>>,
): [sentence: string, run: (t: TestContext) => Promise<void>][] {
  return (Object.entries(table) as [Ending, Fate][]).map(([ending, fate]) => [
    `${what}: what a holder had who ${ending} ${fate}`,
    async (t) => {
      const primitive = await primitiveOf(name);
      const made = primitive.make(t);
      const holder = await held(t, name, made, ending);
      if (holder === undefined) return;
      assertHeld(made);
      const clock = await steadyClock(t);
      await END[ending](t, holder);
      await FATE[fate](primitive, made, holder, clock);
    },
  ]);
}

// ---- who has it

interface Holder {
  program: Program;
  /** The process that has it, or whose worker has it. */
  pid: number;
}

async function held(t: TestContext, name: string, made: Made, ending: Ending): Promise<Holder | undefined> {
  if (ending === 'executes another program' && !peer(t, 'cc')) return undefined;
  const words = [DYING, name, made.place, ...(ending === 'was a worker' ? ['worker'] : [])];
  const stdio = { stdio: ['pipe' as const, 'pipe' as const, 'pipe' as const, ...(made.fds ?? [])] };
  // A parent that never waits for its child: sh has become another program by then.
  const script = 'exec 9<&0; "$@" <&9 9<&- & echo $!; exec sleep 1000';
  const program =
    ending === 'is a zombie'
      ? start(t, 'sh', ['-c', script, 'sh', process.execPath, ...words], stdio)
      : start(t, process.execPath, words, stdio);
  if (ending !== 'is a zombie') {
    assert.equal(await program.line(), 'held');
    return { program, pid: program.pid };
  }
  // Which of both says its line first is not known.
  const lines = [await program.line(), await program.line()];
  const pid = Number(lines.find((line) => line !== 'held'));
  t.after(() => endIfThere(pid));
  assert.ok(lines.includes('held') && pid > 0, lines.join());
  return { program, pid };
}

function endIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The test did.
  }
}

/** Has a fixture that understands `exec LIBRARY` become sleep(1). */
export async function executeAnother(t: Pick<TestContext, 'after'>, program: Program): Promise<void> {
  const library = join(temporaryFolder(t), 'exec.so');
  execFileSync('cc', ['-shared', '-fPIC', '-Wall', '-Werror', '-o', library, EXEC]);
  program.say(`exec ${library}`);
  await until('it is another program', () => readFileSync(`/proc/${program.pid}/comm`, 'utf8') === 'sleep\n');
}

const END: Record<Ending, (t: TestContext, holder: Holder) => Promise<unknown>> = {
  'is killed': (_, { program }) => killed(program),
  async exits(_, { program }) {
    program.say('exit');
    assert.deepEqual(await program.ended, { code: 0, signal: null }, program.errors());
  },
  'executes another program': (t, { program }) => executeAnother(t, program),
  async 'was a worker'(_, { program }) {
    program.say('terminate');
    assert.equal(await program.line(), 'terminated');
  },
  async 'is stopped'(_, { pid }) {
    process.kill(pid, 'SIGSTOP');
    await until('it is stopped', () => stateOf(pid) === 'T');
  },
  async 'is a zombie'(_, { pid }) {
    process.kill(pid, 'SIGKILL');
    await until('it is a zombie', () => stateOf(pid) === 'Z');
  },
};

// ---- what becomes of it

/** Milliseconds of a clock that stands still while the machine does. */
type Clock = () => number;

function assertHeld({ ours }: Made): void {
  assert.throws(() => ours.takeSync({ shared: false, timeoutMs: NOT_FREE_MS }), { code: 'ETIMEDOUT' });
}

function assertFree({ ours }: Made, told: number, clock: Clock): void {
  const begin = clock();
  const turn = ours.takeSync({ shared: false, timeoutMs: PATIENCE_MS });
  assert.ok(clock() - begin < PROMPT_MS);
  assert.equal(turn.deaths, told);
  turn.repaired?.();
  turn.release();
  const next = ours.takeSync({ shared: false, timeoutMs: 0 });
  assert.equal(next.deaths, 0, 'a death is told once');
  next.release();
}

function assertLost(made: Made, clock: Clock): void {
  assertHeld(made);
  assert.equal(made.free?.(), 0);
  made.giveBack?.();
  assertFree(made, 0, clock);
}

const told = ({ tells }: Primitive): number => (tells === true ? 1 : 0);

const FATE: Record<Fate, (primitive: Primitive, made: Made, holder: Holder, clock: Clock) => Promise<void>> = {
  'comes back': async (primitive, made, _, clock) => assertFree(made, told(primitive), clock),
  'is released': async (_, made, __, clock) => assertFree(made, 0, clock),
  'is lost': async (_, made, __, clock) => assertLost(made, clock),
  async 'is kept until the process ends'(primitive, made, { program }, clock) {
    assertHeld(made);
    await killed(program);
    assertFree(made, told(primitive), clock);
  },
  async 'is kept, and lost when the process ends'(_, made, { program }, clock) {
    assertHeld(made);
    await killed(program);
    assertLost(made, clock);
  },
};
