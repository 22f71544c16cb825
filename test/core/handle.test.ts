import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { native, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../../src/sys/index.js';
import { countDescriptors } from '../support/descriptors.js';
import { Counter } from './support.js';

const EINVAL = -22;
const EFBIG = -27;
const EFAULT = -14;
const MAP_NORESERVE = 0x4000;

test('close() is idempotent, is what `using` does, and leaves no descriptor', () => {
  const before = countDescriptors();
  let seen: Counter;
  {
    using counter = new Counter();
    seen = counter;
    assert.ok(counter.fd > 2);
    assert.equal(counter.closed, false);
  }
  assert.equal(seen.closed, true);
  assert.equal(seen.fd, -1);
  seen.close();
  seen[Symbol.dispose]();
  assert.equal(countDescriptors(), before);
});

test('inspect shows a handle’s class, descriptor and whether it is closed', () => {
  const counter = new Counter();
  const { fd } = counter;
  assert.equal(inspect(counter), `Counter { fd: ${fd}, closed: false }`);
  counter.close();
  assert.equal(inspect(counter), 'Counter { fd: -1, closed: true }');
});

test('ref(), unref() and hasRef() can be called in any state and give the handle back', () => {
  const counter = new Counter();
  assert.equal(counter.hasRef(), true);
  assert.equal(counter.unref(), counter);
  assert.equal(counter.unref().hasRef(), false);
  assert.equal(counter.ref().ref().hasRef(), true);
  counter.close();
  counter.unref().ref();
});

test('100,000 handles opened and closed leave no descriptor', () => {
  const before = countDescriptors();
  for (let round = 0; round < 100_000; round++) new Counter().close();
  assert.equal(countDescriptors(), before);
});

test('a mapping too large for one buffer is refused or made, and is unmapped once in any case', () => {
  for (let round = 0; round < 20; round++) {
    const mapping = native().mmap(
      -1,
      0,
      5 * 2 ** 30,
      PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
      0,
    );
    if (typeof mapping === 'number') assert.fail(`mmap: ${mapping}`);
    const buffer = native().mappingBuffer(mapping);
    if (typeof buffer === 'number') assert.equal(buffer, EFBIG);
    else assert.equal(buffer.byteLength, 5 * 2 ** 30);
    assert.equal(native().futexWake(mapping, 0, 1), 0, 'the memory is still mapped');
    assert.equal(native().munmap(mapping, typeof buffer === 'number' ? undefined : buffer), 0);
    assert.equal(native().munmap(mapping, undefined), EINVAL);
    assert.equal(native().futexWake(mapping, 0, 1), EFAULT);
  }
});

test('a mapping’s buffer has length 0 after munmap, and words outside of it are refused', () => {
  const mapping = native().mmap(-1, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
  if (typeof mapping === 'number') assert.fail(`mmap: ${mapping}`);
  const buffer = native().mappingBuffer(mapping);
  if (typeof buffer === 'number') assert.fail(`mappingBuffer: ${buffer}`);
  assert.equal(native().mappingBuffer(mapping), EINVAL, 'one buffer for each mapping');
  const bytes = new Uint8Array(buffer);
  bytes[4095] = 1;
  for (const offset of [-4, 2, 4096, 2 ** 40]) {
    assert.equal(native().futexWake(mapping, offset, 1), EFAULT, String(offset));
  }
  assert.equal(native().munmap(mapping, buffer), 0);
  assert.equal(buffer.byteLength, 0);
  assert.equal(bytes.length, 0);
});
