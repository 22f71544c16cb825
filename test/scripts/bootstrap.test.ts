import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  constants,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { LACKING } from '../support/skips.js';
import { Checkout, type Ended, finish, runScript, start } from './checkout.js';

const ONE_LINE = /^interproc: .+\n$/;

function answer(ended: Ended): { argv: string[]; cwd: string; addon: string; typescript: string; pid: number } {
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}

describe('a checkout that is set up', () => {
  let checkout: Checkout;

  before(async () => {
    checkout = Checkout.installed('with spaces & more');
    answer(await checkout.run());
  });
  after(() => checkout[Symbol.dispose]());

  test('runs from any folder and through a link, and the command keeps the folder and its arguments', async () => {
    const link = join(checkout.outside, 'link');
    symlinkSync(checkout.path('interproc'), link);
    const child = start(link, ['a b', '', '--x'], { cwd: checkout.outside });
    const { argv, cwd, pid } = answer(await finish(child));
    assert.deepEqual(argv, ['a b', '', '--x']);
    assert.equal(cwd, checkout.outside);
    assert.equal(pid, child.pid, 'the command runs in the process that was started');
  });

  test('installs nothing and builds nothing the second time, and says nothing', async () => {
    const made = [
      'dist/src/cli/main.js',
      'dist/bundle/cli/main.js',
      'build/Release/interproc.node',
      'node_modules/.interproc-installed.json',
    ];
    const times = () => made.map((name) => statSync(checkout.path(name)).mtimeMs);
    const earlier = times();
    const ended = await checkout.run();
    answer(ended);
    assert.equal(ended.stderr, '');
    assert.deepEqual(times(), earlier);
  });

  test('runs an edited TypeScript file, C file or header as it is now', async () => {
    checkout.write(
      'src/cli/main.ts',
      readFileSync(checkout.path('src/cli/main.ts'), 'utf8').replace("'first'", "'second'"),
    );
    assert.equal(answer(await checkout.run()).typescript, 'second');

    checkout.write('native/word.h', '#define WORD "second"\n');
    assert.equal(answer(await checkout.run()).addon, 'second');

    checkout.write('native/word.c', readFileSync(checkout.path('native/word.c'), 'utf8').replace('WORD,', '"third",'));
    assert.equal(answer(await checkout.run()).addon, 'third');
  });

  test('notices an edit that leaves length and time of the file as they were', async () => {
    const file = checkout.path('src/cli/main.ts');
    const { atime, mtime } = statSync(file);
    const source = readFileSync(file, 'utf8');
    const { typescript } = answer(await checkout.run());
    const other = typescript.toUpperCase();
    writeFileSync(file, source.replace(`'${typescript}'`, `'${other}'`));
    utimesSync(file, atime, mtime);
    assert.equal(answer(await checkout.run()).typescript, other);
    writeFileSync(file, source);
  });

  test('compiles again for another compiler', async () => {
    const compiler = join(checkout.outside, 'another cc');
    writeFileSync(compiler, '#!/bin/sh\n[ "$1" = --version ] && echo another && exit\nexec cc "$@"\n', { mode: 0o755 });
    const ended = await checkout.run([], { env: { CC: compiler } });
    answer(ended);
    assert.match(ended.stderr, /compiling the addon/);
    answer(await checkout.run());
  });

  test('removes what a removed source had become, and makes again what was changed or lost in dist', async () => {
    const build = async (): Promise<void> => {
      const { code, stderr } = await runScript('build.mjs', [], checkout.folder);
      assert.equal(code, 0, stderr);
    };
    checkout.write('test/gone.test.ts', 'export const gone = 1;\n');
    answer(await checkout.run());
    await build();
    assert.ok(statSync(checkout.path('dist/test/gone.test.js')));

    unlinkSync(checkout.path('test/gone.test.ts'));
    await build();
    assert.throws(() => statSync(checkout.path('dist/test')), { code: 'ENOENT' });

    checkout.write('dist/bundle/cli/main.js', 'export const main = () => process.exit(9);\n');
    answer(await checkout.run());
    unlinkSync(checkout.path('dist/bundle/cli/main.js'));
    answer(await checkout.run());
    checkout.write('dist/src/cli/main.js', 'export const main = () => process.exit(9);\n');
    await build();
    assert.doesNotMatch(readFileSync(checkout.path('dist/src/cli/main.js'), 'utf8'), /exit\(9\)/);
    checkout.write('dist/test/left.test.js', '');
    await build();
    assert.throws(() => statSync(checkout.path('dist/test')), { code: 'ENOENT' });
  });

  test('refuses to run what does not compile, until it is mended', async () => {
    const source = readFileSync(checkout.path('src/cli/main.ts'), 'utf8');
    checkout.write('src/cli/main.ts', `${source}\nconst wrong: string = 1;\n`);
    for (const _ of ['at first', 'and again']) {
      const { code, stdout, stderr } = await checkout.run();
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /main\.ts.*error TS2322/);
    }
    checkout.write('src/cli/main.ts', source);
    answer(await checkout.run());

    const header = readFileSync(checkout.path('native/word.h'), 'utf8');
    checkout.write('native/word.h', `${header}static int unused;\n`);
    const { code, stderr } = await checkout.run();
    assert.equal(code, 1);
    assert.match(stderr, /unused/, 'a warning is an error');
    checkout.write('native/word.h', header);
    answer(await checkout.run());
  });

  test('leaves standard input and standard output to the command, also when it builds first', async () => {
    checkout.write('src/other.ts', 'export const other = 1;\n');
    const bytes = 'line\n'.repeat(50_000);
    const { stdout, stderr, code } = await checkout.run(['cat'], { input: bytes });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /compiling TypeScript/);
    assert.equal(stdout, bytes);

    checkout.write('src/other.ts', 'export const other = 2;\n');
    const flags = /flags:\s*([0-7]+)/.exec((await checkout.run(['stdin'])).stdout)![1]!;
    assert.equal(Number.parseInt(flags, 8) & constants.O_NONBLOCK, 0, 'standard input stays blocking');
  });

  test('passes signals to the command and its exit code back', async () => {
    const child = checkout.start(['wait']);
    const lines = createInterface({ input: child.stdout! });
    assert.deepEqual(await once(lines, 'line'), ['ready']);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'close'), [7, null]);
  });

  test('needs no permission to write once it is built', {
    skip: process.getuid!() !== 0 && LACKING.root,
  }, async () => {
    answer(await checkout.run([], { uid: 65534 }));
  });

  test('says in one line what is missing, a compiler or Node', async () => {
    const tools = join(checkout.outside, 'tools');
    mkdirSync(tools);
    for (const name of ['dirname', 'readlink']) symlinkSync(`/usr/bin/${name}`, join(tools, name));

    const withoutNode = await checkout.run([], { env: { PATH: tools } });
    assert.equal(withoutNode.code, 1);
    assert.match(withoutNode.stderr, ONE_LINE);
    assert.match(withoutNode.stderr, /Node\.js is missing: install/);

    symlinkSync(process.execPath, join(tools, 'node'));
    const withoutCompiler = await checkout.run([], { env: { PATH: tools, CC: '' } });
    assert.equal(withoutCompiler.code, 1);
    assert.match(withoutCompiler.stderr, ONE_LINE);
    assert.match(withoutCompiler.stderr, /C compiler is missing: install/);

    const wrongCompiler = await checkout.run([], { env: { CC: 'no-such-compiler -m64' } });
    assert.equal(wrongCompiler.code, 1);
    assert.match(wrongCompiler.stderr, ONE_LINE);
    assert.match(wrongCompiler.stderr, /no-such-compiler/);
  });
});

