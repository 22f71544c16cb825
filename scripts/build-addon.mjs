#!/usr/bin/env node
// Compiles native/*.c into build/Release/interproc.node with one call of the C compiler.
//
// It needs a C compiler and the package node-api-headers, nothing else: no Python, no make, no network. It runs in a
// clone (through the bootstrap) and in an installed package (`node node_modules/interproc/scripts/build-addon.mjs`).
//
//   node scripts/build-addon.mjs           the addon, unless it is up to date
//   node scripts/build-addon.mjs --force   the addon, always
//   node scripts/build-addon.mjs --asan    with AddressSanitizer and UBSan, into build/Asan
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A newer compiler may know new warnings: they are errors for us who can mend them, not for a user of the package. */
const installed = root.split(sep).includes('node_modules');

const WARNINGS = [
  '-Wall',
  '-Wextra',
  '-Wshadow',
  '-Wvla',
  '-Wstrict-prototypes',
  '-Wmissing-prototypes',
  '-Wold-style-definition',
  '-Wpointer-arith',
  '-Wcast-qual',
  '-Wwrite-strings',
  '-Wundef',
  '-Wformat=2',
  ...(installed ? [] : ['-Werror']),
];

const COMMON = ['-std=c11', '-fPIC', '-shared', '-pthread', '-fvisibility=hidden', '-DNAPI_VERSION=8', '-D_GNU_SOURCE'];

const VARIANTS = {
  Release: ['-O2', '-Wl,-z,relro,-z,now,-z,nodelete'],
  Asan: ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address,undefined'],
};

/**
 * Finds the C compiler: $CC (a program, possibly with arguments), else the first of cc, gcc and clang on the PATH.
 * @returns {string[] | undefined} program and leading arguments
 */
export function findCompiler() {
  const wanted = process.env.CC?.trim();
  if (wanted) {
    const words = existsSync(wanted) ? [wanted] : wanted.split(/\s+/);
    return onPath(words[0]) ? words : undefined;
  }
  for (const name of ['cc', 'gcc', 'clang']) if (onPath(name)) return [name];
  return undefined;
}

/** The executable file that a shell would run for this name. */
export function onPath(name) {
  const places = name.includes('/')
    ? [resolve(name)]
    : (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir || '.', name));
  return places.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return statSync(file).isFile();
    } catch {
      return false;
    }
  });
}

/** What to tell somebody who has no C compiler. */
export const NO_COMPILER = process.env.CC?.trim()
  ? `interproc: the C compiler named by CC (${process.env.CC.trim()}) is not there: set CC to one that is, or unset it`
  : 'interproc: a C compiler is missing: install one (Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc; Alpine: apk add gcc musl-dev)';

function headers() {
  return createRequire(import.meta.url)('node-api-headers').include_dir;
}

function filesIn(dir, pattern) {
  return readdirSync(dir)
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(dir, name));
}

/**
 * Everything the addon is made from, as one digest: sources, headers, the compiler and its arguments. System headers
 * are covered by what `cc --version` says, not read: a new libc does not make the old addon wrong.
 */
function fingerprint(compiler, variant, args) {
  const hash = createHash('sha256');
  const version = spawnSync(compiler[0], [...compiler.slice(1), '--version'], { encoding: 'utf8' });
  hash.update(JSON.stringify([compiler, version.stdout, variant, args, process.arch]));
  for (const file of [...filesIn(join(root, 'native'), /\.[ch]$/), ...filesIn(headers(), /\.h$/)]) {
    hash.update(`\n${file}\n`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function plan(variant) {
  const compiler = findCompiler();
  if (!compiler) throw new Error(NO_COMPILER);
  const out = join(root, 'build', variant);
  const args = [...COMMON, ...VARIANTS[variant], ...WARNINGS, '-isystem', headers()];
  const target = join(out, 'interproc.node');
  return {
    compiler,
    args,
    out,
    target,
    stamp: join(out, 'interproc.stamp'),
    digest: fingerprint(compiler, variant, args),
  };
}

function isCurrent({ target, stamp, digest }) {
  try {
    return existsSync(target) && readFileSync(stamp, 'utf8') === `${digest} ${statSync(target).size}\n`;
  } catch {
    return false;
  }
}

/** Says whether the built addon is the one that these sources and this compiler would make. */
export function addonIsCurrent(variant = 'Release') {
  return isCurrent(plan(variant));
}

/**
 * Compiles the addon. The result appears under its name by a rename, so that a process that loads it at this moment
 * sees the old file or the new one and never a part.
 * @returns {boolean} false when the compiler found fault (it has said so on stderr)
 */
export function buildAddon(variant = 'Release') {
  const made = plan(variant);
  mkdirSync(made.out, { recursive: true });
  rmSync(made.stamp, { force: true });
  const temporary = join(made.out, `interproc.${process.pid}.tmp`);
  try {
    execFileSync(
      made.compiler[0],
      [...made.compiler.slice(1), ...made.args, '-o', temporary, ...filesIn(join(root, 'native'), /\.c$/)],
      { stdio: ['ignore', 2, 2] },
    );
    renameSync(temporary, made.target);
    writeFileSync(made.stamp, `${made.digest} ${statSync(made.target).size}\n`);
    return true;
  } catch (error) {
    if (typeof error.status === 'number') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  const variant = process.argv.includes('--asan') ? 'Asan' : 'Release';
  try {
    if (process.argv.includes('--force') || !addonIsCurrent(variant)) process.exit(buildAddon(variant) ? 0 : 1);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
