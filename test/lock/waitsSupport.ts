/** What the tests of `waits()` share: processes that take locks as they are told, and what is told of them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Cycle, type Edge, waits, type Waits } from '../../src/lock/waits/index.js';
import { temporaryFolder } from '../support/folder.js';
import { type Program, start } from '../support/program.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/waits-peer.c', import.meta.url));
const PATIENCE_MS = 20_000;

type Context = Pick<TestContext, 'after'>;

/** A test's folder, its files, and the processes that it starts. */
export class Stage {
  readonly #t: Context;
  readonly #folder: string;
  readonly #peer: string;

  constructor(t: Context) {
    this.#t = t;
    this.#folder = temporaryFolder(t);
    this.#peer = join(this.#folder, 'waits-peer');
    execFileSync('cc', ['-O1', '-Wall', '-Werror', '-D_GNU_SOURCE', '-pthread', '-o', this.#peer, SOURCE]);
  }

  /** A file of 4096 zeros. */
  file(name: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, new Uint8Array(4096));
    return path;
  }

  /** A process of one thread. */
  peer(): Program {
    return start(this.#t, this.#peer, []);
  }

  /** A process that has taken these. */
  async having(...lines: string[]): Promise<Program> {
    const peer = this.peer();
    for (const line of lines) await told(peer, line);
    return peer;
  }
}

/** Tells a process what to take, which it gets at once. */
export async function told(peer: Program, line: string): Promise<void> {
  peer.say(line);
  assert.equal(await peer.line(), 'held');
}

/** An edge in short: who, whom, by what, how certain. */
export type Short = readonly [from: number, to: number, mechanism: string, certainty: string];

export const short = ({ from, to, mechanism, certainty }: Edge): Short => [from.pid, to.pid, mechanism, certainty];

/** Of what is told, that which is only about these processes: others on this machine wait, too. */
export function among(all: Waits, ...programs: readonly { pid: number }[]): { edges: Edge[]; deadlocks: Cycle[] } {
  const pids = new Set(programs.map(({ pid }) => pid));
  return {
    edges: all.edges.filter(({ from, to }) => pids.has(from.pid) && pids.has(to.pid)),
    deadlocks: all.deadlocks.filter(({ parties }) => parties.every(({ pid }) => pids.has(pid))),
  };
}

/** Asks again until it is so: those who were told to wait need a moment until they do. */
export async function untilTold(what: string, holds: (all: Waits) => boolean): Promise<Waits> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const all = await waits();
    if (holds(all)) return all;
    if (performance.now() > end) throw new Error(`waited ${PATIENCE_MS} ms in vain until ${what}`);
    await nextTurn();
  }
}

/** Waits until so many edges are told among these processes. */
export async function untilEdges(
  count: number,
  ...programs: readonly { pid: number }[]
): Promise<{ edges: Edge[]; deadlocks: Cycle[] }> {
  // Who is on his way into the kernel waits, but which of his threads it is is not seen yet.
  const known = ({ edges }: { edges: readonly Edge[] }): boolean =>
    edges.every(({ mechanism, from }) => from.tid !== undefined || !['flock', 'record', 'ofd'].includes(mechanism));
  const all = await untilTold(
    `${count} edges are told`,
    (one) => among(one, ...programs).edges.length >= count && known(among(one, ...programs)),
  );
  return among(all, ...programs);
}

/** The one deadlock among these processes, as soon as it is told. */
export async function deadlockOf(...programs: readonly { pid: number }[]): Promise<Cycle> {
  const all = await untilTold('a deadlock is told', (one) => among(one, ...programs).deadlocks.length > 0);
  const { deadlocks } = among(all, ...programs);
  assert.equal(deadlocks.length, 1);
  return deadlocks[0] as Cycle;
}