describe('what the machine must have', () => {
  let missing: (platform: string, version: string) => string | undefined;

  before(async () => {
    const file = '../../../scripts/lib/requirements.mjs';
    ({ missingPlatform: missing } = await import(file));
  });

  test('every Node of the range in package.json is taken and every other refused in one line', () => {
    for (const version of ['20.19.0', '20.20.2', '22.12.0', '22.23.3', '23.0.0', '24.21.0', '26.10.0']) {
      assert.equal(missing('linux', version), undefined, version);
    }
    for (const version of ['12.22.12', '18.20.8', '20.18.3', '21.7.3', '22.11.0']) {
      assert.match(`${missing('linux', version)}\n`, ONE_LINE);
      assert.match(missing('linux', version)!, new RegExp(`Node\\.js ${version}, .*install`));
    }
  });

  test('another system is refused in one line', () => {
    assert.match(`${missing('darwin', '24.0.0')}\n`, ONE_LINE);
  });
});

describe('a bare checkout', () => {
  test('is installed and built by the first command, whatever npm is configured to leave out', async () => {
    using checkout = new Checkout('bare one');
    const env = {
      NODE_ENV: 'production',
      npm_config_ignore_scripts: 'true',
      npm_config_omit: 'dev',
      npm_config_prefix: '/nowhere',
    };
    const first = await checkout.run(['hello'], { env });
    assert.deepEqual(answer(first).argv, ['hello']);
    assert.match(first.stderr, /installing packages/);
    assert.equal((await checkout.run([], { env })).stderr, '');

    rmSync(checkout.path('node_modules/commander'), { recursive: true });
    const repaired = await checkout.run([], { env });
    answer(repaired);
    assert.match(repaired.stderr, /installing packages/, 'a package that is gone is installed again');
  });

  test('is set up once when two commands start at the same time', async () => {
    using checkout = new Checkout();
    const both = await Promise.all([checkout.run(['one']), checkout.run(['two'])]);
    assert.deepEqual(
      both.map((ended) => answer(ended).argv),
      [['one'], ['two']],
    );
    const said = both.map(({ stderr }) => stderr).join('');
    for (const step of ['installing packages', 'compiling the addon', 'compiling TypeScript']) {
      assert.equal(said.split(step).length - 1, 1, said);
    }
  });

  test('is set up by the next command when the first was killed while npm was installing', async () => {
    using checkout = new Checkout();
    const first = checkout.start([]);
    const [line] = await once(createInterface({ input: first.stderr! }), 'line');
    assert.match(line, /installing packages/);
    first.kill('SIGKILL');
    await once(first, 'exit');
    answer(await checkout.run());
    assert.equal((await checkout.run()).stderr, '');
  });

  test('is set up by an ordinary user who cannot write to their home', async () => {
    using checkout = new Checkout();
    const isRoot = process.getuid!() === 0;
    if (isRoot) checkout.giveTo(65534);
    const env = {
      HOME: '/proc',
      npm_config_cache: undefined,
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    };
    const ended = await checkout.run([], { env, ...(isRoot ? { uid: 65534 } : {}) });
    answer(ended);
    assert.equal((await checkout.run([], { env, ...(isRoot ? { uid: 65534 } : {}) })).stderr, '');
  });
});
