/** What pipe(7) promises, point by point, through the binding. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as pipe from '../../src/pipe/index.js';
import { flagsOf } from '../support/descriptors.js';
import { attempt } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { leastProcessorTimeMs, stateOf, syscallOf, until } from '../support/proc.js';
import { killed, start } from '../support/program.js';
import { peer } from '../support/skips.js';

const filled = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value);

test('nonBlocking sets O_NONBLOCK on both ends from the start, and handOver() still gives a blocking one', () => {
  using ends = pipe.create({ nonBlocking: true });
  for (const end of [ends.reader, ends.writer]) {
    assert.equal(flagsOf(end.fd) & constants.O_NONBLOCK, constants.O_NONBLOCK);
    end.handOver();
    assert.equal(flagsOf(end.fd) & constants.O_NONBLOCK, 0);
  }
  assert.throws(() => pipe.create({ nonBlocking: 1 as never }), /nonBlocking must be true or false, got 1/);
});

test('a child that is given fd of a non-blocking pipe finds EAGAIN where it would wait', async (t) => {
  if (!peer(t, 'python3')) return;
  using ends = pipe.create({ nonBlocking: true });
  const program =
    'import os\ntry: os.read(3, 1)\nexcept BlockingIOError: print("EAGAIN", flush=True)\nprint(os.get_blocking(3))';
  const child = start(t, 'python3', ['-c', program], { stdio: ['ignore', 'pipe', 'pipe', ends.reader.fd] });
  assert.equal(await child.line(), 'EAGAIN');
  assert.equal(await child.line(), 'False');
});

test('a synchronous call on a non-blocking pipe waits all the same', async (t) => {
  if (!peer(t, 'perl')) return;
  using ends = pipe.create({ nonBlocking: true });
  const child = spawn('perl', ['-e', 'select(undef, undef, undef, 0.05); print "late"'], {
    stdio: ['ignore', ends.writer.handOver(), 'inherit'],
  });
  assert.equal(Buffer.from(ends.reader.readSync() as Uint8Array).toString(), 'late');
  await once(child, 'close');
});

test('the read end cannot be written and the write end cannot be read: EBADF', () => {
  using ends = pipe.create();
  assert.throws(() => writeSync(ends.reader.fd, 'x'), { code: 'EBADF' });
  assert.throws(() => readSync(ends.writer.fd, new Uint8Array(1)), { code: 'EBADF' });
});

test('more than 4096 bytes may be taken in part where there is little room', () => {
  using ends = pipe.create({ capacity: 8192 });
  assert.equal(ends.writer.tryWrite(filled(4096)), 4096);
  assert.equal(ends.writer.tryWrite(filled(4097)), 4096);
  assert.equal(ends.writer.tryWrite(filled(1)), undefined);
});

test('a capacity above 2^31 is refused before the kernel would say EINVAL', () => {
  using ends = pipe.create();
  assert.throws(() => ends.writer.setCapacity(2 ** 31 + 1), { code: 'ERR_INTERPROC_RANGE' });
  assert.equal(ends.writer.capacity, 65_536);
});

test('without privileges a capacity above pipe-max-size is EPERM with a hint', async (t) => {
  const most = Number(readFileSync('/proc/sys/fs/pipe-max-size', 'utf8'));
  const outcomes = await attempt(t, process.getuid?.() === 0 ? { asNobody: true } : {}, [
    ['pipe.create', { capacity: 2 * most }],
  ]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[0]?.code, 'EPERM');
  assert.match(String(outcomes[0]?.hint), /pipe-max-size/);
});

test('once the pages of the user are used up new pipes are small, still carry bytes, and nothing hangs', async (t) => {
  const folder = temporaryFolder(t);
  const module = new URL('../../src/pipe/index.js', import.meta.url).href;
  const file = join(folder, 'soft.mjs');
  // 16384 pages of 4 KiB are a user's unless root changed it: so many bytes are 64 pipes of 1 MiB.
  const pages = Number(readFileSync('/proc/sys/fs/pipe-user-pages-soft', 'utf8'));
  const most = Number(readFileSync('/proc/sys/fs/pipe-max-size', 'utf8'));
  if (pages === 0) return t.skip('pipe-user-pages-soft is 0: no limit');
  writeFileSync(
    file,
    `import * as pipe from ${JSON.stringify(module)};
const held = [];
let code = 'none';
try { for (let n = 0; n <= ${Math.ceil((pages * 4096) / most)}; n++) held.push(pipe.create({ capacity: ${most} })); }
catch (why) { code = why.code; }
let small;
for (let n = 0; n < 200 && small === undefined; n++) {
  const ends = pipe.create();
  held.push(ends);
  if (ends.writer.capacity < 65536) small = ends;
}
small.writer.writeSync(new Uint8Array(100));
console.log(JSON.stringify({ code, capacity: small.writer.capacity, read: small.reader.readSync().length }));
for (const ends of held) ends.close();`,
  );
  const words = [process.execPath, file];
  // root has CAP_SYS_ADMIN or CAP_SYS_RESOURCE, to which the limit does not apply.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) execFileSync('chmod', ['-R', 'a+rX', folder]);
  const command = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...words] : words;
  const program = start(t, command[0] as string, command.slice(1));
  const told = JSON.parse(await program.line());
  assert.equal((await program.ended).code, 0);
  assert.equal(told.code, 'EPERM');
  assert.ok(told.capacity === 4096 || told.capacity === 8192, `got ${told.capacity}`);
  assert.equal(told.read, 100);
});

test('processes that are blocked in a pipe can be killed', async (t) => {
  if (!peer(t, 'python3')) return;
  using ends = pipe.create();
  ends.writer.writeSync(filled(65_536));
  const empty = pipe.create();
  const reads = start(t, 'python3', ['-c', 'import os; os.read(3, 1)'], {
    stdio: ['ignore', 'pipe', 'pipe', empty.reader.handOver()],
  });
  const writes = start(t, 'python3', ['-c', 'import os; os.write(3, b"x")'], {
    stdio: ['ignore', 'pipe', 'pipe', ends.writer.handOver()],
  });
  for (const { pid } of [reads, writes]) {
    await until('it blocks in the pipe', () => stateOf(pid) === 'S' && [0, 1, 63, 64].includes(syscallOf(pid)));
  }
  await Promise.all([killed(reads), killed(writes)]);
  empty.close();
});

test('waiting for a full pipe takes no processor time', async (t) => {
  if (!peer(t, 'sleep')) return;
  using ends = pipe.create();
  ends.writer.writeSync(filled(65_536));
  const used = await leastProcessorTimeMs('self', 100, () =>
    assert.rejects(ends.writer.write(filled(1), { timeoutMs: 2000 }), { code: 'ETIMEDOUT' }),
  );
  assert.ok(used < 100, `${used} ms`);
});

test('reads and writes go through whole under 1,000 signals a second', async (t) => {
  if (!peer(t, 'python3')) return;
  let signals = 0;
  const count = (): void => {
    signals++;
  };
  process.on('SIGWINCH', count);
  t.after(() => process.off('SIGWINCH', count));
  const program = `import os, signal, time\nwhile True: os.kill(${process.pid}, signal.SIGWINCH); time.sleep(0.001)`;
  const storm = start(t, 'python3', ['-c', program]);
  t.after(() => storm.process.kill('SIGKILL'));
  await until('the storm has begun', () => signals > 10);
  const before = signals;
  using ends = pipe.create({ capacity: 4096 });
  const { reader, writer } = ends;
  let read = 0;
  const reading = (async () => {
    for await (const chunk of reader) read += chunk.length;
  })();
  for (let written = 0; signals - before < 500; written++) {
    await writer.write(filled(10_000));
    if (written > 0) writer.tryWrite(new Uint8Array(0));
  }
  using idle = pipe.create();
  const late = { code: 'ETIMEDOUT' };
  const [waits, blocks]: [number[], number[]] = [[], []];
  for (let round = 0; round < 10 && !(Math.max(Math.min(...waits), Math.min(...blocks)) < 550); round++) {
    let begun = performance.now();
    await assert.rejects(idle.reader.read({ timeoutMs: 500 }), late);
    waits.push(performance.now() - begun);
    begun = performance.now();
    assert.throws(() => idle.reader.readSync({ timeoutMs: 500 }), late);
    blocks.push(performance.now() - begun);
  }
  // A busy machine stretches one or another; signals that began the wait anew would stretch each.
  for (const took of [waits, blocks]) {
    assert.ok(Math.min(...took) >= 500 && Math.min(...took) < 550, `took ${took.join(', ')} ms`);
  }
  writer.close();
  await reading;
  assert.equal(read % 10_000, 0);
  assert.ok(read > 0);
});

test('10 MB in one write come out whole and in order though each piece is partial', async () => {
  const { reader, writer } = pipe.create();
  const sent = Uint8Array.from({ length: 10_000_000 }, (_, at) => at % 251);
  const written = writer.write(sent).then(() => writer.close());
  let at = 0;
  for await (const chunk of reader) for (const byte of chunk) assert.equal(byte, at++ % 251);
  await written;
  assert.equal(at, sent.length);
  reader.close();
});

test('an async iterable goes through a Writable no faster than it is read, and its error closes the end', async () => {
  const { reader, writer } = pipe.create();
  let made = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (; made < 100; made++) yield filled(10_000);
    throw new Error('the source broke');
  }
  const done = pipeline(Readable.from(chunks()), writer.toWritable());
  const failed = assert.rejects(done, /the source broke/);
  const first = (await reader.read()) as Uint8Array;
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  assert.ok(made < 60, `${made} chunks were made before anybody read`);
  let read = first.length;
  for await (const chunk of reader) read += chunk.length;
  await failed;
  assert.ok(writer.closed);
  assert.ok(read <= 1_000_000);
  reader.close();
});

const PEERS: readonly (readonly [string, readonly string[]])[] = [
  ['python3', ['-c', 'import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line.upper())']],
  ['perl', ['-e', 'while (<STDIN>) { print uc }']],
];

async function bothWays(command: string, args: readonly string[]): Promise<void> {
  const [into, back] = [pipe.create(), pipe.create()];
  const child = spawn(command, args, { stdio: [into.reader.handOver(), back.writer.handOver(), 'inherit'] });
  const ended = once(child, 'close');
  into.reader.close();
  back.writer.close();
  const lines = Array.from({ length: 20_000 }, (_, at) => `line ${at}\n`).join('');
  const sent = into.writer.write(Buffer.from(lines)).then(() => into.writer.close());
  const chunks: Uint8Array[] = [];
  for await (const chunk of back.reader) chunks.push(chunk);
  await sent;
  assert.equal(Buffer.concat(chunks).toString(), lines.toUpperCase());
  assert.deepEqual(await ended, [0, null]);
  back.reader.close();
}

for (const [command, args] of PEERS) {
  test(`${command} as a child reads and writes pipes, both ways`, async (t) => {
    if (peer(t, command)) await bothWays(command, args);
  });
}

test('a C program as a child reads and writes pipes, both ways', async (t) => {
  if (!peer(t, 'cc')) return;
  const source = join(temporaryFolder(t), 'upper.c');
  writeFileSync(
    source,
    `#include <ctype.h>
#include <unistd.h>
int main(void) {
  char room[4096];
  for (ssize_t got; (got = read(0, room, sizeof room)) > 0;) {
    for (ssize_t at = 0; at < got; at++) room[at] = (char)toupper((unsigned char)room[at]);
    for (ssize_t out = 0, put; out < got; out += put) if ((put = write(1, room + out, got - out)) < 0) return 1;
  }
  return 0;
}`,
  );
  const program = source.replace(/\.c$/, '');
  execFileSync('cc', ['-O2', '-o', program, source]);
  await bothWays(program, []);
});
