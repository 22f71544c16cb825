/** When the addon is loaded, and what is said where it cannot be. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { start } from '../support/program.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const modules = readdirSync(join(root, 'dist/src/core'))
  .filter((name) => name.endsWith('.js'))
  .map((name) => `dist/src/core/${name}`);
const IMPORTS = ['dist/src/sys/index.js', ...modules];

const EVERYTHING = (base: string): string => `
  const { promises, readFileSync, readdirSync } = await import('node:fs');
  await promises.readFile('/proc/self/stat'); // Node's own pool of threads is there now
  await import('node:util'); // which opens /dev/null by itself from Node 22 on
  const threads = () => readdirSync('/proc/self/task').length;
  const before = [threads(), readdirSync('/proc/self/fd').length];
  for (const name of ${JSON.stringify(IMPORTS)}) await import(${JSON.stringify(pathToFileURL(base).href)} + name);
  const { native } = await import(${JSON.stringify(pathToFileURL(base).href)} + 'dist/src/sys/index.js');
  const loaded = () => /interproc[^/]*\\.node/.test(readFileSync('/proc/self/maps', 'utf8'));
`;

function program(t: TestContext, source: string, base = root, args: string[] = []): ReturnType<typeof start> {
  return start(t, process.execPath, [...args, '--input-type=module', '-e', EVERYTHING(base) + source]);
}

/** A copy of what a package holds, without a built addon. */
function unbuilt(t: TestContext): string {
  const copy = mkdtempSync(join(tmpdir(), 'ip-unbuilt-'));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  for (const name of ['dist/src', 'native', 'scripts', 'package.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return `${copy}/`;
}

test('an import loads no addon, starts no thread and opens nothing; the first call loads it', async (t) => {
  const child = program(
    t,
    `
    const after = [threads(), readdirSync('/proc/self/fd').length];
    console.log(JSON.stringify([before, after, loaded()]));
    native().getrlimit(7);
    console.log(loaded());`,
  );
  const [before, after, loaded] = JSON.parse(await child.line());
  assert.deepEqual(after, before);
  assert.equal(loaded, false);
  assert.equal(await child.line(), 'true');
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('on another system the import works, and the first use says ERR_INTERPROC_UNSUPPORTED', async (t) => {
  const other = `data:text/javascript,Object.defineProperty(process, 'platform', { value: 'darwin' })`;
  const child = program(
    t,
    `
    try { native(); } catch (why) { console.log(why.name, why.code, why.message); }
    console.log(loaded());`,
    root,
    ['--import', other],
  );
  assert.equal(await child.line(), 'Error ERR_INTERPROC_UNSUPPORTED interproc works on Linux only, and this is darwin');
  assert.equal(await child.line(), 'false');
});

test('without the addon the import works, the first use says ERR_INTERPROC_NOT_BUILT, and the command it names builds it', async (t) => {
  const copy = unbuilt(t);
  const source = `
    try { native(); console.log('it works'); } catch (why) { console.log(JSON.stringify([why.code, why.message, why.cause instanceof Error])); }`;
  const [code, message, hasCause] = JSON.parse(await program(t, source, copy).line());
  assert.equal(code, 'ERR_INTERPROC_NOT_BUILT');
  assert.equal(hasCause, true);
  const command = /build it with: (node .*)$/.exec(message)?.[1] ?? assert.fail(message);
  execFileSync('sh', ['-c', command], { cwd: '/', stdio: 'pipe' });
  assert.equal(await program(t, source, copy).line(), 'it works');
});

test('two workers and the main thread each have an addon of their own', async (t) => {
  const child = program(
    t,
    `
    const { Worker } = await import('node:worker_threads');
    const source = "const { parentPort, workerData } = require('node:worker_threads'); import(workerData).then(({ native }) => parentPort.postMessage(native().getrlimit(7)));";
    const limits = await Promise.all([1, 2].map(() => new Promise((resolve, reject) => {
      const worker = new Worker(source, { eval: true, execArgv: [], workerData: ${JSON.stringify(`${pathToFileURL(root).href}dist/src/sys/index.js`)} });
      worker.once('message', resolve).once('error', reject);
    })));
    console.log(limits.every((limit) => limit === native().getrlimit(7)));`,
  );
  assert.equal(await child.line(), 'true', child.errors());
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('functions that were given nonsense answer with an errno and touch no memory', async (t) => {
  const child = program(
    t,
    `
    const values = [undefined, null, -1, 0, 1e18, 'x', {}, [], new Uint8Array(0), new Int32Array(1), () => {}, Symbol('s')];
    // These reach other processes or files by number, or wait for ever.
    const dangerous = ['kill', 'sigqueue', 'close', 'awaitBlocking', 'pollerOpen', 'signalOwn', 'flock', 'ofdSetLock', 'fchmod', 'ftruncate', 'poll'];
    for (const [name, call] of Object.entries(native())) {
      if (typeof call !== 'function' || dangerous.includes(name) || name.startsWith('blocking')) continue;
      for (const value of values) {
        const bad = value === 0 || value === -1 ? Symbol('no number') : value;
        call(); call(bad); call(bad, bad); call(bad, bad, bad); call(bad, bad, bad, bad, bad, bad, bad, bad);
      }
    }
    console.log('alive');`,
  );
  assert.equal(await child.line(), 'alive', child.errors());
});

test('no two functions of the addon have the same name: the later one would take the place of the other', () => {
  const sources = readdirSync(join(root, 'native')).filter((name) => name.endsWith('.c'));
  const names = sources.flatMap((name) =>
    [...readFileSync(join(root, 'native', name), 'utf8').matchAll(/\{"(\w+)", \w+\}/g)].map(([, found]) => found),
  );
  assert.ok(names.length > 100);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});
