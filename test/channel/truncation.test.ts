import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { receiver, sender } from '../../src/channel/index.js';
import { anonymous } from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { cut as cutBy, nth, startCutter } from '../support/cutting.js';
import { randomName, temporaryFolder } from '../support/folder.js';

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

for (const scheme of ['posixshm', 'mmap']) {
  test(`a ring over ${scheme}: that another process cuts in the middle of a stream is an error to both ends, 1,000 times`, async (t) => {
    const folder = temporaryFolder(t);
    const seed = Number(process.env['CUT_SEED'] ?? randomInt(2 ** 31));
    t.diagnostic(`CUT_SEED=${seed}`);
    const cutter = await startCutter();
    t.after(() => cutter.kill());
    const message = new Uint8Array(3000).fill(5);
    for (let round = 0; round < 1000; round++) {
      const name = `ring-${randomName('cut')}`;
      const path = scheme === 'mmap' ? join(folder, name) : `/dev/shm/${name}`;
      const url = scheme === 'mmap' ? `mmap:${path}` : `posixshm:/${name}`;
      const [to, from] = await Promise.all([sender(`${url}?capacity=65536`), receiver(`${url}?capacity=65536`)]);
      const receiving = (async () => {
        for (let count = 0; ; count++) {
          const received = await from.receive();
          assert.ok(
            received?.every((byte) => byte === 5) === true && received.length === 3000,
            'no zeros were delivered',
          );
          if (count === round % 50) cutBy(cutter, path, nth(seed, round) % 300);
        }
      })();
      const sending = (async () => {
        for (;;) await to.send(message);
      })();
      const ends = await Promise.allSettled([receiving, sending]);
      const codes = ends.map((end) =>
        end.status === 'rejected' ? (end.reason as { code: string }).code : 'fulfilled',
      );
      // Who touches what is gone is told so; the other may hear from it before it touches anything.
      const told = ['ERR_INTERPROC_TRUNCATED', 'EBADMSG'];
      const [received = '', sent = ''] = codes;
      assert.ok(
        [...told, 'ECONNRESET'].includes(received) && [...told, 'EPIPE'].includes(sent),
        `round ${round}: ${codes}`,
      );
      assert.ok(
        codes.some((code) => told.includes(code)),
        `round ${round}: ${codes}`,
      );
      await Promise.all([to.close(), from.close()]);
      assert.ok(!existsSync(path), 'the name is gone');
    }
  });
}

test('a sealed memfd cannot be cut at all', () => {
  using memory = shm.memfd({ size: 8192 });
  assert.throws(
    () => execFileSync('truncate', ['-s', '0', `/proc/${process.pid}/fd/${memory.fd}`], { stdio: 'pipe' }),
    /not permitted/,
  );
});

test('a visitor of messages is shown none that nobody sent when the memory is cut meanwhile', async (t) => {
  const path = join(temporaryFolder(t), 'ring');
  const [sending, receiving] = await Promise.all([sender(`mmap:${path}`), receiver(`mmap:${path}`)]);
  for (let count = 0; count < 100; count++) await sending.send(Buffer.alloc(100, 1));
  const lengths: number[] = [];
  const drained = receiving.drain((_bytes, start, end) => {
    lengths.push(end - start);
    truncateSync(path, 0);
  });
  await assert.rejects(drained, { code: 'ERR_INTERPROC_TRUNCATED' });
  assert.deepEqual([...new Set(lengths)], [100]);
  await Promise.allSettled([sending.close(), receiving.close()]);
});
