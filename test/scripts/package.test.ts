import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Ended, finish, root, start } from './checkout.js';

const MANIFEST = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | Record<string, string>>;
  bin: { interproc: string };
};
const DEPENDENCIES = ['node-gyp-build', 'node-api-headers'];

describe('the package that is published', () => {
  let folder: string;
  let files: string[];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'interproc-package-'));
    const { code, stdout, stderr } = await finish(
      start('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root }),
    );
    assert.equal(code, 0, stderr);
    files = (Object.values(JSON.parse(stdout)) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path);

    for (const file of files) {
      mkdirSync(dirname(join(folder, 'node_modules/interproc', file)), { recursive: true });
      cpSync(join(root, file), join(folder, 'node_modules/interproc', file));
    }
    for (const name of DEPENDENCIES) {
      cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true });
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  const node = (...argv: string[]): Promise<Ended> => finish(start(process.execPath, argv, { cwd: folder }));

  test('holds every file that package.json names', () => {
    const { exports, bin } = MANIFEST;
    const named = Object.values(exports).flatMap((entry) =>
      typeof entry === 'string' ? entry : Object.values(entry as object),
    );
    for (const file of [...named, ...Object.values(bin)]) {
      assert.ok(files.includes(file.replace(/^\.\//, '')), `${file} is missing`);
    }
  });

  test('holds no test, no benchmark and no built addon', () => {
    assert.deepEqual(
      files.filter((file) => /^(dist\/)?(test|bench|build|examples)\//.test(file)),
      [],
    );
  });

  test('imports without an addon, and builds one by the one command that the error names', async () => {
    const use = "import('interproc/eventfd').then((eventfd) => eventfd.create().close())";
    const before = await node('--input-type=module', '-e', use);
    assert.equal(before.code, 1);
    assert.match(before.stderr, /ERR_INTERPROC_NOT_BUILT/);
    const command = /build it with: (node .*build-addon\.mjs\S*)$/m.exec(before.stderr)?.[1];
    assert.ok(command, before.stderr);

    const built = await finish(start('sh', ['-c', command], { cwd: folder }));
    assert.equal(built.code, 0, built.stderr);
    assert.equal(built.stdout + built.stderr, '');
    assert.equal((await node('--input-type=module', '-e', use)).stderr, '');
  });

  test('brings a command line that needs no other package, and says whose code is in it', async () => {
    const main = join('node_modules/interproc', MANIFEST.bin.interproc);
    const shown = await node(main, 'run', "echo 'two words' | cat");
    assert.deepEqual([shown.code, shown.stdout, shown.stderr], [0, 'two words\n', '']);
    assert.match((await node(main, 'signals')).stdout, /SIGUSR1/);
    const licenses = readFileSync(join(folder, dirname(main), 'LICENSES.txt'), 'utf8');
    for (const name of ['commander', 'cli-table3', 'cli-progress', 'unbash', 'string-width']) {
      assert.match(licenses, new RegExp(`^${name} \\d.*\\(\\w+\\)$`, 'm'));
    }
  });

  test('builds its addon where a package manager links packages together', async () => {
    const linked = mkdtempSync(join(folder, 'linked-'));
    mkdirSync(join(linked, 'node_modules'));
    symlinkSync(join(folder, 'node_modules/interproc'), join(linked, 'node_modules/interproc'));
    rmSync(join(folder, 'node_modules/interproc/build'), { recursive: true, force: true });
    const built = await node(join(linked, 'node_modules/interproc/scripts/build-addon.mjs'));
    assert.equal(built.code, 0, built.stderr);
    assert.ok(readFileSync(join(folder, 'node_modules/interproc/build/Release/interproc.node')).length > 0);
  });

  test('can be required, for nothing in it is awaited at the top', async () => {
    const { code, stderr } = await node('-e', "require('interproc/eventfd')");
    assert.equal(code, 0, stderr);
  });
});
