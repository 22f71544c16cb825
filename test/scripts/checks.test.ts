import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { peer } from '../support/skips.js';
import { root, runScript } from './checkout.js';

const GOOD: Record<string, string> = {
  'tsconfig.json': JSON.stringify({
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { typeRoots: [join(root, 'node_modules', '@types')] },
    include: ['src/**/*.ts'],
  }),
  'package.json': JSON.stringify({
    name: 'x',
    version: '1.0.0',
    type: 'module',
    devDependencies: { commander: '14' },
  }),
  'src/sys/index.ts': "import load from 'node-gyp-build';\nexport const native = load;\n",
  'src/core/errors.ts': "import { native } from '../sys/index.js';\n/** An error. */\nexport const errors = native;\n",
  'src/pipe/index.ts': "export { pipe } from './create.js';\n",
  'src/pipe/create.ts':
    "import { errors } from '../core/errors.js';\n/** Makes a pipe. */\nexport const pipe = errors;\n",
  'src/fifo/index.ts': "import { pipe } from '../pipe/index.js';\n/** Makes a FIFO. */\nexport const fifo = pipe;\n",
  'src/channel/index.ts': "import { fifo } from '../fifo/index.js';\n/** Sends. */\nexport const channel = fifo;\n",
  'src/cli/main.ts':
    "import 'commander';\nimport { channel } from '../channel/index.js';\nexport const main = channel;\n",
};

let folder: string;

