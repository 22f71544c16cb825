// Runs the suites that depend on the runtime with each Node that is supported, all of them with the one addon that has
// been built, and says its SHA-256. The other Nodes come from npm by exact version and stay in build/nodes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { findNpm } from './lib/install.mjs';
import { root } from './lib/setup.mjs';
import { runTests, testFiles } from './lib/test-run.mjs';

const VERSIONS = ['22.23.3', '24.21.0', '26.10.0'];
const SUITES = [
  'conformance',
  'core',
  'sys',
  'signal',
  'proc',
  'pipe',
  'unix',
  'mq',
  'sysv',
  'shm',
  'mmap',
  'futex',
  'layout',
  'lock',
  'sem',
  'filelock',
  'eventfd',
].map((folder) => `dist/test/${folder}`);

/** The program of that version, fetched if it is not there. */
function fetchNode(version) {
  const name = `node-linux-${process.arch}`;
  const folder = join(root, 'build', 'nodes', version);
  const program = join(folder, 'node_modules', name, 'bin', 'node');
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    const options = [
      '--prefix',
      folder,
      '--no-save',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ];
    const run = spawnSync(findNpm(), ['install', ...options, `${name}@${version}`], {
      cwd: folder,
      stdio: ['ignore', 2, 2],
    });
    if (run.status !== 0) throw new Error(`npm could not fetch ${name}@${version}`);
  }
  return program;
}

const addon = () =>
  createHash('sha256')
    .update(readFileSync(join(root, 'build', 'Release', 'interproc.node')))
    .digest('hex');

const parts = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const files = SUITES.flatMap(testFiles).filter(
  (file) => parts.length === 0 || parts.some((part) => relative(root, file).includes(part)),
);
const digest = addon();
const results = [];
for (const node of [process.execPath, ...VERSIONS.map(fetchNode)]) {
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  process.stdout.write(`\nNode ${version}, build/Release/interproc.node ${digest}\n`);
  results.push([version, (await runTests({ files, node })) && addon() === digest]);
}

process.stdout.write(`\none addon, SHA-256 ${digest}\n`);
for (const [version, passed] of results)
  process.stdout.write(`  ${version.padEnd(10)} ${passed ? 'passed' : 'FAILED'}\n`);
process.exitCode = results.every(([, passed]) => passed) ? 0 : 1;
