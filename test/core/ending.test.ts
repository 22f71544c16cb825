/** What becomes of pending waits when the worker or the process ends, and what they keep alive. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { check } from '../../src/core/errors.js';
import { native } from '../../src/sys/index.js';
import { countDescriptors, openDescriptors } from '../support/descriptors.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import type { Wanted } from './programs/waits.js';

const folder = mkdtempSync(join(tmpdir(), 'ip-ending-'));
after(() => rmSync(folder, { recursive: true, force: true }));
check(native().mkfifo(join(folder, 'fifo'), 0o600), 'mkfifo');

const WAITS = new URL('./programs/waits.js', import.meta.url);
const ASYNC_KINDS = ['descriptor', 'watch', 'open', 'lock', 'connect', 'futex'];

/** A worker that waits. */
async function waiter(kinds: string[]): Promise<Worker> {
  const workerData: Wanted = { kinds, folder, exit: false };
  const worker = new Worker(WAITS, { workerData });
  await once(worker, 'message');
  return worker;
}

async function rounds(kinds: string[], count: number): Promise<void> {
  await (await waiter(kinds)).terminate(); // what is made once for the process is made
  const before = countDescriptors();
  for (let round = 0; round < count; round += 2) {
    const workers = await Promise.all([waiter(kinds), waiter(kinds)]);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  await until('the descriptors of the workers are closed', () => countDescriptors() <= before);
}

test('worker.terminate() in descriptor waits and blocked calls of every kind, 50 rounds, two at once', () =>
  rounds(ASYNC_KINDS, 50));

for (const kind of ['sync', 'syncOpen']) {
  test(`worker.terminate() in a blocking wait (${kind}), 20 rounds, two at once`, () => rounds([kind], 20));
}

/** Open descriptors, without the modules that Node was reading when it was told to stop: those it leaves open. */
function withoutModules(): string[] {
  return [...openDescriptors().values()].filter((name) => !name.endsWith('.js'));
}

test('worker.terminate() at any moment, also before anything is waited for, 20 rounds', async () => {
  await (await waiter(ASYNC_KINDS)).terminate();
  const before = withoutModules().length;
  for (let round = 0; round < 20; round++) {
    const worker = new Worker(WAITS, { workerData: { kinds: ASYNC_KINDS, folder, exit: false } satisfies Wanted });
    if (round % 2 === 0) await once(worker, 'online');
    await worker.terminate();
  }
  try {
    await until('the descriptors of the workers are closed', () => withoutModules().length <= before);
  } catch (why) {
    throw new Error(`open are ${withoutModules().join(', ')}`, { cause: why });
  }
});

test('a descriptor that a worker has made and that no handle holds yet is closed with the worker', async () => {
  const { pathname } = new URL('../../src/sys/index.js', import.meta.url);
  const source = `import(${JSON.stringify(pathname)}).then(({ native, SOCK_STREAM }) => {
    const ends = new Int32Array(128);
    native().eventfd(0, 0);
    native().open('/dev/null', 0, 0);
    native().socket(SOCK_STREAM);
    native().pipe2(ends, 0);
    native().socketpair(SOCK_STREAM, ends);
    require('node:worker_threads').parentPort.postMessage('made');
    setInterval(() => {}, 1000);
  });`;
  const run = async (): Promise<void> => {
    const worker = new Worker(source, { eval: true });
    await once(worker, 'message');
    await worker.terminate();
  };
  await run();
  const before = countDescriptors();
  await run();
  await until('they are closed', () => countDescriptors() <= before);
});

test('process.exit() in a worker ends its waits and leaves no descriptor', async () => {
  const before = countDescriptors();
  const worker = new Worker(WAITS, { workerData: { kinds: ASYNC_KINDS, folder, exit: true } satisfies Wanted });
  assert.deepEqual(await once(worker, 'exit'), [7]);
  await until('the descriptors of the worker are closed', () => countDescriptors() <= before);
});

function program(
  t: TestContext,
  source: string,
  args: string[] = [],
  env: NodeJS.ProcessEnv = {},
): ReturnType<typeof start> {
  const preamble = `
    const { native, ...sys } = await import(${JSON.stringify(new URL('../../src/sys/index.js', import.meta.url))});
    const { Counter } = await import(${JSON.stringify(new URL('./support.js', import.meta.url))});
    const { callBlocking } = await import(${JSON.stringify(new URL('../../src/core/blocking.js', import.meta.url))});
    const { watchEdges } = await import(${JSON.stringify(new URL('../../src/core/readiness.js', import.meta.url))});
    const fifo = ${JSON.stringify(join(folder, 'fifo'))};
    const open = (options, owner) => callBlocking((token) => native().blockingOpen(token, fifo, 0, 0), options, { syscall: 'open' }, owner);
  `;
  return start(t, process.execPath, [...args, '--input-type=module', '-e', preamble + source], { env });
}

for (const kind of ASYNC_KINDS) {
  test(`process.exit() during a wait (${kind}) exits at once`, async (t) => {
    const wanted: Wanted = { kinds: [kind], folder, exit: true };
    const child = start(t, process.execPath, [fileURLToPath(WAITS), JSON.stringify(wanted)]);
    assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
  });
}

test('process.exit() while workers wait in every way exits at once', async (t) => {
  const child = program(
    t,
    `
    const { Worker } = await import('node:worker_threads');
    const { once } = await import('node:events');
    const kinds = [${JSON.stringify(ASYNC_KINDS)}, ['sync'], ['syncOpen']];
    for (const each of kinds) {
      const worker = new Worker(new URL(${JSON.stringify(WAITS)}), { execArgv: [], workerData: { kinds: each, folder: ${JSON.stringify(folder)}, exit: false } });
      await once(worker, 'message');
    }
    process.exit(7);`,
  );
  assert.deepEqual(await child.ended, { code: 7, signal: null }, child.errors());
});

test('the addon loaded in a worker only: the process goes on after the worker, and ends at once', async (t) => {
  const child = program(
    t,
    `
    const { Worker } = await import('node:worker_threads');
    const { once } = await import('node:events');
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(new URL(${JSON.stringify(WAITS)}), { execArgv: [], workerData: { kinds: ${JSON.stringify(ASYNC_KINDS)}, folder: ${JSON.stringify(folder)}, exit: false } });
      await once(worker, 'message');
      await worker.terminate();
    }
    console.log('done');`,
  );
  assert.equal(await child.line(), 'done');
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('a pending wait keeps the process alive until it is over', async (t) => {
  const child = program(
    t,
    `
    const counter = new Counter();
    counter.take().then(() => console.log('taken'));
    process.stdin.once('data', () => counter.ring()).unref();
    console.log('waiting');`,
  );
  assert.equal(await child.line(), 'waiting');
  child.say('ring');
  assert.equal(await child.line(), 'taken');
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('an open handle, a handle that was unref()ed, and a watch do not keep the process alive', async (t) => {
  const child = program(
    t,
    `
    const idle = new Counter();
    const released = new Counter().unref();
    released.take({ timeoutMs: 3600_000 });
    open({ timeoutMs: 3600_000 }, released);
    watchEdges(new Counter().fd, 1, () => {});
    const later = new Counter();
    later.take();
    later.take();
    later.unref().ref().unref();
    console.log(idle.hasRef(), released.hasRef(), later.hasRef());`,
  );
  assert.equal(await child.line(), 'true false false');
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('a time-out keeps its word where only the wait keeps the process alive', async (t) => {
  const child = program(t, `await new Counter().take({ timeoutMs: 30 }).catch((why) => console.log(why.code));`);
  assert.equal(await child.line(), 'ETIMEDOUT');
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('what user code throws after a wait, or in a watch, is an uncaughtException, and others are told all the same', async (t) => {
  const child = program(
    t,
    `
    process.on('uncaughtException', (why, origin) => console.log(why.message, origin));
    const [first, second, third, last] = [new Counter(), new Counter(), new Counter(), new Counter()];
    first.take().then(() => { throw new Error('after a wait'); });
    watchEdges(second.fd, 1, () => { throw new Error('in a watch'); });
    const waits = [third.take(), open({ timeoutMs: 20 }).catch(() => {})];
    for (const each of [first, second, third]) each.ring();
    await Promise.all(waits);
    last.take().then(() => console.log('all told'));
    last.ring();`,
  );
  const said = [await child.line(), await child.line(), await child.line()];
  assert.deepEqual(said.sort(), ['after a wait unhandledRejection', 'all told', 'in a watch uncaughtException']);
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('an exception in a watch that nobody handles ends the process with its stack', async (t) => {
  const child = program(
    t,
    `
    const counter = new Counter();
    watchEdges(counter.fd, 1, () => { throw new Error('nobody handles this'); });
    new Counter().take();
    counter.ring();`,
  );
  assert.equal((await child.ended).code, 1);
  assert.match(child.errors(), /nobody handles this/);
});

test('blocked calls use none of libuv’s threads: with one of them and 20 calls, files are still read', async (t) => {
  const child = program(
    t,
    `
    const { readFile } = await import('node:fs/promises');
    const controller = new AbortController();
    const waits = Promise.allSettled(Array.from({ length: 20 }, () => open({ signal: controller.signal })));
    for (let round = 0; round < 10; round++) await readFile('/proc/self/stat');
    console.log('read');
    controller.abort();
    console.log(new Set((await waits).map((each) => each.reason.code)));`,
    [],
    { UV_THREADPOOL_SIZE: '1' },
  );
  assert.equal(await child.line(), 'read');
  assert.equal(await child.line(), "Set(1) { 'ABORT_ERR' }");
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('a call is interrupted even where no more signals can be queued', async (t) => {
  if (!peer(t, 'prlimit')) return;
  const child = start(t, 'prlimit', [
    '--sigpending=0',
    process.execPath,
    '--input-type=module',
    '-e',
    `
    const { native } = await import(${JSON.stringify(new URL('../../src/sys/index.js', import.meta.url))});
    const { callBlocking } = await import(${JSON.stringify(new URL('../../src/core/blocking.js', import.meta.url))});
    const path = ${JSON.stringify(join(folder, 'fifo'))};
    for (let round = 0; round < 20; round++) {
      await callBlocking((token) => native().blockingOpen(token, path, 0, 0), { timeoutMs: round }, { syscall: 'open' }).catch((why) => why.code === 'ETIMEDOUT' || console.log(why));
    }
    console.log('all interrupted');`,
  ]);
  assert.equal(await child.line(), 'all interrupted');
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('a handle that is only garbage collected is closed, with a warning', async (t) => {
  const child = program(
    t,
    `
    process.on('warning', (warning) => console.log(warning.name, warning.code, warning.message));
    const { openDescriptors } = await import(${JSON.stringify(new URL('../support/descriptors.js', import.meta.url))});
    const counting = () => [...openDescriptors().values()].filter((name) => name.includes('eventfd')).length;
    const keep = new Counter();
    const before = counting();
    let fd = 0;
    await (async () => { const lost = new Counter(); fd = lost.fd; lost.ring(); await lost.take(); })();
    const closed = new Counter(); closed.close();
    while (counting() > before) { globalThis.gc(); await new Promise(setImmediate); }
    await new Promise(setImmediate);
    console.log(fd, keep.closed);`,
    ['--expose-gc'],
  );
  const warning = await child.line();
  const fd =
    /^InterprocWarning INTERPROC_NOT_CLOSED the counter was garbage collected without close\(\); its descriptor (\d+) is closed now$/.exec(
      warning,
    )?.[1];
  assert.equal(await child.line(), `${fd} false`, warning);
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
});

test('a handle with a pending wait is not garbage collected', async (t) => {
  const child = program(
    t,
    `
    process.on('warning', (warning) => console.log(warning.message));
    let fd;
    const wait = (() => { const counter = new Counter(); fd = counter.fd; return counter.take(); })();
    for (let turn = 0; turn < 20; turn++) { globalThis.gc(); await new Promise(setImmediate); }
    native().eventfdRing(fd);
    console.log(await wait);
    process.exit();`,
    ['--expose-gc'],
  );
  assert.equal(await child.line(), 'true');
});

test('the descriptors of this test file are all closed', async () => {
  await until('none of its kinds is open but what waits use', () => {
    const names = [...openDescriptors().values()];
    return !names.some((name) => name.startsWith(folder));
  });
});
