/** Packages that the bench compares with and nobody else needs: fetched by exact version, without their install scripts. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = { 'proper-lockfile': '4.1.2', zeromq: '6.8.0' };

/** Their names, which are those of the implementations in the report. */
export const PEERS: readonly string[] = Object.keys(PACKAGES);

/** Where they are. */
export const peersFolder = fileURLToPath(new URL('../../build/bench-peers', import.meta.url));

function isThere([name, version]: [string, string]): boolean {
  const file = join(peersFolder, 'node_modules', name, 'package.json');
  return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version === version;
}

/** Fetches what is missing. */
export function fetchPeers(): void {
  if (Object.entries(PACKAGES).every(isThere)) return;
  mkdirSync(peersFolder, { recursive: true });
  writeFileSync(join(peersFolder, 'package.json'), JSON.stringify({ private: true, dependencies: PACKAGES }));
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const { status } = spawnSync('npm', ['install', ...options], { cwd: peersFolder, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('npm could not fetch the packages that the bench compares with');
}
