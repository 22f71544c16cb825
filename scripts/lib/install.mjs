// Installs the packages of the lock file, and knows when that is not needed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { onPath } from '../build-addon.mjs';

const STAMP = ['node_modules', '.interproc-installed.json'];

/**
 * Some packages bring a program for one processor and one C library, so the same folder seen from another machine or
 * container is another install. None is bound to a version of Node.
 */
function fingerprint(root) {
  const lockFile = readFileSync(join(root, 'package-lock.json'));
  return createHash('sha256').update(lockFile).update(process.arch).update(distribution()).digest('hex');
}

function distribution() {
  try {
    return /^ID=.*$/m.exec(readFileSync('/etc/os-release', 'utf8'))[0];
  } catch {
    return '';
  }
}

function versionOf(root, path) {
  return JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')).version;
}

/** Says whether node_modules is what the lock file names: installed to the end, and nothing taken away since. */
export function installIsCurrent(root) {
  try {
    const stamp = JSON.parse(readFileSync(join(root, ...STAMP), 'utf8'));
    if (stamp.digest !== fingerprint(root)) return false;
    return Object.entries(stamp.packages).every(([path, version]) => versionOf(root, path) === version);
  } catch {
    return false;
  }
}

/** npm keeps its cache at home; somebody who cannot write there gets one in the checkout. */
function cacheOptions(root) {
  if (process.env.npm_config_cache ?? process.env.NPM_CONFIG_CACHE) return [];
  const cache = join(homedir(), '.npm');
  const writable = [join(cache, '_cacache', 'tmp'), join(cache, '_cacache'), cache, homedir()].find((dir) =>
    existsSync(dir),
  );
  try {
    accessSync(writable ?? dirname(cache), constants.W_OK | constants.X_OK);
    return [];
  } catch {
    return ['--cache', join(root, 'build', 'npm-cache')];
  }
}

/** The environment without what an outer `npm run` says about another project or about this one. */
function environment() {
  const keep = ([name]) =>
    !/^npm_(lifecycle|package|command|execpath|node_execpath)|^npm_config_(local_prefix|global|prefix|omit|production|only|dry_run)$/i.test(
      name,
    );
  return Object.fromEntries(Object.entries(process.env).filter(keep));
}

/** Where npm is: on the PATH, else beside this Node. */
export function findNpm() {
  return onPath('npm') ?? onPath(join(dirname(process.execPath), 'npm'));
}

/**
 * Runs `npm ci`. No install script runs: nothing here needs one. The stamp goes first and comes back last, so an
 * install that was interrupted is done again.
 * @returns {string | undefined} what npm said, if it failed
 */
export function install(root) {
  const stamp = join(root, ...STAMP);
  rmSync(stamp, { force: true });
  mkdirSync(join(root, 'build'), { recursive: true });
  const options = [
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
    ...cacheOptions(root),
  ];

  // What the cache knows is good enough, for the lock file has a digest of each package; if it is not, ask again.
  let run;
  for (const freshness of ['--prefer-offline', '--prefer-online']) {
    run = spawnSync(findNpm(), ['ci', ...options, freshness], {
      cwd: root,
      env: environment(),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (run.status === 0) break;
    if (run.signal) return `npm ci was ended by ${run.signal}`;
  }
  if (run.status !== 0) return run.error?.message ?? `${run.stdout}${run.stderr}`.trim();

  const installed = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8'));
  const packages = Object.fromEntries(Object.keys(installed.packages).map((path) => [path, versionOf(root, path)]));
  writeFileSync(stamp, JSON.stringify({ digest: fingerprint(root), packages }));
  return undefined;
}
