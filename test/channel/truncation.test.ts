import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { receiver, sender } from '../../src/channel/index.js';
import { anonymous } from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';

let number = 0;
const fresh = (): string => `/interproc-cut-${process.pid}-${number++}`;
const cut = (name: string, size: number): void => {
  execFileSync('truncate', ['-s', String(size), `/dev/shm${name}`]);
};

test('memory that another process cuts reads zeros, the process lives, and the next check throws', () => {
  const name = fresh();
  using object = shm.create(name, { size: 65536 });
  try {
    using memory = object.map();
    memory.bytes.fill(7);
    memory.checkIntact();
    cut(name, 4096);
    assert.equal(memory.bytes[100], 7);
    memory.checkIntact();
    assert.equal(memory.bytes[60000], 0);
    assert.throws(() => memory.checkIntact(), { code: 'ERR_INTERPROC_TRUNCATED' });
    using other = anonymous(4096);
    other.checkIntact();
  } finally {
    shm.unlink(name);
  }
});

test('a fault elsewhere does not make an intact mapping look cut', () => {
  const [first, second] = [fresh(), fresh()];
  using one = shm.create(first, { size: 8192 });
  using two = shm.create(second, { size: 8192 });
  try {
    using cutOne = one.map();
    using intact = two.map();
    cut(first, 0);
    assert.equal(cutOne.bytes[0], 0);
    intact.checkIntact();
    assert.throws(() => cutOne.checkIntact(), { code: 'ERR_INTERPROC_TRUNCATED' });
  } finally {
    shm.unlink(first);
    shm.unlink(second);
  }
});

test('a ring whose object is cut in the middle of a stream is an error to both ends, 50 times', async () => {
  for (let round = 0; round < 50; round++) {
    const name = fresh();
    const [to, from] = await Promise.all([sender(`posixshm:${name}`), receiver(`posixshm:${name}`)]);
    const message = new Uint8Array(3000).fill(5);
    for (let index = 0; index < round; index++) await to.send(message);
    await to.flush();
    cut(name, round % 2 === 0 ? 0 : 300_000);
    const receiving = (async () => {
      for (;;) {
        const received = await from.receive();
        assert.ok(
          received?.every((byte) => byte === 5),
          'no zeros were delivered',
        );
      }
    })();
    const sending = (async () => {
      for (;;) await to.send(message);
    })();
    const [received, sent] = await Promise.allSettled([receiving, sending]);
    const codes = [received, sent].map((end) =>
      end.status === 'rejected' ? (end.reason as { code: string }).code : 'fulfilled',
    );
    for (const code of codes)
      assert.ok(['ERR_INTERPROC_TRUNCATED', 'EBADMSG'].includes(code), `round ${round}: ${codes}`);
    await to.close();
    await from.close();
    assert.ok(!existsSync(`/dev/shm${name}`), 'the name is gone');
  }
});

test('a sealed memfd cannot be cut at all', () => {
  using memory = shm.memfd({ size: 8192 });
  assert.throws(
    () => execFileSync('truncate', ['-s', '0', `/proc/${process.pid}/fd/${memory.fd}`], { stdio: 'pipe' }),
    /not permitted/,
  );
});
