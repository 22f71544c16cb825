#!/usr/bin/env node
// Takes out, one after the other, each line by which the locks in shared memory recover from a death, and requires that a test fails without it.
//
//   npm run mutations              all of them, which takes a while
//   npm run mutations -- WORD …    those whose file or name has one of the words
//
// It works in copies of the tree, which are removed; the tree has to be built, and its tests have to pass.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTATIONS } from './lib/mutations.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const AT_ONCE = 2;
const PARTS = ['dist', 'build', 'native', 'scripts', 'src', 'test', 'docs', 'package.json', 'tsconfig.json'];
/** A test that hangs has failed. */
const MOST_MS = 240_000;

const words = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ file, name }) => words.length === 0 || words.some((word) => `${file} ${name}`.includes(word)),
);
if (chosen.length === 0) throw new Error(`no mutation is called ${words.join(' or ')}`);

/** Without the labels of steps at the ends of lines, which the models name. */
const plain = (text) => text.replaceAll(/ (?:\/\/ \[[a-z_-]+\]|\/\* \[[a-z_-]+\] \*\/)$/gm, '');

/** Without the line. Each place is named by text that is there once. */
function mutated({ file, name, find, replace, also }) {
  const parts = plain(readFileSync(join(asItIs, file), 'utf8')).split(plain(find));
  if (parts.length !== 2)
    throw new Error(`${file}, ${name}: what is to be replaced is there ${parts.length - 1} times`);
  let text = parts.join(replace);
  if (also !== undefined) {
    if (text.split(also.find).length !== 2)
      throw new Error(`${file}, ${name}: what is to be replaced also is not there once`);
    text = text.replace(also.find, () => also.replace);
  }
  return { text, line: (parts[0].match(/\n/g) ?? []).length + 1 };
}

function newCopy(from) {
  const copy = mkdtempSync(join(tmpdir(), 'interproc-mutation-'));
  for (const part of PARTS) cpSync(join(from, part), join(copy, part), { recursive: true, preserveTimestamps: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function build(copy, file, text) {
  writeFileSync(join(copy, file), text);
  if (file.endsWith('.c')) {
    const { status, stderr } = spawnSync(process.execPath, [join(copy, 'scripts/build-addon.mjs'), '--force'], {
      cwd: copy,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${file} does not compile: ${stderr}`);
    return;
  }
  // It need not pass the checks of types: what is not used any more is no error here.
  const one = { extends: './tsconfig.json', compilerOptions: { noCheck: true }, files: [file], include: [] };
  writeFileSync(join(copy, 'tsconfig.one.json'), JSON.stringify(one));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.one.json'], {
    cwd: copy,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${file} does not compile: ${stdout}`);
}

/** The name of the first test that failed; `undefined` if all passed. */
function firstFailure(copy, { file, pattern }) {
  return new Promise((resolve) => {
    const args = [
      '--test',
      '--test-reporter=tap',
      ...(pattern === undefined ? [] : [`--test-name-pattern=${pattern}`]),
    ];
    const child = spawn(process.execPath, [...args, join(copy, 'dist', file.replace(/\.ts$/, '.js'))], {
      cwd: copy,
      detached: true,
    });
    let output = '';
    let failed;
    const end = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      failed ??= /^ *not ok \d+ - (?!.*\.js$)(.*)$/m.exec(output)?.[1];
      if (failed !== undefined) end();
    });
    const timer = setTimeout(end, MOST_MS);
    child.once('close', (code) => {
      clearTimeout(timer);
      end();
      resolve(failed ?? (code === 0 ? undefined : `${file} ended by ${code ?? 'the time-out'}`));
    });
  });
}

async function tryOne(mutation) {
  const { text, line } = mutated(mutation);
  const copy = newCopy(asItIs);
  try {
    build(copy, mutation.file, text);
    for (const test of mutation.tests) {
      const found = await firstFailure(copy, test);
      if (found !== undefined) return { line, found: `${test.file}: ${found}` };
    }
    return { line, found: undefined };
  } finally {
    rmSync(copy, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** The tree may change meanwhile. */
const asItIs = newCopy(root);
process.once('exit', () => rmSync(asItIs, { recursive: true, force: true }));
let missed = 0;
const left = [...chosen];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let mutation = left.shift(); mutation !== undefined; mutation = left.shift()) {
      const { line, found } = await tryOne(mutation);
      if (found === undefined) missed++;
      console.log(
        `${found === undefined ? 'MISSED' : 'found '} ${mutation.file}:${line} ${mutation.name}\n       ${found ?? 'no test fails without it'}`,
      );
    }
  }),
);
console.log(`${chosen.length - missed} of ${chosen.length} were found`);
process.exitCode = missed === 0 ? 0 : 1;
