/** Rings that are found by a name: what else can have that name, and what is left of them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { receiver, sender } from '../../src/channel/index.js';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { sharedMemory } from '../../src/sysv/index.js';
import { openDescriptors } from '../support/descriptors.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { skip } from '../support/skips.js';

const QUICK = { timeoutMs: 20_000 };

/** A free key, whose segment and set are removed when the test is over. */
function freeKey(t: TestContext): number {
  const { key } = sharedMemory.create('random', { size: 1 });
  sharedMemory.remove(key);
  t.after(() => {
    for (const option of ['-M', '-S']) {
      try {
        execFileSync('ipcrm', [option, String(key)], { stdio: 'ignore' });
      } catch {
        // The test left none.
      }
    }
  });
  return key;
}

const hex = (key: number): string => `0x${key.toString(16)}`;

/** One message goes through; the ends are closed. */
async function works(url: string): Promise<void> {
  const [to, from] = await Promise.all([sender(url, QUICK), receiver(url, QUICK)]);
  await to.send(Buffer.from('hello'));
  assert.equal(String(await from.receive(QUICK)), 'hello');
  await to.close();
  assert.equal(await from.receive(QUICK), null);
  await from.close();
}

test('mmap: a file with something else in it is refused and left as it is', async (t) => {
  const path = join(temporaryFolder(t), 'file');
  for (const content of ['short', 'x'.repeat(10_000), '']) {
    writeFileSync(path, content);
    const before = openDescriptors().size;
    await assert.rejects(sender(`mmap:${path}`, QUICK), (why: { code?: string }) =>
      ['EPROTO', 'EBADMSG', 'ERR_INTERPROC_RANGE'].includes(why.code ?? ''),
    );
    assert.equal(readFileSync(path, 'utf8'), content);
    assert.equal(openDescriptors().size, before);
  }
});

test('mmap: what is no file, and what is planted, is refused', async (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string): string => join(folder, name);
  mkdirSync(at('folder'));
  execFileSync('mkfifo', [at('fifo')]);
  symlinkSync('target', at('dangling'));
  writeFileSync(at('file'), '');
  symlinkSync('file', at('link'));
  await assert.rejects(sender(`mmap:${at('folder')}`, QUICK), { code: 'EISDIR' });
  await assert.rejects(sender(`mmap:${at('fifo')}`, QUICK), {
    code: 'EINVAL',
    message: /a FIFO is no place for a ring/,
  });
  await assert.rejects(sender(`mmap:${at('dangling')}`, QUICK), { code: 'ELOOP' });
  await assert.rejects(sender(`mmap:${at('link')}`, QUICK), { code: 'ELOOP' });
  await assert.rejects(sender(`mmap:${at('none/ring')}`, QUICK), { code: 'ENOENT' });
  await assert.rejects(sender('mmap:', QUICK), { code: 'ERR_INTERPROC_URL' });
  assert.equal(existsSync(at('target')), false, 'nothing was made behind the link');
});

for (const scheme of ['mmap', 'posixshm']) {
  test(`${scheme}: memory of another user is refused unless it is asked for`, async (t) => {
    if (process.getuid?.() !== 0) return skip(t, 'root');
    const name = randomName('other');
    const path = scheme === 'mmap' ? join(temporaryFolder(t), name) : `/dev/shm/${name}`;
    const url = scheme === 'mmap' ? `mmap:${path}` : `posixshm:/${name}`;
    const left = new AbortController();
    const waiting = receiver(url, { signal: left.signal });
    waiting.catch(() => undefined);
    while (!existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
    chownSync(path, 65534, 65534);
    await assert.rejects(sender(url, QUICK), { code: 'EACCES', message: /belongs to user 65534/, hint: /\?anyowner/ });
    const to = await sender(`${url}?anyowner`, QUICK);
    const from = await waiting;
    await to.close();
    await from.close();
    assert.equal(existsSync(path), false);
  });
}

test('mmap: what a killed pair has left is replaced', async (t) => {
  const folder = temporaryFolder(t);
  const url = `mmap:${join(folder, 'ring')}`;
  const program = `
    import { receiver, sender } from ${JSON.stringify(new URL('../../src/channel/index.js', import.meta.url).href)};
    await Promise.all([sender(${JSON.stringify(url)}), receiver(${JSON.stringify(url)})]);
    process.kill(process.pid, 'SIGKILL');`;
  assert.throws(() => execFileSync(process.execPath, ['--input-type=module', '-e', program], { stdio: 'pipe' }), {
    signal: 'SIGKILL',
  });
  assert.deepEqual(readdirSync(folder), ['ring']);
  await works(url);
  assert.deepEqual(readdirSync(folder), []);
});

test('sysvshm: a path means the key that ftok makes of it', async (t) => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, '');
  await works(`sysvshm:${path}?id=7`);
  for (const url of ['sysvshm:ring', 'sysvshm:0', 'sysvshm:0x100000000', 'sysvshm:0x51?id=1']) {
    await assert.rejects(sender(url, QUICK), { code: 'ERR_INTERPROC_URL' }, url);
  }
});

