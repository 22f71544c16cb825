// Runs the examples of README.md and docs/**/*.md.
//
// A fenced block is run when its first line says so: ```ts run, ```js run or ```sh run. TypeScript is compiled against the
// built package, as a user would import it (`interproc/mq`); shell blocks find `interproc` on the PATH. Each runs in
// an empty folder of its own, must exit with 0, and must print what a ```text output block right after it shows.
//
//   node scripts/check-examples.mjs [FOLDER]
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join, relative, resolve } from 'node:path';
import { watchForLeftovers } from './lib/leftovers.mjs';
import { root } from './lib/setup.mjs';

const LIMIT_MS = 60_000;
const folder = resolve(process.argv[2] ?? root);
const work = join(root, 'build', `doc-examples-${process.pid}`);

function markdownFiles() {
  const docs = join(folder, 'docs');
  const below = existsSync(docs) ? readdirSync(docs, { recursive: true }).map((name) => join(docs, name)) : [];
  return [join(folder, 'README.md'), ...below.sort()].filter((file) => file.endsWith('.md') && existsSync(file));
}

/** The blocks of one file that are to be run, each with the output that is shown for it. */
function examplesIn(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const blocks = [];
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(`{3,})(\w+)\s*(.*)$/.exec(lines[at]);
    if (!fence) continue;
    const end = lines.indexOf(fence[1], at + 1);
    if (end < 0) throw new Error(`${relative(folder, file)}:${at + 1}: the block is never closed`);
    const [, , language, words] = fence;
    blocks.push({ language, words: words.trim(), line: at + 1, end, text: `${lines.slice(at + 1, end).join('\n')}\n` });
    at = end;
  }
  return blocks.flatMap((block, index) => {
    if (block.words !== 'run') return [];
    const next = blocks[index + 1];
    const shown = next?.words === 'output' && lines.slice(block.end + 1, next.line - 1).every((line) => line === '');
    const place = `${relative(folder, file)}:${block.line}`;
    return [{ ...block, place, output: shown ? next.text : undefined, name: place.replaceAll(/[^\w]+/g, '-') }];
  });
}

function compile(examples) {
  const sources = examples.filter(({ language }) => language === 'ts' || language === 'js');
  if (sources.length === 0) return '';
  for (const { name, language, text } of sources) writeFileSync(join(work, `${name}.${language}`), text);
  const settings = {
    extends: '../../tsconfig.json',
    compilerOptions: {
      rootDir: '.',
      outDir: 'out',
      paths: {}, // the package as its users find it, not its sources
      allowJs: true,
      declaration: false,
      declarationMap: false,
      noUnusedLocals: false,
    },
    include: ['*.ts', '*.js'],
  };
  writeFileSync(join(work, 'tsconfig.json'), JSON.stringify(settings));
  const run = spawnSync(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', work], {
    encoding: 'utf8',
  });
  return run.stdout + run.stderr;
}

/** Runs one example. @returns {string | undefined} what is wrong */
function run({ language, name, text, output, place }, bin, env) {
  const cwd = mkdtempSync(join(work, 'cwd-'));
  const [command, ...args] =
    language === 'sh' ? ['sh', '-euc', text] : [process.execPath, join(work, 'out', `${name}.js`)];
  const path = `${bin}${delimiter}${process.env.PATH}`;
  const ran = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env, PATH: path },
    encoding: 'utf8',
    timeout: LIMIT_MS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (ran.error) return `${place}: ${ran.error.message}`;
  if (ran.status !== 0) return `${place}: ended with ${ran.signal ?? ran.status}\n${ran.stdout}${ran.stderr}`;
  if (output !== undefined && ran.stdout !== output) return `${place}: printed\n${ran.stdout}instead of\n${output}`;
  return undefined;
}

const faults = [];
const known = ['ts', 'js', 'sh'];
mkdirSync(join(work, 'bin'), { recursive: true });
try {
  const examples = markdownFiles().flatMap(examplesIn);
  if (examples.length === 0) faults.push('there is no example to run');
  for (const { place, language } of examples)
    if (!known.includes(language)) faults.push(`${place}: cannot run ${language}`);
  symlinkSync(join(root, 'interproc'), join(work, 'bin', 'interproc'));
  const said = compile(examples);
  if (said) faults.push(said.trim());
  else {
    const watch = watchForLeftovers();
    const runnable = examples.filter(({ language }) => known.includes(language));
    faults.push(...runnable.map((example) => run(example, join(work, 'bin'), watch.env)).filter(Boolean));
    faults.push(...(await watch.finish()).map((line) => `left behind: ${line}`));
  }
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.stdout.write(
    `examples: ${examples.length} run, ${faults.length === 0 ? 'all good' : `${faults.length} faults`}\n`,
  );
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = faults.length === 0 ? 0 : 1;
