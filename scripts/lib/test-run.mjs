// Runs compiled test files with node's own test runner and does not believe it blindly: every file that was found must
// have run a test, and the run must leave nothing behind. In CI a test may be skipped only for what
// test/support/skips.ts lists.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { watchForLeftovers } from './leftovers.mjs';
import { root } from './setup.mjs';

const COUNT_REPORTER = fileURLToPath(new URL('count-reporter.mjs', import.meta.url));
const NO_REPORTS = new URL('no-reports.mjs', import.meta.url).href;
const SUMMARY_LINE = /^(#|\u2139) (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;
const LIMIT_FOR_ONE_FILE_MS = 300_000;
/** Those of test/stress kill and poke for many minutes. */
const LIMIT_FOR_ONE_STRESS_FILE_MS = 1_800_000;

/**
 * The compiled test files below a folder of dist/.
 * @param {string} folder relative to the checkout, for example 'dist/test'
 * @returns {string[]} absolute paths, sorted
 */
export function testFiles(folder) {
  const found = [];
  const look = (dir) => {
    for (const entry of existsSync(dir) ? readdirSync(dir, { withFileTypes: true }) : []) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) look(path);
      else if (entry.name.endsWith('.test.js')) found.push(path);
    }
  };
  look(join(root, folder));
  return found.sort();
}

/**
 * Runs the files, each in a process of its own, two at a time. The runner's summary is the last thing on stdout.
 * @param {{ files: string[], node?: string, options?: string[], everyFileMustTest?: boolean }} run `options` are passed to
 *   node; `everyFileMustTest` is false where a filter on test names leaves some files without one
 * @returns {Promise<boolean>} whether all is well
 */
export async function runTests({ files, node = process.execPath, options = [], everyFileMustTest = true }) {
  if (files.length === 0) {
    process.stdout.write('There is no test file to run.\n');
    return false;
  }
  const scratch = mkdtempSync(join(tmpdir(), 'interproc-run-'));
  const counted = join(scratch, 'tests');
  const watch = watchForLeftovers();
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(
    node,
    [
      '--test',
      `--import=${NO_REPORTS}`,
      '--test-concurrency=2',
      `--test-timeout=${files.some((file) => file.includes('/stress/')) ? LIMIT_FOR_ONE_STRESS_FILE_MS : LIMIT_FOR_ONE_FILE_MS}`,
      `--test-reporter=${process.stdout.isTTY ? 'spec' : 'tap'}`,
      '--test-reporter-destination=stdout',
      `--test-reporter=${COUNT_REPORTER}`,
      `--test-reporter-destination=${counted}`,
      ...options,
      ...files,
    ],
    { cwd: root, env: { ...env, ...watch.env, ...colours() }, stdio: ['ignore', 'pipe', 'inherit'] },
  );

  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
  const summary = await relayOutput(child.stdout);
  const status = await ended;
  const ran = existsSync(counted) ? readFileSync(counted, 'utf8').split('\n').filter(Boolean).map(JSON.parse) : [];
  rmSync(scratch, { recursive: true, force: true });

  const faults = [];
  const silent = files.filter((path) => !ran.some(({ file }) => file === path));
  if (ran.length === 0) faults.push('No test ran.');
  else if (silent.length > 0 && everyFileMustTest) {
    faults.push(`${files.length} test files were found and ${files.length - silent.length} ran a test. Not these:`);
    faults.push(...silent.map((file) => `  ${relative(root, file)}`));
  }
  const skipped = process.env.CI ? await skippedForOtherReasons(ran) : [];
  if (skipped.length > 0) {
    faults.push('Skipped for a reason that test/support/skips.ts does not list:');
    faults.push(...skipped.map(({ file, name, skip }) => `  ${relative(root, file)}: ${name}: ${skip}`));
  }
  // A log is read from its end: what failed hours of lines ago is said again there.
  for (const { file, name, failed } of ran) {
    if (failed) faults.push(`Failed: ${name} (${relative(root, file)})`, failed.replaceAll(/^/gm, '  '));
  }
  const left = await watch.finish();
  if (left.length > 0) faults.push('The tests left behind:', ...left.map((line) => `  ${line}`));
  if (summary.length === 0) faults.push(`The test runner ended without a summary (${status}).`);

  process.stdout.write([...faults, ...summary, ''].join('\n'));
  return status === 0 && faults.length === 0;
}

/** The tests that were skipped although the machine lacks nothing that is listed. */
async function skippedForOtherReasons(ran) {
  const skipped = ran.filter(({ skip }) => skip !== undefined && skip !== false);
  if (skipped.length === 0) return [];
  const list = join(root, 'dist', 'test', 'support', 'skips.js');
  const { LACKING } = existsSync(list) ? await import(pathToFileURL(list).href) : { LACKING: {} };
  return skipped.filter(({ skip }) => !Object.values(LACKING).includes(skip));
}

function colours() {
  return process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: '1' } : {};
}

/** Passes the lines on, but keeps back the runner's summary, so that our own findings can come before it. */
async function relayOutput(stream) {
  const held = [];
  for await (const line of createInterface({ input: stream })) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal are control characters
    if (SUMMARY_LINE.test(line.replaceAll(/\x1b\[\d+m/g, ''))) {
      held.push(line);
      continue;
    }
    // The list of failed tests follows the summary in one of the two formats; the summary moves behind it.
    process.stdout.write(`${line}\n`);
  }
  return held;
}
