import assert from 'node:assert/strict';
import { ftruncateSync, readFileSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { sharedMemory } from '../../src/sysv/index.js';
import { openDescriptors } from '../support/descriptors.js';
import { skip } from '../support/skips.js';

const COUNT = '/proc/sys/vm/nr_hugepages';
const meminfo = (key: string): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
const HUGE = meminfo('Hugepagesize') * 1024;

/** Sees to it that so many huge pages are free; what was changed is undone when the test is over. */
function withHugePages(t: TestContext, wanted: number): boolean {
  if (meminfo('HugePages_Free') >= wanted) return true;
  const before = readFileSync(COUNT, 'utf8');
  try {
    writeFileSync(COUNT, String(Number(before) + wanted));
  } catch {
    skip(t, 'hugePages');
    return false;
  }
  t.after(() => writeFileSync(COUNT, before));
  if (meminfo('HugePages_Free') >= wanted) return true;
  skip(t, 'hugePages');
  return false;
}

test('where there are no huge pages, ordinary ones are taken and it is said', (t) => {
  if (meminfo('HugePages_Free') > 0) return skip(t, 'noHugePages');
  const before = openDescriptors().size;
  {
    using memory = shm.memfd({ size: 10_000, hugePages: true });
    assert.equal(memory.pageSize, mmap.pageSize());
    assert.equal(memory.size, 10_000);
  }
  assert.throws(() => shm.memfd({ size: 10_000, hugePages: 'require' }), {
    name: 'IpcError',
    code: 'ENOMEM',
    syscall: 'memfd_create',
    message: /no huge pages for 10000 bytes/,
    hint: /nr_hugepages/,
  });
  assert.equal(openDescriptors().size, before);
});

test('memory in huge pages is rounded up to whole ones, mapped, sealed, and given back', (t) => {
  if (!withHugePages(t, 2)) return;
  const free = meminfo('HugePages_Free');
  {
    using memory = shm.memfd({ size: HUGE + 1, hugePages: 'require' });
    assert.equal(memory.pageSize, HUGE);
    assert.equal(memory.size, 2 * HUGE);
    assert.deepEqual(memory.seals, ['shrink', 'grow']);
    using mapping = memory.map();
    mapping.bytes[2 * HUGE - 1] = 1;
    using again = memory.map({ offset: HUGE });
    assert.equal(again.bytes[HUGE - 1], 1);
    assert.equal(meminfo('HugePages_Free'), free - 2);
  }
  assert.equal(meminfo('HugePages_Free'), free);
});

test('a fault in huge pages is caught, too', (t) => {
  if (!withHugePages(t, 2)) return;
  using memory = shm.memfd({ size: 2 * HUGE, hugePages: 'require', seals: [] });
  using mapping = memory.map();
  const { bytes } = mapping;
  bytes.fill(1);
  ftruncateSync(memory.fd, HUGE);
  assert.equal(bytes[5], 1);
  mapping.checkIntact();
  assert.equal(bytes[HUGE + 5], 0);
  bytes[HUGE + 5] = 1;
  assert.throws(() => mapping.bytes, { code: 'ERR_INTERPROC_TRUNCATED' });
});

// Here, since the tests of a file run one after the other, and huge pages are the machine's.
test('a System V segment of huge pages has the size that was asked for, reserves whole ones, and is detached whole', (t) => {
  if (!withHugePages(t, 2)) return;
  const [free, reserved] = [meminfo('HugePages_Free'), meminfo('HugePages_Rsvd')];
  const size = HUGE + 5000;
  using segment = sharedMemory.create('private', { size, hugePages: 'require' });
  try {
    assert.deepEqual([segment.size, segment.hugePages, segment.stat().size], [size, true, size]);
    assert.equal(meminfo('HugePages_Rsvd'), reserved + 2);
    const memory = segment.attach();
    const readable = segment.attach({ access: 'read' });
    memory.bytes[size - 1] = 7;
    assert.deepEqual(readable.read(size - 1, 1), Uint8Array.of(7));
    assert.equal(meminfo('HugePages_Free'), free - 1);
    assert.equal(segment.stat().attached, 2);
    memory.close();
    readable.close();
    assert.equal(segment.stat().attached, 0);
    assert.equal(sharedMemory.fromId(segment.id).hugePages, undefined, 'the kernel does not tell');
    const more = { size: HUGE * (free + 1) };
    assert.throws(() => sharedMemory.create('private', { ...more, hugePages: 'require' }), {
      code: 'ENOMEM',
      syscall: 'shmget(SHM_HUGETLB)',
      hint: /nr_hugepages/,
    });
    using ordinary = sharedMemory.create('private', { ...more, hugePages: true });
    ordinary.remove();
    assert.equal(ordinary.hugePages, false);
  } finally {
    segment.remove();
  }
  assert.deepEqual([meminfo('HugePages_Free'), meminfo('HugePages_Rsvd')], [free, reserved]);
});
