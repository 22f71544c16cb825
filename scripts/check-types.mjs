// The declarations that users get are whole: every entry of `exports` compiles by itself, with nothing skipped.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib/setup.mjs';

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const declarations = Object.values(exports).flatMap(({ types }) => types ?? []);
const options = '--noEmit --strict --module nodenext --target es2022 --lib es2023,esnext.disposable --types node'.split(
  ' ',
);
const run = spawnSync(
  process.execPath,
  [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '--ignoreConfig', ...options, ...declarations],
  { cwd: root, stdio: ['ignore', 1, 2] },
);
if (run.status === 0) process.stdout.write(`types: ${declarations.length} entries, good\n`);
process.exitCode = run.status === 0 ? 0 : 1;
