#!/usr/bin/env node
// First form: builds and runs.
import { spawnSync } from 'node:child_process';
const built = spawnSync(process.execPath, [new URL('build.mjs', import.meta.url).pathname], { stdio: ['ignore', 2, 2] });
if (built.status !== 0) process.exit(1);
const { main } = await import('../dist/src/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