function write(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'interproc-check-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs a check on the good project with these files on top, and gives the faults that it names. */
async function faultsOf(check: string, files: Record<string, string> = {}): Promise<string[]> {
  write({ ...GOOD, ...files });
  const { code, stdout, stderr } = await runScript(check, [folder]);
  // The compiler's own process says this where it is ended before it has finished ending itself.
  assert.equal(stderr.replace('context canceled\n', ''), '');
  const lines = stdout.trimEnd().split('\n');
  const verdict = lines.pop()!;
  assert.equal(code, lines.length === 0 ? 0 : 1);
  assert.match(verdict, lines.length === 0 ? /: good$/ : new RegExp(`: ${lines.length} found$`));
  return lines;
}

describe('the check of the layers', () => {
  const faults = (files?: Record<string, string>) => faultsOf('check-layers.mjs', files);

  test('is content with dependencies that point down', async () => {
    assert.deepEqual(await faults(), []);
  });

  test('finds an import that points up, of a value, of a type, inside an expression, or re-exported', async () => {
    const found = await faults({
      'src/core/a.ts': "import { pipe } from '../pipe/index.js';\nexport const a = pipe;\n",
      'src/core/b.ts': "\nimport type { pipe } from '../pipe/index.js';\nexport type B = typeof pipe;\n",
      'src/core/c.ts': "export type C = import('../pipe/index.js').pipe;\n",
      'src/core/d.ts': "export const d = () => import('../pipe/index.js');\n",
      'src/core/e.ts': "export * from '../pipe/index.js';\n",
      'src/pipe/up.ts': "import { channel } from '../channel/index.js';\nexport const up = channel;\n",
    });
    assert.deepEqual(found, [
      'src/core/a.ts:1: core may not depend on pipe',
      'src/core/b.ts:2: core may not depend on pipe',
      'src/core/c.ts:1: core may not depend on pipe',
      'src/core/d.ts:1: core may not depend on pipe',
      'src/core/e.ts:1: core may not depend on pipe',
      'src/pipe/up.ts:1: pipe may not depend on channel',
    ]);
  });

  test('finds a way into a family past its index.ts', async () => {
    const found = await faults({ 'src/channel/past.ts': "export { pipe } from '../pipe/create.js';\n" });
    assert.deepEqual(found, ['src/channel/past.ts:1: pipe is reached through its index.ts only']);
  });

  test('finds families that depend on each other in a circle', async () => {
    const found = await faults({
      'src/pipe/create.ts': "import { fifo } from '../fifo/index.js';\nexport const pipe: number = fifo;\n",
    });
    assert.deepEqual(found, ['families depend on each other in a circle: fifo -> pipe -> fifo']);
  });

  test('finds packages where they may not be, modules of Node without their prefix, and node:process', async () => {
    const found = await faults({
      'src/core/addon.ts': "import load from 'node-gyp-build';\nexport const a = load;\n",
      'src/core/cli.ts': "import 'commander';\n",
      'src/core/other.ts': "import '@scope/other/deep';\n",
      'src/core/input.ts': "import { pid } from 'node:process';\nexport const p = pid;\n",
      'src/core/path.ts': "import { join } from 'path';\nexport const j = join;\n",
    });
    assert.deepEqual(found, [
      'src/core/addon.ts:1: only src/sys loads the addon',
      'src/core/cli.ts:1: the package commander is for src/cli only',
      'src/core/input.ts:1: an import of node:process opens standard input: use the global',
      'src/core/other.ts:1: the package @scope/other is not one that src/ may use',
      'src/core/path.ts:1: the package path is not one that src/ may use',
    ]);
  });

  test('finds what is awaited at the top of a module, and not what is awaited in a function', async () => {
    const found = await faults({
      'src/core/wait.ts':
        'export const later = async () => await 1;\nexport const now = await 1;\nfor await (const x of []) x;\n',
    });
    assert.deepEqual(found, [
      'src/core/wait.ts:2: await at the top of a module',
      'src/core/wait.ts:3: await at the top of a module',
    ]);
  });
});

describe('the check of the docstrings', () => {
  const faults = (files?: Record<string, string>) => faultsOf('check-docs.mjs', files);

  test('is content when every export has one', async () => {
    assert.deepEqual(await faults(), []);
  });

  test('finds exports without one, where they are declared', async () => {
    const found = await faults({
      'src/pipe/create.ts': '// Not a docstring.\nexport const pipe = 1;\n',
      'src/core/more.ts':
        'export function f(): void {}\nexport interface I {}\nexport type T = 1;\nexport class C {}\n',
    });
    assert.deepEqual(found, [
      'src/core/more.ts:1: f has no docstring',
      'src/core/more.ts:2: I has no docstring',
      'src/core/more.ts:3: T has no docstring',
      'src/core/more.ts:4: C has no docstring',
      'src/pipe/create.ts:2: pipe has no docstring',
    ]);
  });

  test('looks into a namespace and at the public methods of what a family exports', async () => {
    const found = await faults({
      'src/pipe/index.ts': "export * as stream from './stream.js';\n",
      'src/pipe/stream.ts': [
        '/** A base. */',
        'export interface Base {',
        '  /** Described here. */',
        '  inherited(): void;',
        '}',
        '/** A stream. */',
        'export class Stream implements Base {',
        '  readonly fd = 1;',
        '  #hidden(): void {}',
        '  private secret(): void {}',
        '  inherited(): void {}',
        '  read(): void {',
        '    this.#hidden();',
        '    this.secret();',
        '  }',
        '}',
        'export const open = 1;',
      ].join('\n'),
      'src/fifo/index.ts': '/** Makes a FIFO. */\nexport const fifo = 1;\n',
    });
    assert.deepEqual(found, [
      'src/pipe/stream.ts:12: Stream.read has no docstring',
      'src/pipe/stream.ts:17: open has no docstring',
    ]);
  });

  test('lets a row of constants share one, up to the next blank line', async () => {
    const found = await faults({
      'src/core/row.ts': '/** Numbers. */\nexport const A = 1;\nexport const B = 2;\n\nexport const C = 3;\n',
    });
    assert.deepEqual(found, ['src/core/row.ts:5: C has no docstring']);
  });
});

describe('the check of the lock file', () => {
  const lockFile = (entry: object) =>
    JSON.stringify({
      packages: {
        '': { version: '1.0.0', devDependencies: { commander: '14' } },
        'node_modules/commander': entry,
      },
    });
  const faults = (content: string) => faultsOf('check-lock-file.mjs', { 'package-lock.json': content });

  test('is content with digests and without hosts', async () => {
    assert.deepEqual(await faults(lockFile({ version: '14.0.0', integrity: 'sha512-x' })), []);
  });

  test('finds a host, a missing digest, an install script and another version', async () => {
    const entry = { resolved: 'https://somewhere/x.tgz', hasInstallScript: true };
    assert.deepEqual(await faults(lockFile(entry).replace('1.0.0', '1.0.1')), [
      'package-lock.json: the version is 1.0.1, in package.json 1.0.0: run npm install',
      'package-lock.json: node_modules/commander names where it came from (https://somewhere/x.tgz)',
      'package-lock.json: node_modules/commander has no sha512 digest',
      'package-lock.json: node_modules/commander has an install script, and none is run',
    ]);
  });
});

describe('the check of the examples', () => {
  const fence = (words: string, ...lines: string[]) => ['```'.concat(words), ...lines, '```', ''].join('\n');

  test('runs what is marked, and compares what is shown', async () => {
    write({
      'README.md': [
        fence('sh', 'exit 1'),
        fence('sh run', 'echo one', 'echo two > file', 'cat file'),
        fence('text output', 'one', 'two'),
        fence('ts run', 'const text: string = "typed";', 'console.log(text);'),
      ].join('\n'),
      'docs/guide.md': fence('js run', 'import "node:fs";'),
    });
    const { code, stdout } = await runScript('check-examples.mjs', [folder]);
    assert.equal(stdout, 'examples: 3 run, all good\n');
    assert.equal(code, 0);
  });

  test('finds an example that fails, prints something else, or leaves something behind', async () => {
    write({
      'README.md': [
        fence('sh run', 'echo oops >&2; exit 3'),
        fence('sh run', 'echo one'),
        fence('text output', 'two'),
        fence('sh run', 'touch "$TMPDIR/left"'),
      ].join('\n'),
    });
    const { code, stdout } = await runScript('check-examples.mjs', [folder]);
    assert.equal(code, 1);
    assert.match(stdout, /README\.md:1: ended with 3\noops\n/);
    assert.match(stdout, /README\.md:5: printed\none\ninstead of\ntwo\n/);
    assert.match(stdout, /left behind: temporary file left\n/);
    assert.match(stdout, /examples: 3 run, 3 faults\n$/);
  });

  test('finds an example that does not compile', async () => {
    write({ 'README.md': fence('ts run', 'const text: string = 1;', 'console.log(text);') });
    const { code, stdout } = await runScript('check-examples.mjs', [folder]);
    assert.equal(code, 1);
    assert.match(stdout, /README-md-1\.ts.*error TS2322/);
  });
});

describe('the runner of the tests', () => {
  const PASSING = "import { test } from 'node:test';\ntest('passes', () => {});\n";

  async function runTests(files: Record<string, string>, env?: NodeJS.ProcessEnv) {
    write(files);
    write({ 'package.json': '{ "type": "module" }' });
    cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true });
    return runScript('run-tests.mjs', [], folder, { ...(env && { env }) });
  }

  test("ends with the summary of node's runner", async () => {
    const { code, stdout } = await runTests({ 'dist/test/a.test.js': PASSING, 'dist/test/deep/b.test.js': PASSING });
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /# tests 2\n# suites 0\n# pass 2\n# fail 0\n# cancelled 0\n# skipped 0\n# todo 0\n# duration_ms [\d.]+\n$/,
    );
  });

  test('fails when a test fails, and says at its end which one and how', async () => {
    const { code, stdout } = await runTests({
      'dist/test/a.test.js': PASSING.replace('{}', '{ throw new Error("no"); }'),
      'dist/test/b.test.js': PASSING,
      'dist/test/c.test.js': `${PASSING}process.exit(7);\n`,
    });
    assert.equal(code, 1);
    assert.match(
      stdout,
      /Failed: passes \(dist\/test\/a\.test\.js\)\n {2}Error: no\n {6}at [\s\S]*Failed: [^\n]*c\.test\.js[\s\S]*# fail 2\n/,
    );
  });

  test('fails when a file runs no test, or when there is none', async () => {
    const { code, stdout } = await runTests({ 'dist/test/a.test.js': PASSING, 'dist/test/b.test.js': 'export {};\n' });
    assert.equal(code, 1);
    assert.match(stdout, /2 test files were found and 1 ran a test\. Not these:\n {2}dist\/test\/b\.test\.js\n/);
    assert.match(stdout, /# duration_ms [\d.]+\n$/);
    assert.equal((await runScript('run-tests.mjs', ['no such part'], folder)).code, 1);
  });

  test('fails in CI when a test is skipped for a reason that is not listed', async () => {
    const files = {
      'dist/test/a.test.js': PASSING.replace('{}', "(t) => t.skip('no such kernel option')").replace('() => ', ''),
      'dist/test/support/skips.js': "export const LACKING = { another: 'no such capability' };\n",
    };
    assert.equal((await runTests(files, { CI: '' })).code, 0);
    const { code, stdout } = await runTests(files, { CI: 'true' });
    assert.equal(code, 1);
    assert.match(stdout, /does not list:\n {2}dist\/test\/a\.test\.js: passes: no such kernel option\n/);
    files['dist/test/support/skips.js'] = "export const LACKING = { one: 'no such kernel option' };\n";
    assert.equal((await runTests(files, { CI: 'true' })).code, 0);
  });

  test('leaves the stress tests out unless they are asked for', async () => {
    const files = {
      'dist/test/a.test.js': PASSING,
      'dist/test/stress/b.test.js': PASSING.replace('passes', 'is stressed'),
    };
    const { stdout } = await runTests(files);
    assert.match(stdout, /# tests 1\n/);
    const stress = await runScript('run-tests.mjs', ['--stress'], folder);
    assert.match(stress.stdout, /ok 1 - is stressed\n/);
    assert.match(stress.stdout, /# tests 1\n/);
  });

  test('fails and names what the tests left: a process, shared memory, a temporary file', async () => {
    const name = `interproc-left-${process.pid}`;
    const leaves = `
      import { spawn } from 'node:child_process';
      import { writeFileSync } from 'node:fs';
      import { tmpdir } from 'node:os';
      import { test } from 'node:test';
      test('leaves things', () => {
        spawn('sleep', ['1234'], { detached: true, stdio: 'ignore' }).unref();
        writeFileSync('/dev/shm/${name}', '');
        writeFileSync(tmpdir() + '/a file', '');
      });`;
    const { code, stdout } = await runTests({ 'dist/test/a.test.js': leaves });
    rmSync(`/dev/shm/${name}`, { force: true });
    const pid = /process (\d+): sleep 1234\n/.exec(stdout)?.[1];
    assert.ok(pid, stdout);
    process.kill(Number(pid), 'SIGKILL');
    assert.equal(code, 1);
    assert.ok(stdout.includes(`  /dev/shm/${name}\n`), stdout);
    assert.match(stdout, / {2}temporary file a file\n/);
    assert.match(stdout, /# pass 1\n[\s\S]*# duration_ms [\d.]+\n$/);
  });

  test('fails and names a System V queue that the tests left, and blames them for none that another program uses', async (t) => {
    if (!peer(t, 'perl')) return;
    const make = `my $id = msgget(0, 01600) // die $!; print "$id\\n"`;
    const leaves = (code: string): string => `
      import { execFileSync, spawn } from 'node:child_process';
      import { writeFileSync } from 'node:fs';
      import { test } from 'node:test';
      test('leaves a queue', async () => {
        ${code}
      });`;
    // A program that is no part of the run: its environment does not say so.
    const foreign = `const other = spawn('perl', ['-e', '${make}; msgsnd($id, pack("l!", 1), 0) or die $!; $| = 1; print "$$\\n"; sleep 1000'], { env: { PATH: process.env.PATH }, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
        let said = '';
        for await (const chunk of other.stdout) if ((said += chunk).split('\\n').length > 2) break;
        other.unref();
        writeFileSync('${join(folder, 'foreign')}', said);`;
    const own = `writeFileSync('${join(folder, 'own')}', execFileSync('perl', ['-e', '${make}']));`;
    const used = await runTests({ 'dist/test/a.test.js': leaves(foreign) });
    const [foreignId = '', pid] = readFileSync(join(folder, 'foreign'), 'utf8').split('\n');
    const left = await runTests({ 'dist/test/a.test.js': leaves(own) });
    const ownId = readFileSync(join(folder, 'own'), 'utf8').trim();
    process.kill(Number(pid), 'SIGKILL');
    for (const id of [foreignId, ownId]) spawnSync('perl', ['-e', `msgctl(${id}, 0, 0)`]);
    assert.equal(used.code, 0, used.stdout);
    assert.equal(left.code, 1);
    assert.ok(left.stdout.includes(`  System V msg ${ownId} (key 0)\n`), left.stdout);
    assert.ok(!left.stdout.includes(`System V msg ${foreignId} `), left.stdout);
  });
});
