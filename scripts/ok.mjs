// The one gate: everything that must hold before a change is done, one line each. What fails shows what it said.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const script = (name) => [process.execPath, join(root, 'scripts', name)];
const tool = (...words) => [process.execPath, join(root, 'node_modules', words[0]), ...words.slice(1)];
const biome = (...words) => tool('@biomejs/biome/bin/biome', ...words, root);

const STEPS = [
  ['build', script('build.mjs')],
  ['format', biome('format')],
  ['lint', biome('lint', '--error-on-warnings')],
  ['lock file', script('check-lock-file.mjs')],
  ['layers', script('check-layers.mjs')],
  ['types', script('check-types.mjs')],
  ['docstrings', script('check-docs.mjs')],
  ['tests', script('run-tests.mjs')],
  ['doc examples', script('check-examples.mjs')],
  ['publint', tool('publint/src/cli.js', '--strict')],
];

const only = process.argv.slice(2);
const unknown = only.filter((name) => !STEPS.some(([step]) => step === name));
if (unknown.length > 0) {
  const known = STEPS.map(([step]) => (step.includes(' ') ? `'${step}'` : step)).join(', ');
  process.stderr.write(`no step is called ${unknown.join(', ')}; there are ${known}\n`);
  process.exit(2);
}
let failed = 0;
for (const [name, [command, ...args]] of STEPS) {
  if (only.length > 0 && !only.includes(name)) continue;
  const start = performance.now();
  const run = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${run.status === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(14)}${seconds} s\n`);
  if (run.status === 0) continue;
  failed += 1;
  process.stdout.write(`${run.stdout}${run.stderr}${run.error ?? ''}\n`);
}
process.exitCode = failed === 0 ? 0 : 1;
