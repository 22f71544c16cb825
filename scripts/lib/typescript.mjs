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
import { dirname, join } from 'node:path';

const SOURCE_FOLDERS = ['src', 'test', 'bench', 'examples'];
const STAMP = '.stamp';
const SETTINGS = ['tsconfig.json', 'package.json', 'package-lock.json'];

/** The files below a folder, as paths relative to it, sorted. */
function filesBelow(folder, inside = '') {
  const files = [];
  for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    const name = inside + entry.name;
    if (entry.isDirectory()) files.push(...filesBelow(`${folder}/${entry.name}`, `${name}/`));
    else files.push(name);
  }
  return files.sort();
}

/** Everything that decides what the compiler makes: the sources, their names, the settings, the compiler's version. */
function fingerprint(root) {
  const hash = createHash('sha256');
  const sources = SOURCE_FOLDERS.flatMap((folder) => filesBelow(`${root}/${folder}`, `${folder}/`));
  for (const name of [...SETTINGS, ...sources.filter((file) => file.endsWith('.ts'))]) {
    hash.update(`\n${name}\n`).update(readFileSync(`${root}/${name}`));
  }
  return hash.digest('hex');
}

/** The outputs as they are on disk, one line each: enough to see one that was changed, lost or added by hand. */
function describe(dist) {
  const lines = filesBelow(dist).map((name) => {
    const { size, mtimeMs } = lstatSync(`${dist}/${name}`);
    return name === STAMP ? '' : `${name} ${size} ${mtimeMs}`;
  });
  return lines.filter(Boolean).join('\n');
}

/** Says whether dist/ is what the sources would compile to, with nothing missing, changed or left over. */
export function typescriptIsCurrent(root) {
  const dist = join(root, 'dist');
  try {
    return readFileSync(join(dist, STAMP), 'utf8') === `${fingerprint(root)}\n${describe(dist)}`;
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
  rmSync(join(dist, STAMP), { force: true });
  rmSync(next, { recursive: true, force: true });
  try {
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const run = spawnSync(process.execPath, [compiler, '-p', root, '--outDir', next], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
    moveInto(next, dist);
    if (run.status !== 0) return false;
    writeFileSync(join(next, STAMP), `${digest}\n${describe(dist)}`);
    renameSync(join(next, STAMP), join(dist, STAMP));
    return true;
  } finally {
    rmSync(next, { recursive: true, force: true });
  }
}

function moveInto(next, dist) {
  mkdirSync(next, { recursive: true });
  mkdirSync(dist, { recursive: true });
  const made = filesBelow(next);
  for (const name of made) {
    const [file, target] = [join(next, name), join(dist, name)];
    if (existsSync(target) && readFileSync(target).equals(readFileSync(file))) continue;
    mkdirSync(dirname(target), { recursive: true });
    renameSync(file, target);
  }
  const wanted = new Set(made);
  for (const name of filesBelow(dist)) {
    if (wanted.has(name)) continue;
    rmSync(join(dist, name));
    removeEmptyFolders(dirname(join(dist, name)), dist);
  }
}

function removeEmptyFolders(dir, stopAt) {
  while (dir !== stopAt && readdirSync(dir).length === 0) {
    rmdirSync(dir);
    dir = dirname(dir);
  }
}
