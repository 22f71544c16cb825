// Compiles src, test, bench and examples into dist/, bundles the command line there, and knows when that is not needed.
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
import { bundle } from './bundle.mjs';

/** What is looked at before something runs, as folders: the sources that it comes from, and the outputs. */
const PARTS = {
  everything: { sources: ['src', 'test', 'bench', 'examples'], outputs: '' },
  'the command line': { sources: ['src'], outputs: 'bundle/' },
};
const STAMP = '.stamp';
const SETTINGS = ['tsconfig.json', 'package.json', 'package-lock.json', 'scripts/lib/bundle.mjs'];
/** How slowly the clock of ctimes may tick: a jiffy has 10 ms at most. */
const CTIME_TICKS_MS = 20;

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

/** The names of everything that decides what is made: the settings, among them the compiler's version, and the sources. */
function inputs(root, { sources }) {
  const found = sources.flatMap((folder) => filesBelow(`${root}/${folder}`, `${folder}/`));
  return [...SETTINGS, ...found.filter((file) => file.endsWith('.ts'))];
}

/** The inputs by name and content. */
function fingerprint(root) {
  const hash = createHash('sha256');
  for (const name of inputs(root, PARTS.everything)) hash.update(`\n${name}\n`).update(readFileSync(`${root}/${name}`));
  return hash.digest('hex');
}

/**
 * The inputs by what changes whenever their content does, and costs a tenth of reading them: nobody can set a ctime. A file that
 * was changed at `now` or just before may change again in the same tick of the clock, so it has no mark yet.
 */
function marks(root, part, now = Infinity) {
  const lines = inputs(root, part).map((name) => {
    const { size, ino, ctimeMs } = lstatSync(`${root}/${name}`);
    return `${name} ${ctimeMs > now - CTIME_TICKS_MS ? 'unknown' : `${size} ${ino} ${ctimeMs}`}`;
  });
  return lines.join('\n');
}

/** The outputs as they are on disk, one line each: enough to see one that was changed, lost or added by hand. */
function describe(dist, { outputs }) {
  const lines = filesBelow(`${dist}/${outputs}`, outputs).map((name) => {
    const { size, mtimeMs } = lstatSync(`${dist}/${name}`);
    return name === STAMP ? '' : `${name} ${size} ${mtimeMs}`;
  });
  return lines.filter(Boolean).join('\n');
}

const ofEachPart = (make) => Object.fromEntries(Object.entries(PARTS).map(([name, part]) => [name, make(part)]));

/**
 * Says whether dist/ is what the sources would compile to, with nothing missing, changed or left over.
 * @param {'everything' | 'the command line'} name what of it is asked for
 */
export function typescriptIsCurrent(root, name) {
  const dist = join(root, 'dist');
  try {
    const stamp = JSON.parse(readFileSync(join(dist, STAMP), 'utf8'));
    if (stamp.outputs[name] !== describe(dist, PARTS[name])) return false;
    return stamp.marks[name] === marks(root, PARTS[name]) || stamp.digest === fingerprint(root);
  } catch {
    return false;
  }
}

/**
 * Compiles into a folder beside dist/ and moves what changed into place file by file, each by a rename: a program that
 * runs from dist/ meanwhile never reads half a file. Outputs of sources that are gone are removed.
 * Files with type errors are emitted all the same, but the build has failed and leaves no stamp.
 * @returns {Promise<boolean>} whether the sources have no error (the compiler has printed them on stderr)
 */
export async function buildTypescript(root) {
  const dist = join(root, 'dist');
  const next = join(root, '.dist-next');
  const now = Date.now();
  const before = { marks: ofEachPart((part) => marks(root, part, now)), digest: fingerprint(root) };
  rmSync(join(dist, STAMP), { force: true });
  rmSync(next, { recursive: true, force: true });
  try {
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const run = spawnSync(process.execPath, [compiler, '-p', root, '--outDir', next], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
    if (run.status === 0) await bundle(next);
    moveInto(next, dist);
    if (run.status !== 0) return false;
    const outputs = ofEachPart((part) => describe(dist, part));
    writeFileSync(join(next, STAMP), JSON.stringify({ ...before, outputs }));
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
