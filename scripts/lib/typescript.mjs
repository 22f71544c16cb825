// Compiles src, test, bench and examples into dist/, and knows when that is not needed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

const SOURCE_FOLDERS = ['src', 'test', 'bench', 'examples'];
const SETTINGS = ['tsconfig.json', 'package.json', 'package-lock.json'];

function* walk(dir) {
  if (!existsSync(dir)) return;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else yield path;
  }
}

/** Everything that decides what the compiler makes: the sources, their names, the settings, the compiler's version. */
function fingerprint(root) {
  const hash = createHash('sha256');
  const sources = SOURCE_FOLDERS.flatMap((folder) =>
    [...walk(join(root, folder))].filter((file) => file.endsWith('.ts')),
  ).sort();
  for (const file of [...SETTINGS.map((name) => join(root, name)), ...sources]) {
    hash.update(`\n${relative(root, file)}\n`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function describe(dist) {
  const outputs = {};
  for (const file of walk(dist)) {
    const stat = lstatSync(file);
    outputs[relative(dist, file)] = [stat.size, stat.mtimeMs];
  }
  return outputs;
}

/** Says whether dist/ is what the sources would compile to, with nothing missing, changed or left over. */
export function typescriptIsCurrent(root) {
  const dist = join(root, 'dist');
  try {
    const stamp = JSON.parse(readFileSync(join(dist, '.stamp.json'), 'utf8'));
    if (stamp.digest !== fingerprint(root)) return false;
    const { '.stamp.json': _, ...now } = describe(dist);
    const names = Object.keys(now);
    return (
      names.length === Object.keys(stamp.outputs).length &&
      names.every((name) => stamp.outputs[name]?.[0] === now[name][0] && stamp.outputs[name][1] === now[name][1])
    );
  } catch {
    return false;
  }
}

/**
 * Compiles into a folder beside dist/ and moves what changed into place file by file, each by a rename: a program that
 * runs from dist/ meanwhile never reads half a file. Outputs of sources that are gone are removed.
 * Files with type errors are emitted all the same, but the build has failed and leaves no stamp.
 * @returns {boolean} whether the sources have no error (the compiler has printed them on stderr)
 */
export function buildTypescript(root) {
  const dist = join(root, 'dist');
  const next = join(root, '.dist-next');
  const digest = fingerprint(root);
  rmSync(join(dist, '.stamp.json'), { force: true });
  rmSync(next, { recursive: true, force: true });
  try {
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const run = spawnSync(process.execPath, [compiler, '-p', root, '--outDir', next], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
    moveInto(next, dist);
    if (run.status !== 0) return false;
    writeFileSync(join(next, '.stamp.json'), JSON.stringify({ digest, outputs: describe(dist) }));
    renameSync(join(next, '.stamp.json'), join(dist, '.stamp.json'));
    return true;
  } finally {
    rmSync(next, { recursive: true, force: true });
  }
}

function moveInto(next, dist) {
  mkdirSync(next, { recursive: true });
  mkdirSync(dist, { recursive: true });
  const made = new Set();
  for (const file of walk(next)) {
    const name = relative(next, file);
    const target = join(dist, name);
    made.add(name);
    if (existsSync(target) && readFileSync(target).equals(readFileSync(file))) continue;
    mkdirSync(dirname(target), { recursive: true });
    renameSync(file, target);
  }
  for (const file of [...walk(dist)]) {
    if (made.has(relative(dist, file))) continue;
    rmSync(file);
    removeEmptyFolders(dirname(file), dist);
  }
}

function removeEmptyFolders(dir, stopAt) {
  while (dir !== stopAt && readdirSync(dir).length === 0) {
    rmdirSync(dir);
    dir = dirname(dir);
  }
}
