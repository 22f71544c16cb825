/** The bench runs and says what it is documented to say. Its figures are nobody's business here. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

interface Row {
  workload: string;
  mechanism: string;
  implementation: string;
  size: number;
  rate: number;
  unit: string;
  p50: number | null;
  p99: number | null;
  runs: number;
  placement: string;
}

interface BenchReport {
  rows: Row[];
  ratios: {
    name: string;
    ratio: number | null;
    target: { must: number; goal: number } | null;
    lowerIsBetter: boolean;
  }[];
  machine: { processors: number };
  notes: string[];
}

const UNITS = ['messages/s', 'bytes/s', 'round trips/s', 'accesses/s', 'takes/s'];
/** Those of what is timed one by one. */
const TIMED = ['round trips/s', 'takes/s'];
const PLACES = ['sibling', 'near', 'far', 'single', 'one', 'mixed'];
const program = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const run = promisify(execFile);

/** What the bench prints; without standard error, on which it says what it does. */
async function bench(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [program, ...args], { maxBuffer: 1 << 24 });
  return stdout;
}

function checkRow(row: Row): void {
  const name = `${row.mechanism}: ${row.workload} by ${row.implementation}`;
  assert.ok(row.workload !== '' && row.mechanism !== '' && row.implementation !== '', name);
  assert.ok(row.size >= 4, name);
  assert.ok(row.rate > 0, `${name}: ${row.rate}`);
  assert.ok(UNITS.includes(row.unit), `${name}: ${row.unit}`);
  assert.equal(row.runs, 1, name);
  assert.ok(PLACES.includes(row.placement), `${name}: ${row.placement}`);
  assert.equal(row.p50 !== null, TIMED.includes(row.unit), name);
  assert.equal(row.p99 !== null, TIMED.includes(row.unit), name);
}

test('every workload runs on our side, in C and as its peer, and the report has the documented shape', async () => {
  const report = JSON.parse(await bench('--quick', '--json')) as BenchReport;
  assert.deepEqual(report.notes, []);
  for (const row of report.rows) checkRow(row);
  const sides = (mechanism: string): string[] =>
    [...new Set(report.rows.filter((row) => row.mechanism === mechanism).map((row) => row.implementation))].sort();
  for (const mechanism of ['fifo', 'posixshm', 'file', 'signal']) {
    assert.deepEqual(sides(mechanism), ['c', 'interproc'], mechanism);
  }
  for (const mechanism of ['mq', 'msgq', 'unixgram', 'unixpacket']) {
    assert.deepEqual(sides(mechanism), ['c', 'interproc', 'process.send', 'zeromq'], mechanism);
  }
  const pipelines = [
    'bash',
    'child_process',
    'interproc',
    'interproc, a tap with a copy',
    'interproc, counted by taps',
  ];
  assert.deepEqual(sides('pipe'), ['c', 'child_process', 'interproc']);
  assert.deepEqual(sides('pipeline'), pipelines);
  assert.deepEqual(sides('shm'), ['c', 'interproc']);
  assert.deepEqual(sides('unix'), ['c', 'interproc', 'net']);
  assert.deepEqual(sides('layout'), ['Atomics', 'DataView', 'interproc']);
  for (const mechanism of ['mutex', 'sem', 'semset', 'flock', 'ofd']) {
    assert.deepEqual(sides(mechanism), ['c', 'interproc', 'interproc, awaited'], mechanism);
  }
  assert.deepEqual(sides('lock-file'), ['interproc, awaited', 'interproc, awaited, file stays', 'proper-lockfile']);
  for (const { name, target, lowerIsBetter } of report.ratios) {
    if (target !== null) assert.ok(lowerIsBetter ? target.goal <= target.must : target.goal >= target.must, name);
  }
  assert.equal(typeof report.machine.processors, 'number');
});

test('the workloads have programs of ours and of C', async () => {
  const names = (await bench('--list')).trim().split('\n');
  assert.ok(names.length >= 20, `${names.length} workloads`);
  const { contests } = await import('../../bench/workloads.js');
  assert.deepEqual(
    names,
    contests.map(({ name }) => name),
  );
  for (const { entries } of contests) {
    for (const { implementation, program: name } of entries) {
      if (implementation === 'c') continue;
      assert.ok(existsSync(fileURLToPath(new URL(`../../bench/${name}.js`, import.meta.url))), name);
    }
  }
});

test('an unknown workload is a mistake in usage', async () => {
  await assert.rejects(bench('--only', 'no such workload'), { code: 2 });
});
