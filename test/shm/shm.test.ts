import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as shm from '../../src/shm/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { attempt } from '../support/elsewhere.js';
import { randomName } from '../support/folder.js';
import { start } from '../support/program.js';
import { skip } from '../support/skips.js';
import { memoryName, newMemory, text } from './support.js';

const FOLDER = '/dev/shm';

test('create makes an object of the size asked, zero-filled, private and close-on-exec', (t) => {
  const name = memoryName(t);
  using memory = shm.create(name, { size: 10_000 });
  const status = statSync(FOLDER + name);
  assert.equal(memory.size, 10_000);
  assert.equal(status.size, 10_000);
  assert.equal(status.mode & 0o7777, 0o600);
  assert.equal(status.uid, process.geteuid?.());
  assert.ok(status.blocks * 512 >= 10_000, 'the memory is really there');
  assert.equal(memory.created, true);
  assert.ok(flagsOf(memory.fd) & 0o2000000, 'O_CLOEXEC');
  using mapping = memory.map();
  assert.ok(mapping.bytes.every((byte) => byte === 0));
  assert.match(
    inspect(memory),
    new RegExp(`^SharedMemory \\{\\s+name: '${name}',\\s+access: 'read-write',\\s+fd: \\d+,\\s+closed: false\\s+\\}$`),
  );
});

test('the mode is exactly what was asked for, whatever the umask', (t) => {
  const before = process.umask();
  try {
    for (const umask of [0o077, 0, 0o777]) {
      process.umask(umask);
      for (const mode of [0o600, 0o666, 0o640]) {
        const { name } = newMemory(t, 1, mode);
        assert.equal(statSync(FOLDER + name).mode & 0o7777, mode);
      }
    }
  } finally {
    process.umask(before);
  }
});

test('create refuses a name that is taken, open one that is not, and openOrCreate neither', (t) => {
  const name = memoryName(t);
  assert.throws(() => shm.open(name), {
    name: 'IpcError',
    code: 'ENOENT',
    errno: -2,
    syscall: 'shm_open',
    object: name,
    hint: /openOrCreate/,
  });
  using first = shm.openOrCreate(name, { size: 100 });
  assert.equal(first.created, true);
  assert.throws(() => shm.create(name, { size: 100 }), { code: 'EEXIST', syscall: 'shm_open', hint: /open\(\) uses/ });
  using second = shm.openOrCreate(name, { size: 200 });
  assert.equal(second.created, false);
  assert.equal(second.size, 100, 'an object keeps its size');
});

test('of several processes that make an object at once, exactly one makes it, and nobody sees a half-made one', async (t) => {
  const name = memoryName(t);
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, () =>
      attempt(t, {}, [['shm.create', name, { size: 1e6 }], ['shm.openOrCreate', name, { size: 1e6 }], ['$1.size']]),
    ),
  );
  assert.equal(outcomes.filter((one) => one?.[0]?.code === undefined).length, 1);
  assert.ok(outcomes.every((one) => one?.[0]?.code === undefined || one[0].code === 'EEXIST'));
  assert.ok(outcomes.every((one) => one?.[2]?.value === 1e6));
});

test('what prepare writes is there before anybody can open the object; if it throws, nothing is made', (t) => {
  const name = memoryName(t);
  let during = true;
  shm
    .create(name, {
      size: 100,
      prepare(memory) {
        during = existsSync(FOLDER + name);
        memory.bytes.set(new TextEncoder().encode('ready'));
      },
    })
    .close();
  assert.equal(during, false);
  using memory = shm.open(name);
  using mapping = memory.map();
  assert.equal(text(mapping.bytes.subarray(0, 5)), 'ready');
  const other = memoryName(t);
  openPoller();
  const before = countDescriptors();
  const why = new Error('not today');
  assert.throws(
    () =>
      shm.create(other, {
        size: 100,
        prepare: () => {
          throw why;
        },
      }),
    why,
  );
  assert.equal(existsSync(FOLDER + other), false);
  assert.equal(countDescriptors(), before);
});

test('a name is one slash and up to 255 other bytes', () => {
  const calls = [
    (name: string) => shm.create(name, { size: 1 }),
    shm.open,
    (name: string) => shm.openOrCreate(name, { size: 1 }),
    shm.unlink,
  ];
  for (const name of ['', 'x', '/', '//', '/a/b', '/../x', '/a\0b', '/.', '/..', undefined, 7] as string[]) {
    for (const call of calls) {
      assert.throws(() => call(name), { name: 'TypeError', code: /^ERR_INTERPROC_(NAME|ARGUMENT)$/ });
    }
  }
  const longest = `/${randomName('ip')}${'x'.repeat(255)}`.slice(0, 256);
  shm.create(longest, { size: 1 }).close();
  shm.unlink(longest);
  for (const call of calls) assert.throws(() => call(`${longest}x`), { code: 'ENAMETOOLONG' });
  assert.throws(() => shm.open(`${longest}x`), { hint: /255/ });
});

