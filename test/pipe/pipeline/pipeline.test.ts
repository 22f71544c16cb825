import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { ReadableStream, WritableStream } from 'node:stream/web';
import { test } from 'node:test';
import * as pipe from '../../../src/pipe/index.js';
import { processGroup } from '../../../src/proc/index.js';
import { countDescriptors, openDescriptors, openPoller } from '../../support/descriptors.js';
import { temporaryFolder } from '../../support/folder.js';
import { isAlive, leastProcessorTimeMs, stateOf, until } from '../../support/proc.js';
import { ends, members, run, started, thrown, zombies } from './support.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('each | is one pipe of the kernel between two siblings, and this process has no end of it', async (t) => {
  openPoller();
  const before = openDescriptors();
  const running = started(t, 'cat | cat | cat', { input: 'pipe', output: 'pipe' });
  const [first, second, third] = running.stages.map(
    ({ pid }) =>
      (fd: number) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`),
  );
  assert.match(first!(1), /^pipe:/);
  assert.equal(first!(1), second!(0));
  assert.equal(second!(1), third!(0));
  assert.notEqual(first!(1), second!(1));
  const ours = [...openDescriptors()].filter(([fd]) => !before.has(fd)).map(([, what]) => what);
  const pipes = ours.filter((what) => what.startsWith('pipe:')).sort();
  assert.deepEqual(pipes, [first!(0), third!(1)].sort(), 'only the two that were asked for');
  for (const { pid } of running.stages) {
    // Its libraries are open first.
    await until('a stage has these three and no other', () => [...openDescriptors(pid).keys()].join() === '0,1,2');
    assert.equal(processGroup(pid), running.group);
  }
  running.input?.close();
  assert.equal((await running.wait()).ok, true);
  running.output?.close();
});

test('the result has every stage, and prints what the shell prints', async () => {
  const line = 'seq 1000000 | sort -rn | head -n 3';
  const { stages, ok, status, text } = await run(line);
  assert.equal(text, execFileSync('bash', ['-c', line], { encoding: 'utf8' }));
  assert.deepEqual(
    stages.map(({ argv }) => argv.join(' ')),
    ['seq 1000000', 'sort -rn', 'head -n 3'],
  );
  const [seq, sort, head] = stages as [pipe.StageResult, pipe.StageResult, pipe.StageResult];
  assert.equal(seq.code, 0);
  assert.equal(seq.bytesOut, 6_888_896);
  assert.equal(seq.countedBy, 'io');
  assert.equal(sort.signal, 'SIGPIPE');
  assert.equal(sort.code, null);
  assert.equal(sort.description, 'killed by SIGPIPE (wrote to a pipe that nobody reads)');
  assert.equal(head.code, 0);
  assert.equal(head.bytesOut, Buffer.byteLength(text));
  for (const { seconds, pid } of stages) assert.ok(seconds > 0 && pid > 0);
  assert.equal(ok, false, 'as pipefail has it');
  assert.equal(status, 0, 'as $? has it');
});

test('ok and status are those of bash with and without pipefail', async () => {
  const lines = [
    'true | true',
    'false | true',
    'true | false',
    "sh -c 'exit 3' | sh -c 'exit 4'",
    "sh -c 'kill -KILL $$' | cat",
    "true | sh -c 'kill -TERM $$'",
    'yes | head -n 1',
  ];
  for (const line of lines) {
    const { ok, status } = await run(line, { error: 'null' });
    const shell = (set: string): number =>
      Number(execFileSync('bash', ['-c', `${set} ${line} >/dev/null 2>&1; echo $?`], { encoding: 'utf8' }));
    assert.equal(status, shell(''), line);
    assert.equal(ok, shell('set -o pipefail;') === 0, line);
  }
});

test('a stage that ends early ends those before it by SIGPIPE, though their parent ignores it', async () => {
  const result = await run('yes | cat | cat | head -c 10');
  assert.deepEqual(ends(result), ['SIGPIPE', 'SIGPIPE', 'SIGPIPE', 0]);
  assert.equal(result.text, 'y\ny\ny\ny\ny\n');
});

test('a middle stage that ends lets those behind it read the end', async () => {
  assert.deepEqual(ends(await run('yes | true | wc -c')), ['SIGPIPE', 0, 0]);
});

test('a stage that cannot start is named, ends all others and leaves nothing open', async () => {
  openPoller();
  const before = countDescriptors();
  const why = thrown(() => pipe.pipeline('sleep 1000 | ./no-such-program | cat', { input: 'pipe', output: 'buffer' }));
  assert.equal(why['code'], 'ENOENT');
  assert.equal(why['syscall'], 'execve');
  assert.equal(why['path'], './no-such-program');
  assert.equal(why['stage'], 1);
  assert.match(why.message, /^stage 2 of 3 \(\.\/no-such-program\): ENOENT: /);
  await until(
    'the first stage is gone, and no zombie of it stays',
    () => countDescriptors() === before && zombies().length === 0,
  );
});

test('the first stage reads from bytes, streams, generators and descriptors', async (t) => {
  const bytes = randomBytes(1_000_000);
  const chunks = (): Uint8Array[] => [bytes.subarray(0, 300_000), bytes.subarray(300_000)];
  const path = join(temporaryFolder(t), 'in');
  writeFileSync(path, bytes);
  async function* generate(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks()) yield await Promise.resolve(chunk);
  }
  const fd = openSync(path, 'r');
  t.after(() => closeSync(fd));
  const web = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks()) controller.enqueue(chunk);
      controller.close();
    },
  });
  const inputs: pipe.PipelineInput[] = [bytes, chunks(), generate(), Readable.from(chunks()), web, fd];
  for (const input of inputs) {
    const { output } = await run('cat | cat', { input });
    assert.equal(sha256(output as Uint8Array), sha256(bytes));
  }
  const ends = pipe.create();
  const running = started(t, 'sha256sum', { input: ends.reader, output: 'buffer' });
  ends.reader.close();
  await ends.writer.write(bytes);
  ends.writer.close();
  assert.match(Buffer.from((await running.wait()).output as Uint8Array).toString(), new RegExp(sha256(bytes)));
  assert.equal((await run('cat', { input: ['tëxt ', Buffer.from('and bytes')] })).text, 'tëxt and bytes');
  assert.equal((await run('wc -c', { input: new Uint8Array(0) })).text.trim(), '0');
});

test('the last stage writes to streams and descriptors, with back-pressure', async (t) => {
  const bytes = randomBytes(1_000_000);
  const path = join(temporaryFolder(t), 'out');
  const fd = openSync(path, 'w');
  await pipe.pipeline('cat', { input: bytes, output: fd }).wait();
  closeSync(fd);
  assert.equal(sha256(readFileSync(path)), sha256(bytes));

  const node = createHash('sha256');
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk: Uint8Array, _encoding, done) {
      node.update(chunk);
      setImmediate(done);
    },
  });
  await pipe.pipeline('cat', { input: bytes, output: slow }).wait();
  assert.equal(slow.writableFinished, true, 'it is ended before wait() resolves');
  assert.equal(node.digest('hex'), sha256(bytes));

  const web = createHash('sha256');
  await pipe
    .pipeline('cat', { input: bytes, output: new WritableStream({ write: (chunk) => void web.update(chunk) }) })
    .wait();
  assert.equal(web.digest('hex'), sha256(bytes));
});

test('what all stages write to standard error can be had', async () => {
  const line = "sh -c 'echo one >&2' | sh -c 'cat; echo two >&2'";
  const { error } = await run(line, { error: 'buffer' });
  assert.deepEqual(
    Buffer.from(error as Uint8Array)
      .toString()
      .trim()
      .split('\n')
      .sort(),
    ['one', 'two'],
  );
});

test('an input that never gives anything is let go when the stages have ended', async () => {
  let returned = false;
  const never: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: async () => {
        returned = true;
        return { done: true, value: undefined };
      },
    }),
  };
  const { ok } = await run('true', { input: never });
  assert.equal(ok, true);
  assert.equal(returned, true);
});

test('an input that gives more than the first stage reads is stopped, and that is no error', async () => {
  let given = 0;
  function* endless(): Generator<Uint8Array> {
    for (;;) {
      given++;
      yield new Uint8Array(65536);
    }
  }
  const { ok, text } = await run('head -c 3 | tr "\\0" x', { input: endless() });
  assert.equal(text, 'xxx');
  assert.equal(ok, true);
  assert.ok(given < 100, `${given} chunks`);
});

test('an input or output stream that fails ends the flow, and wait() rejects with its error and the result', async () => {
  const broken = new Error('the disk is gone');
  const source = Readable.from(
    (async function* () {
      yield Buffer.from('some');
      throw broken;
    })(),
  );
  const why = await run('cat', { input: source }).catch((error: unknown) => error);
  assert.equal(why, broken);
  assert.equal((why as { result?: pipe.PipelineResult }).result?.stages.length, 1);

  const goal = new Writable({ write: (_chunk, _encoding, done) => done(broken) });
  const other = await pipe
    .pipeline('yes | cat', { output: goal })
    .wait()
    .catch((error: unknown) => error);
  assert.equal(other, broken);
});

test('an abort ends the whole group politely, and wait() rejects when nothing of it is left', async (t) => {
  const stop = new AbortController();
  const line = 'sh -c \'sleep 1000 & trap "exit 7" TERM; echo up; wait\' | cat';
  const running = started(t, line, { output: 'pipe', signal: stop.signal });
  await running.output?.read();
  const group = running.group;
  assert.equal(members(group).length, 3, 'two stages, and what one of them started');
  stop.abort(new Error('enough'));
  const why = await running.wait().catch((error: unknown) => error);
  assert.equal((why as Error).name, 'AbortError');
  assert.equal(((why as Error).cause as Error).message, 'enough');
  const { result } = why as { result: pipe.PipelineResult };
  assert.deepEqual(ends(result), [7, 'SIGTERM']);
  assert.deepEqual(members(group), []);
  running.output?.close();
});

test('who does not end at an abort is killed after the grace time, stopped or not, and so is what it has left behind', async (t) => {
  const stop = new AbortController();
  const line = 'sh -c \'trap "" TERM; sleep 1000 & echo up; kill -STOP $$; wait\' | cat';
  const running = started(t, line, { output: 'pipe', signal: stop.signal, graceMs: 200 });
  await running.output?.read();
  await until('it has stopped itself', () => stateOf(running.stages[0]!.pid) === 'T');
  stop.abort();
  const why = (await running.wait().catch((error: unknown) => error)) as { result: pipe.PipelineResult };
  assert.deepEqual(ends(why.result), ['SIGKILL', 'SIGTERM']);
  await until('the group is empty', () => members(running.group).length === 0);
  running.output?.close();
});

test('a pipeline that takes longer than timeoutMs is ended', async () => {
  const why = (await run('sleep 1000 | cat', { timeoutMs: 50 }).catch(
    (error: unknown) => error,
  )) as NodeJS.ErrnoException;
  assert.equal(why.code, 'ETIMEDOUT');
});

test('a wait that ends early ends nothing else', async (t) => {
  const running = started(t, 'cat', { input: 'pipe', output: 'null' });
  await assert.rejects(running.wait({ timeoutMs: 0 }), { code: 'ETIMEDOUT' });
  await assert.rejects(running.wait({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  await assert.rejects(running.wait({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(running.ended, false);
  running.input?.close();
  assert.equal((await running.wait()).ok, true);
  assert.equal((await running.wait({ timeoutMs: 0 })).ok, true);
});

test('close() and destroy() leave nothing, and a wait that is pending then says so', async (t) => {
  const running = started(t, 'sleep 1000 | cat', { output: 'buffer' });
  const waiting = running.wait();
  await running.close();
  await assert.rejects(waiting, { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(running.kill(), false);
  await running.close();

  const other = started(t, 'sh -c \'trap "" TERM; sleep 1000\'');
  other.destroy();
  await assert.rejects(other.wait(), { code: 'ERR_INTERPROC_CLOSED' });
  assert.deepEqual(members(other.group), []);
  {
    await using scoped = pipe.pipeline('sleep 1000');
    assert.ok(isAlive(scoped.stages[0]!.pid));
  }
  assert.deepEqual(zombies(), []);
});

test('it can be stopped as a whole and continued, and tells of it', async (t) => {
  const running = started(t, 'cat | cat', { input: 'pipe', output: 'pipe' });
  const changes = running.changes();
  const stopped = changes.next();
  running.stop();
  assert.equal((await stopped).value?.state, 'stopped');
  for (const { pid } of running.stages) assert.equal(stateOf(pid), 'T');
  const continued = changes.next();
  running.continue();
  assert.equal((await continued).value?.state, 'continued');
  const ended = changes.next();
  await running.input?.write(Buffer.from('through'));
  running.input?.close();
  assert.equal(Buffer.from((await running.output?.read()) as Uint8Array).toString(), 'through');
  assert.equal((await ended).value?.state, 'ended');
  assert.equal((await changes.next()).done, true);
  running.output?.close();
});

test('stages in the group of this process are there, and each is ended by itself', async (t) => {
  const running = started(t, 'sleep 1000 | cat', { processGroup: 'inherit', output: 'null' });
  assert.equal(running.group, 0);
  for (const { pid } of running.stages) assert.equal(processGroup(pid), processGroup());
  running.kill();
  assert.deepEqual(ends(await running.wait()), ['SIGTERM', 'SIGTERM']);
});

test('a first stage that has ended long ago keeps its group for those that follow, and for signals', async (t) => {
  const running = started(t, 'true | sleep 1000', { input: 'null' });
  await until('the first has ended', () => stateOf(running.stages[0]!.pid) === 'Z');
  assert.equal(processGroup(running.stages[1]!.pid), running.stages[0]!.pid);
  assert.equal(running.kill(), true);
  assert.deepEqual(ends(await running.wait()), [0, 'SIGTERM']);
  assert.deepEqual(zombies(), []);
});

test('this process hardly works while a gigabyte passes', async () => {
  const used = await leastProcessorTimeMs('self', 31, async () => {
    const { text } = await run('head -c 1G /dev/zero | cat | wc -c');
    assert.equal(text.trim(), String(2 ** 30));
  });
  assert.ok(used <= 30, `${used} ms`);
});

test('environment, folder and capacity are those that were asked for', async (t) => {
  const folder = temporaryFolder(t);
  const { text } = await run("sh -c 'pwd -P; echo $ONE'", {
    cwd: folder,
    env: { ONE: 'two', PATH: process.env['PATH'] },
  });
  assert.equal(text, `${folder}\ntwo\n`);
  const running = started(t, 'cat | cat', { input: 'pipe', output: 'null', capacity: 4096 });
  assert.deepEqual(running.edges[0]?.fill(), { available: 0, capacity: 4096 });
  running.input?.close();
  await running.wait();
});

test('the fill of an edge is what stands in its pipe', async (t) => {
  const running = started(t, "cat | sh -c 'kill -STOP $$; cat'", { input: 'pipe', output: 'null' });
  await until('the second stage stands', () => stateOf(running.stages[1]!.pid) === 'T');
  await running.input?.write(new Uint8Array(1234));
  await until('1234 bytes stand', () => running.edges[0]?.fill()?.available === 1234);
  running.input?.close();
  running.continue();
  await running.wait();
  assert.equal(running.edges[0]?.fill(), undefined);
});

test('mistakes are refused before anything is started', () => {
  const wrong: readonly (readonly [unknown, object | undefined, RegExp])[] = [
    [[], undefined, /a list with the words of each stage/],
    [7, undefined, /a pipeline is a line/],
    [[['a'], []], undefined, /stage 2 must be a list of strings/],
    [[['a', 7]], undefined, /stage 1 must be a list of strings/],
    ['cat', { inpt: 1 }, /unknown option 'inpt' \(did you mean input\?\)/],
    ['cat', { input: 'pip' }, /input must be .* did you mean 'pipe'\?/],
    ['cat', { input: 'buffer' }, /input must be/],
    ['cat', { output: 'bufer' }, /did you mean 'buffer'\?/],
    ['cat', { output: [] }, /output must be/],
    ['cat', { graceMs: -1 }, /graceMs/],
    ['cat', { timeoutMs: Number.NaN }, /timeoutMs/],
    ['cat', { killSignal: 'SIGTREM' }, /SIGTERM/],
    ['cat', { processGroup: 'old' }, /processGroup must be 'new' or 'inherit'/],
    ['cat', { terminal: 'x' }, /terminal must be 'foreground'/],
    ['cat', { terminal: 'foreground', processGroup: 'inherit' }, /cannot come to the foreground/],
    ['cat', { taps: { 0: true } }, /the number of an edge/],
    ['cat | cat', { taps: { 0: {} } }, /taps\[0\] must be true or \{ copyTo \}/],
    ['cat', { capacity: 0 }, /capacity/],
    ['cat', { signal: 'SIGTERM' }, /signal must be an AbortSignal/],
  ];
  for (const [line, options, message] of wrong) {
    const why = thrown(() => pipe.pipeline(line as string, options as pipe.PipelineOptions));
    assert.match(String(why['code']), /^ERR_INTERPROC_(ARGUMENT|RANGE|NAME)$/);
    assert.match(why.message, message);
  }
  assert.equal(thrown(() => pipe.pipeline('cat', { signal: AbortSignal.abort() })).name, 'AbortError');
});

test('descriptors of Node streams of a file are not taken for the file, since they may have read ahead', async () => {
  const ahead = Object.assign(new PassThrough(), { fd: 77 });
  ahead.end('from the stream');
  assert.equal((await run('cat', { input: ahead })).text, 'from the stream');
});