test('sysvshm: a segment with something else in it is refused and left as it is', async (t) => {
  const key = freeKey(t);
  using segment = sharedMemory.create(key, { size: 10_000 });
  using memory = segment.attach();
  memory.bytes.fill(7);
  await assert.rejects(sender(`sysvshm:${hex(key)}`, QUICK), { code: 'EPROTO', message: /holds no ring/ });
  assert.ok(memory.bytes.every((byte) => byte === 7));
  assert.equal(segment.stat().attached, 1);
});

test('sysvshm: a segment whose maker died before it was done is finished', async (t) => {
  const key = freeKey(t);
  sharedMemory.create(key, { size: 1024 + 8192 }).close();
  await works(`sysvshm:${hex(key)}`);
  assert.throws(() => sharedMemory.open(key), { code: 'ENOENT' });
});

test('sysvshm: a semaphore set that cannot be a ring’s is refused', async (t) => {
  const key = freeKey(t);
  const script = `import sysv_ipc; sysv_ipc.Semaphore(${key - 2 ** 32 * Number(key >= 2 ** 31)}, sysv_ipc.IPC_CREX)`;
  try {
    execFileSync('/usr/bin/python3', ['-c', script], { stdio: 'pipe' });
  } catch (why) {
    if (process.env['CI']) throw why;
    return t.skip('sysv_ipc is not installed');
  }
  await assert.rejects(sender(`sysvshm:${hex(key)}`, QUICK), { code: 'EINVAL', message: /fewer than 3 semaphores/ });
});

test('sysvshm: a worker that is terminated lets go of its end, though its process lives', async (t) => {
  const url = `sysvshm:${hex(freeKey(t))}`;
  const code = `
    import { parentPort } from 'node:worker_threads';
    import { receiver } from ${JSON.stringify(new URL('../../src/channel/index.js', import.meta.url).href)};
    const from = await receiver(${JSON.stringify(url)});
    parentPort.postMessage('open');
    await from.receive();
    setInterval(() => from, 1e6);`;
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
    const [to] = await Promise.all([sender(url, QUICK), once(worker, 'message')]);
    await worker.terminate();
    const closed = await to.closed.catch((why: unknown) => why);
    assert.equal((closed as { code?: string }).code, 'EPIPE');
    await to.close();
  }
  await works(url);
});

test('sysvshm: when somebody removes its semaphores both ends hear of it, and the key can be used again', async (t) => {
  const key = freeKey(t);
  const url = `sysvshm:${hex(key)}`;
  const [to, from] = await Promise.all([sender(url, QUICK), receiver(url, QUICK)]);
  await to.send(Buffer.from('before'));
  await to.flush();
  execFileSync('ipcrm', ['-S', String(key)]);
  assert.equal(String(await from.receive(QUICK)), 'before', 'what was published is delivered');
  await assert.rejects(from.receive(QUICK), { code: 'ECONNRESET' });
  // An idle end does not keep the process alive, and this waits for nothing else.
  const alive = setInterval(() => undefined, 1000);
  await assert.rejects(to.closed, { code: 'EPIPE' });
  clearInterval(alive);
  await Promise.all([to.close().catch(() => undefined), from.close()]);
  await works(url);
});

test('fd: memory carries one ring, by whichever end comes first', async () => {
  using memory = mmap.anonymous(1024 + 4096);
  const url = `fd:${memory.fd}`;
  await works(url);
  await assert.rejects(sender(url, QUICK), { code: 'EBUSY', message: /carried a ring before/ });
  assert.ok(memory.fd >= 0);
  memory.checkIntact();
});

test('fd: memory that is too small, and options that do not go with it, are refused', async () => {
  using small = mmap.anonymous(1024 + 4095);
  await assert.rejects(sender(`fd:${small.fd}`, QUICK), { code: 'EINVAL', message: /too few for a ring/ });
  using memory = shm.memfd({ size: 10_000 });
  await assert.rejects(sender(`fd:${memory.fd}?raw`, QUICK), { code: 'ERR_INTERPROC_URL', message: /\?raw/ });
  await assert.rejects(sender(`fd:${memory.fd}?capacity=4096`, QUICK), { message: /capacity/ });
  using sealed = shm.memfd({ size: 10_000, seals: ['write'] });
  await assert.rejects(sender(`fd:${sealed.fd}`, QUICK), { code: 'EPERM' });
  using mapping = memory.map();
  mapping.bytes.fill(9);
  await assert.rejects(sender(`fd:${memory.fd}`, QUICK), { code: 'EPROTO' });
});
