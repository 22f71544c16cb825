// The lock file agrees with package.json, names no host, and gives a digest for each package.
//
//   node scripts/check-lock-file.mjs [FOLDER]
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { root } from './lib/setup.mjs';

const GROUPS = ['dependencies', 'devDependencies', 'optionalDependencies', 'engines'];

const folder = resolve(process.argv[2] ?? root);
const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const manifest = read('package.json');
const { '': own, ...packages } = read('package-lock.json').packages;

const faults = [];
for (const group of GROUPS) {
  if (!isDeepStrictEqual(own[group] ?? {}, manifest[group] ?? {}))
    faults.push(`${group} differ from package.json: run npm install`);
}
if (own.version !== manifest.version)
  faults.push(`the version is ${own.version}, in package.json ${manifest.version}: run npm install`);
for (const [path, entry] of Object.entries(packages)) {
  if (entry.resolved !== undefined) faults.push(`${path} names where it came from (${entry.resolved})`);
  if (!entry.integrity?.startsWith('sha512-')) faults.push(`${path} has no sha512 digest`);
  if (entry.hasInstallScript) faults.push(`${path} has an install script, and none is run`);
}

for (const fault of faults) process.stdout.write(`package-lock.json: ${fault}\n`);
process.stdout.write(faults.length === 0 ? 'lock file: good\n' : `lock file: ${faults.length} found\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
