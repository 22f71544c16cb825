// Joins the command line into a few files, with the packages that it uses: of the time that a verb takes to start, finding and
// reading a hundred small files is the largest part that is ours (docs/design/start-up.md).
//
// The library stays as it is compiled: who imports it has one copy of each module, and tests import what users do.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Where the files go, in dist/: as deep as what they are made of, so that what they name relative to themselves stays right. */
const OUTPUT = 'bundle/cli';
/** What is started as a program of its own; `tour` finds those beside itself. */
const PROGRAMS = [
  'main',
  ...['parent', 'receiver', 'sender', 'signalReceiver', 'signalSender', 'turns'].map((name) => `tour/${name}`),
];

/** What nearly every verb needs, and what only `run` needs, are a file each; what a group imports belongs to it, unless an earlier one has it. */
const GROUPS = [
  { name: 'commander', test: /\/node_modules\/commander\//, priority: 3 },
  { name: 'base', test: /\/src\/((sys|core|signal|proc)\/|pipe\/(?!index)\w+\.js)/, priority: 2 },
  { name: 'pipeline', test: /\/src\/pipe\//, priority: 1 },
];

/** The library loads the parser when the first line is to be read; here it is one of the files. */
const PARSER = {
  name: 'parser-of-lines',
  transform(code, id) {
    if (!id.endsWith('/pipeline/commandLine.js')) return undefined;
    const inLibrary = "createRequire(import.meta.url)('unbash')";
    if (!code.includes(inLibrary)) throw new Error(`${id} loads the package unbash in another way than ${inLibrary}`);
    return `import * as unbash from 'unbash';\n${code.replace(inLibrary, 'unbash')}`;
  },
};

/** The folder of the package that a module belongs to, if it is not ours. */
function packageOf(id) {
  return /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
}

/** Name, version and license of each package, and the license's text: most ask that it goes along. */
function licenses(folders) {
  return folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((it) => /^licen[cs]e/i.test(it));
    if (file === undefined) throw new Error(`the package ${name} has no license file to go along with it`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
}

/**
 * Bundles dist/src/cli, as compiled, into dist/bundle/cli.
 * @param {string} dist the folder with the compiled files
 */
export async function bundle(dist) {
  const { rolldown } = await import('rolldown');
  const input = PROGRAMS.map((name) => join(dist, 'src/cli', `${name}.js`)).filter((file) => existsSync(file));
  const build = await rolldown({
    input: Object.fromEntries(input.map((file) => [basename(file, '.js'), file])),
    platform: 'node',
    external: ['node-gyp-build'],
    plugins: [PARSER],
    onLog: (_level, { message }) => {
      throw new Error(message);
    },
  });
  const { output } = await build.write({
    dir: join(dist, OUTPUT),
    format: 'esm',
    codeSplitting: { groups: GROUPS },
    comments: false,
  });
  await build.close();
  const packages = new Set(output.flatMap(({ moduleIds = [] }) => moduleIds.map(packageOf)).filter(Boolean));
  writeFileSync(join(dist, OUTPUT, 'LICENSES.txt'), licenses([...packages].sort()).join(`\n${'-'.repeat(80)}\n\n`));
}