test('options that cannot be meant are refused before anything is made, also where the object exists', (t) => {
  const { name } = newMemory(t);
  for (const call of [shm.create, shm.openOrCreate]) {
    for (const size of [0, -1, 1.5, 2 ** 53, Number.NaN]) {
      assert.throws(() => call(name, { size }), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /size/ });
    }
    assert.throws(() => call(name, {} as never), {
      name: 'TypeError',
      code: 'ERR_INTERPROC_ARGUMENT',
      message: /size/,
    });
    assert.throws(() => call(name, undefined as never), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
    assert.throws(() => call(name, { size: 1, mode: -1 }), { code: 'ERR_INTERPROC_RANGE', message: /mode/ });
    assert.throws(() => call(name, { size: 1, prepare: 1 as never }), {
      code: 'ERR_INTERPROC_ARGUMENT',
      message: /prepare/,
    });
    assert.throws(() => call(name, { size: 1, length: 1 } as never), /unknown option 'length'/);
  }
});

test('a symbolic link, a folder and a FIFO in place of the object are refused, and stay untouched', (t) => {
  const target = `/tmp/${randomName('target')}`;
  const link = memoryName(t);
  symlinkSync(target, FOLDER + link);
  assert.throws(() => shm.open(link), {
    code: 'ELOOP',
    syscall: 'shm_open',
    object: link,
    hint: /links are not followed/,
  });
  assert.throws(() => shm.create(link, { size: 1 }), { code: 'EEXIST' });
  assert.throws(() => shm.openOrCreate(link, { size: 1 }), { code: 'ELOOP' });
  assert.equal(existsSync(target), false);
  const fifo = memoryName(t);
  execFileSync('mkfifo', [FOLDER + fifo]);
  assert.throws(() => shm.open(fifo), { code: 'EINVAL', message: /no shared memory/ });
  const folder = memoryName(t);
  mkdirSync(FOLDER + folder);
  assert.throws(() => shm.open(folder), { code: 'EISDIR' });
  assert.throws(() => shm.unlink(folder), { code: 'EISDIR' });
  rmSync(FOLDER + folder, { recursive: true });
});

test('the mode keeps another user out, and in a sticky /dev/shm only the owner removes the object', async (t) => {
  const closed = newMemory(t);
  const readable = newMemory(t, 4096, 0o644);
  const outcomes = await attempt(t, { asNobody: true }, [
    ['shm.open', closed.name],
    ['shm.openOrCreate', closed.name, { size: 1 }],
    ['shm.open', readable.name],
    ['shm.create', closed.name, { size: 1 }],
    ['shm.unlink', closed.name],
  ]);
  if (outcomes === undefined) return;
  for (const refused of outcomes.slice(0, 3)) {
    assert.equal(refused.code, 'EACCES');
    assert.equal(refused.syscall, 'shm_open');
    assert.match(refused.hint ?? '', /belongs to somebody else/);
  }
  assert.equal(outcomes[3]?.code, 'EEXIST');
  assert.match(outcomes[4]?.code ?? '', /^(EPERM|EACCES)$/);
  assert.match(outcomes[4]?.hint ?? '', /only the owner/);
  assert.ok(existsSync(FOLDER + closed.name));
});

test('a full /dev/shm is ENOSPC at creation, with nothing left behind', async (t) => {
  const own = { unshared: ['mount'], before: 'mount -t tmpfs -o size=1m,mode=1777 none /dev/shm' } as const;
  const outcomes = await attempt(t, own, [
    ['shm.create', '/large', { size: 10_000_000 }],
    ['shm.open', '/large'],
    ['shm.create', '/fits', { size: 900_000 }],
    ['shm.create', '/no-more', { size: 900_000 }],
    ['shm.openOrCreate', '/no-more', { size: 900_000 }],
    ['$2.close'],
    ['shm.unlink', '/fits'],
    ['shm.create', '/no-more', { size: 900_000 }],
  ]);
  if (outcomes === undefined) return;
  for (const refused of [outcomes[0], outcomes[3], outcomes[4]]) {
    assert.equal(refused?.code, 'ENOSPC');
    assert.equal(refused?.syscall, 'fallocate');
    assert.match(refused?.hint ?? '', /\/dev\/shm/);
  }
  assert.equal(outcomes[1]?.code, 'ENOENT');
  assert.equal(outcomes[2]?.code, undefined);
  assert.equal(outcomes[7]?.code, undefined, 'what failed holds no memory');
});

