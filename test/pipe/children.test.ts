import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { test } from 'node:test';
import * as pipe from '../../src/pipe/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { stateOf, syscallOf, until } from '../support/proc.js';
import { killed, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function everything(reader: pipe.PipeReader): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('a child that was handed an end uses it as an ordinary blocking one', async (t) => {
  if (!peer(t, 'cat')) return;
  openPoller();
  const before = countDescriptors();
  const into = pipe.create();
  const back = pipe.create();
  const child = spawn('cat', [], { stdio: [into.reader.handOver(), back.writer.handOver(), 'inherit'] });
  const ended = once(child, 'close');
  into.reader.close();
  back.writer.close();
  const bytes = randomBytes(3_000_000);
  const read = everything(back.reader);
  await into.writer.write(bytes);
  into.writer.close();
  assert.equal(sha256(await read), sha256(bytes));
  assert.deepEqual(await ended, [0, null]);
  back.reader.close();
  assert.equal(countDescriptors(), before);
});

test('an end above standard error reaches a python child in blocking mode, too', async (t) => {
  if (!peer(t, 'python3')) return;
  using ends = pipe.create();
  const program = 'import os\nprint("ready", flush=True)\nprint(os.read(3, 100).decode(), flush=True)';
  const child = start(t, 'python3', ['-c', program], { stdio: ['ignore', 'pipe', 'pipe', ends.reader.handOver()] });
  assert.equal(await child.line(), 'ready');
  await until('python blocks in read', () => stateOf(child.pid) === 'S' && syscallOf(child.pid) >= 0);
  ends.writer.writeSync(Buffer.from('for python'));
  assert.equal(await child.line(), 'for python');
});

test('perl writes and we read, synchronously', (t) => {
  if (!peer(t, 'perl')) return;
  const { reader, writer } = pipe.create();
  const program = '$| = 1; print "x" x 100_000; print "end"';
  const child = spawn('perl', ['-e', program], { stdio: ['ignore', writer.handOver(), 'inherit'] });
  t.after(() => child.kill());
  writer.close();
  let read = '';
  for (let chunk = reader.readSync(); chunk !== null; chunk = reader.readSync()) read += Buffer.from(chunk).toString();
  assert.equal(read, `${'x'.repeat(100_000)}end`);
  reader.close();
});

test('a child sees no end that it was not given', async (t) => {
  using ends = pipe.create();
  ends.writer.tryWrite(new Uint8Array(1));
  const child = start(t, 'sh', ['-c', 'readlink /proc/$$/fd/* | tr "\\n" " "; echo'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const name = readlinkSync(`/proc/self/fd/${ends.reader.fd}`);
  assert.match(name, /^pipe:/);
  const inherited = (await child.line()).trim().split(' ');
  assert.ok(inherited.length >= 3);
  assert.ok(!inherited.includes(name), `it has ${name} open`);
});

test('kill -9 of the reading child is EPIPE for us', async (t) => {
  const { reader, writer } = pipe.create();
  const child = start(t, 'sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', reader.handOver()] });
  reader.close();
  const waiting = assert.rejects(writer.write(new Uint8Array(1_000_000)), { code: 'EPIPE' });
  await killed(child);
  await waiting;
  writer.close();
});

test('kill -9 of the writing child is the end for us, after all that it wrote', async (t) => {
  const { reader, writer } = pipe.create();
  const child = start(t, 'sh', ['-c', 'printf half >&3; exec sleep 1000'], {
    stdio: ['ignore', 'ignore', 'ignore', writer.handOver()],
  });
  writer.close();
  assert.equal(Buffer.from((await reader.read()) as Uint8Array).toString(), 'half');
  const end = reader.read();
  await killed(child);
  assert.equal(await end, null);
  reader.close();
});

test('a process whose pipe breaks is not killed by SIGPIPE, neither on its main thread nor in a worker', async (t) => {
  for (const where of ['main', 'worker']) {
    const child = startFixture(t, 'pipe-broken', [where]);
    assert.equal(await child.line(), 'EPIPE');
    assert.deepEqual(await child.ended, { code: 0, signal: null });
  }
});

test('a descriptor that was inherited becomes a reader', async (t) => {
  using ends = pipe.create();
  const child = startFixture(t, 'pipe-inherited', ['3'], {
    stdio: ['ignore', 'pipe', 'inherit', ends.reader.handOver()],
  });
  ends.reader.close();
  await ends.writer.write(Buffer.from('through descriptor 3'));
  ends.writer.close();
  assert.equal(await child.line(), 'through descriptor 3');
  assert.equal((await child.ended).code, 0);
});

test('four children write records of up to 4096 bytes into one pipe, and none is mixed', async (t) => {
  if (!peer(t, 'python3')) return;
  const { reader, writer } = pipe.create();
  const program = 'import os, sys\nfor _ in range(200): os.write(3, sys.argv[1].encode() * 4096)';
  const children = ['a', 'b', 'c', 'd'].map((letter) =>
    start(t, 'python3', ['-c', program, letter], { stdio: ['ignore', 'ignore', 'inherit', writer.handOver()] }),
  );
  writer.close();
  const all = await everything(reader);
  await Promise.all(children.map((child) => child.ended));
  assert.equal(all.length, 4 * 200 * 4096);
  for (let at = 0; at < all.length; at += 4096) {
    const record = all.subarray(at, at + 4096);
    assert.ok(
      record.every((byte) => byte === record[0]),
      `the record at ${at} is mixed`,
    );
  }
  reader.close();
});
