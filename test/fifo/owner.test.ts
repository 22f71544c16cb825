import assert from 'node:assert/strict';
import { chownSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as fifo from '../../src/fifo/index.js';
import { native } from '../../src/sys/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { attempt } from '../support/elsewhere.js';
import { stateOf, syscallOf, threadsOf, until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer, skip } from '../support/skips.js';
import { newFifo, openFolder } from './support.js';

const SYS_OPENAT = process.arch === 'x64' ? 257 : 56;
const UID = process.getuid?.() ?? 0;

function opening(): boolean {
  const { pid } = process;
  return threadsOf(pid).some((thread) => stateOf(pid, thread) === 'S' && syscallOf(pid, thread) === SYS_OPENAT);
}

type Open = (path: string, options: fifo.OpenOptions) => unknown;

const OPENS: Record<string, Open> = {
  openReader: (path, options) => fifo.openReader(path, options),
  openReaderSync: async (path, options) => fifo.openReaderSync(path, options),
  tryOpenReader: async (path, options) => fifo.tryOpenReader(path, options),
  openWriter: (path, options) => fifo.openWriter(path, options),
  openWriterSync: async (path, options) => fifo.openWriterSync(path, options),
  tryOpenWriter: async (path, options) => fifo.tryOpenWriter(path, options),
  openReadWrite: async (path, options) => fifo.openReadWrite(path, options),
};

test('a FIFO of another owner than the one that was asked for is refused by every way in, without having been opened', async (t) => {
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  const message = new RegExp(`belongs to the user ${UID} and not to ${UID + 1}`);
  const refused = { name: 'IpcError', code: 'EACCES', syscall: 'open', path, message, hint: /option owner/ };
  for (const open of Object.values(OPENS)) {
    await assert.rejects(open(path, { owner: UID + 1 }) as Promise<unknown>, refused);
  }
  assert.equal(fifo.tryOpenWriter(path), undefined, 'nobody is left who reads');
  assert.equal(countDescriptors(), before);
});

test('one’s own FIFO is opened by every way in, by the word self and by the uid', async (t) => {
  const path = newFifo(t);
  using _both = fifo.openReadWrite(path, { owner: 'self' });
  for (const open of Object.values(OPENS)) {
    for (const owner of ['self', UID] as const) ((await open(path, { owner })) as fifo.PipeReader).close();
  }
});

test('a FIFO that somebody else has planted is refused where the own one is expected', async (t) => {
  const folder = openFolder(t, 0o1777);
  const path = join(folder, 'planted');
  const planted = await attempt(t, { asNobody: true }, [['fifo.create', path, { mode: 0o666 }]]);
  if (planted === undefined) return;
  assert.equal(planted[0]?.code, undefined);
  await assert.rejects(fifo.openReader(path, { owner: 'self' }), {
    code: 'EACCES',
    message: /user 65534 and not to 0/,
  });
  fifo.tryOpenReader(path, { owner: 65534 }).close();
});

test('a FIFO that another owner gets while it is being opened is refused when it is open', async (t) => {
  if (UID !== 0) return skip(t, 'root');
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  const open = fifo.openReader(path, { owner: 'self' });
  const refused = assert.rejects(open, { code: 'EACCES', message: /user 65534 and not to 0/ });
  await until('it waits in open(2)', opening);
  chownSync(path, 65534, 65534);
  fifo.openReadWrite(path).close();
  await refused;
  assert.equal(countDescriptors(), before);
});

test('what gets into the place of the FIFO between the look and the open is refused, and closed again', (t) => {
  openPoller();
  const path = newFifo(t);
  const before = countDescriptors();
  const { open } = native();
  for (const way of [fifo.tryOpenReader, fifo.tryOpenWriter, fifo.openReadWrite]) {
    t.mock.method(native(), 'open', (...args: Parameters<typeof open>) => {
      rmSync(path);
      writeFileSync(path, 'not a FIFO');
      return open(...args);
    });
    assert.throws(() => way(path), { code: 'EINVAL', syscall: 'open', path, message: /no FIFO but a regular file/ });
    t.mock.reset();
    rmSync(path);
    fifo.create(path);
  }
  assert.equal(countDescriptors(), before);
});

test('no open follows a symbolic link that is put there after the look, and each is close-on-exec', async (t) => {
  if (!peer(t, 'strace')) return;
  const path = newFifo(t);
  const calls = Object.keys(OPENS)
    .filter((name) => name !== 'openReadWrite')
    .map((name) => [`fifo.${name}`, path]);
  const program = fileURLToPath(new URL('../fixtures/attempts.js', import.meta.url));
  const words = [program, JSON.stringify([['fifo.openReadWrite', path], ...calls])];
  const traced = start(t, 'strace', ['-f', '-qq', '-e', 'trace=openat', process.execPath, ...words]);
  assert.deepEqual(JSON.parse(await traced.line()), Array(7).fill({ value: {} }));
  await traced.ended;
  const opens = traced
    .errors()
    .split('\n')
    .filter((line) => line.includes(JSON.stringify(path)));
  assert.equal(opens.length, 7);
  for (const line of opens) assert.match(line, /O_NOFOLLOW\|.*O_CLOEXEC|O_CLOEXEC.*\|O_NOFOLLOW/, line);
});

test('what cannot be meant as an option of an open is refused', async (t) => {
  const path = newFifo(t);
  for (const open of Object.values(OPENS)) {
    const wrong = (options: unknown, code: string, message: RegExp): Promise<void> =>
      assert.rejects(open(path, options as fifo.OpenOptions) as Promise<unknown>, { code, message });
    await wrong({ owner: 'root' }, 'ERR_INTERPROC_ARGUMENT', /owner must be 'self' or a uid, got 'root'/);
    await wrong({ owner: -1 }, 'ERR_INTERPROC_RANGE', /owner must be a whole number/);
    await wrong({ owner: null }, 'ERR_INTERPROC_ARGUMENT', /owner must be a number/);
    await wrong({ onwer: 'self' }, 'ERR_INTERPROC_ARGUMENT', /unknown option 'onwer' \(did you mean owner\?\)/);
  }
  const reopen = { code: 'ERR_INTERPROC_ARGUMENT', message: /reopen must be true or false, got 1/ };
  assert.throws(() => fifo.tryOpenReader(path, { reopen: 1 } as never), reopen);
  assert.throws(() => fifo.tryOpenWriter(path, { reopen: true } as never), /unknown option 'reopen'/);
});