test('the limits of files and of descriptors are EFBIG and EMFILE, and the hints name them', async (t) => {
  const name = memoryName(t);
  const large = await attempt(t, { limits: ['--fsize=5000'] }, [
    ['shm.create', name, { size: 5001 }],
    ['shm.memfd', { size: 5001 }],
    ['shm.create', name, { size: 5000 }],
  ]);
  for (const refused of large?.slice(0, 2) ?? []) {
    assert.equal(refused.code, 'EFBIG');
    assert.match(refused.hint ?? '', /RLIMIT_FSIZE/);
  }
  assert.equal(large?.[2]?.code, undefined);
  const many = await attempt(t, { limits: ['--nofile=128'] }, [
    ['*shm.open', name],
    ['shm.create', '/never', { size: 1 }],
    ['shm.memfd', { size: 1 }],
  ]);
  assert.deepEqual(
    many?.map((one) => one.code),
    ['EMFILE', 'EMFILE', 'EMFILE'],
  );
  for (const refused of many ?? []) assert.match(refused.hint ?? '', /RLIMIT_NOFILE/);
});

test('unlink takes the name at once, the memory lives on where it is used, and a new one of this name is another', (t) => {
  const name = memoryName(t);
  using memory = shm.create(name, { size: 10 });
  using mapping = memory.map();
  mapping.bytes[0] = 42;
  shm.unlink(name);
  assert.throws(() => shm.open(name), { code: 'ENOENT' });
  assert.throws(() => shm.unlink(name), { code: 'ENOENT', syscall: 'shm_unlink', object: name, hint: /no object/ });
  using fresh = shm.create(name, { size: 10 });
  using other = fresh.map();
  assert.equal(other.bytes[0], 0);
  using again = memory.map();
  assert.equal(again.bytes[0], 42);
});

test('after close everything but close is refused, mappings stay, and the descriptor is gone', (t) => {
  openPoller();
  const before = countDescriptors();
  const name = memoryName(t);
  const memory = shm.create(name, { size: 10 });
  using mapping = memory.map();
  memory.close();
  memory.close();
  assert.equal(countDescriptors(), before);
  const closed = { code: 'ERR_INTERPROC_CLOSED', message: `the shared memory ${name} is closed` };
  assert.throws(() => memory.size, closed);
  assert.throws(() => memory.map(), closed);
  assert.throws(() => memory.seals, closed);
  assert.throws(() => memory.seal('grow'), closed);
  mapping.bytes[0] = 9;
  assert.equal(readFileSync(FOLDER + name)[0], 9);
});

test('an object whose creator was killed is there for the next one', async (t) => {
  const name = memoryName(t);
  const code = `import mmap, os, sys
fd = os.open('/dev/shm' + sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600); os.ftruncate(fd, 100)
mmap.mmap(fd, 100)[0:4] = b'left'; os.kill(os.getpid(), 9)`;
  await start(t, 'python3', ['-c', code, name]).ended;
  using memory = shm.openOrCreate(name, { size: 100 });
  assert.equal(memory.created, false);
  using mapping = memory.map();
  assert.equal(text(mapping.bytes.subarray(0, 4)), 'left');
});

test('an empty object, as shm_open(3) alone makes it, is refused where it would be mapped', (t) => {
  const memory = newMemory(t);
  truncateSync(FOLDER + memory.name, 0);
  assert.equal(memory.size, 0);
  assert.throws(() => memory.map(), { name: 'RangeError', message: /is empty: there is nothing to map/ });
  truncateSync(FOLDER + memory.name, 100);
  using mapping = memory.map();
  assert.equal(mapping.byteLength, 100);
});

test('children do not inherit an object unless they are given it', (t) => {
  const { name } = newMemory(t);
  assert.ok(!execFileSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' }).includes(name));
  assert.ok(readdirSync(FOLDER).includes(name.slice(1)));
});

test('an object of another user is refused where ours is expected', (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const memory = newMemory(t);
  shm.open(memory.name, { owner: 'self' }).close();
  chownSync(`/dev/shm${memory.name}`, 65534, 65534);
  const refused = {
    code: 'EACCES',
    object: memory.name,
    message: /belongs to the user 65534 and not to 0/,
    hint: /owner/,
  };
  assert.throws(() => shm.open(memory.name, { owner: 'self' }), refused);
  assert.throws(() => shm.openOrCreate(memory.name, { size: 4096, owner: 'self' }), refused);
  shm.open(memory.name, { owner: 65534 }).close();
  shm.open(memory.name).close();
  assert.throws(() => shm.open(memory.name, { owner: 'me' as never }), { name: 'TypeError', message: /owner must be/ });
});
