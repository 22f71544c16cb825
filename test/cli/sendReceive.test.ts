import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as channel from '../../src/channel/index.js';
import * as mq from '../../src/mq/index.js';
import { messageQueue, sharedMemory } from '../../src/sysv/index.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { launch, MAIN, type Outcome, type Running, resting, run, start } from './cli.js';

/** What `seq 100000` prints. */
const NUMBERS = Buffer.from(Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join(''));
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function urls(): string[] {
  const name = randomName('cli');
  return [
    'fifo:./f',
    'unix:./s',
    'unixpacket:./p',
    'unixgram:./d',
    `mq:/${name}`,
    `msgq:0x${randomInt(1, 2 ** 32).toString(16)}`,
    `shm:${name}`,
    `posixshm:/${name}`,
    `sysvshm:0x${randomInt(1, 2 ** 32).toString(16)}`,
    'mmap:./ring',
    'file:./log',
  ];
}

function assertNothingLeft(folder: string, url: string): void {
  assert.deepEqual(readdirSync(folder), []);
  const name = url.slice(url.indexOf(':') + 1);
  if (url.startsWith('mq:')) assert.throws(() => mq.open(name), { code: 'ENOENT' });
  if (url.startsWith('msgq:')) assert.throws(() => messageQueue.open(Number(name)), { code: 'ENOENT' });
  if (url.startsWith('sysvshm:')) assert.throws(() => sharedMemory.open(Number(name)), { code: 'ENOENT' });
  if (url.startsWith('posixshm:')) assert.ok(!existsSync(join('/dev/shm', name)), `${name} is gone`);
}

async function good({ done }: Running): Promise<Outcome> {
  const outcome = await done;
  assert.deepEqual([outcome.stderr, outcome.code], ['', 0]);
  return outcome;
}

for (const url of urls()) {
  const scheme = url.slice(0, url.indexOf(':') + 1);
  for (const first of ['send', 'receive'] as const) {
    test(`lines over ${scheme} arrive unchanged when ${first} is started first, and nothing is left`, async (t) => {
      const cwd = temporaryFolder(t);
      const words = { send: ['send', '--lines', url], receive: ['receive', url] };
      const options = { send: { cwd, input: NUMBERS }, receive: { cwd } };
      const second = first === 'send' ? 'receive' : 'send';
      const begun = start(t, words[first], options[first]);
      await Promise.race([resting(begun), begun.done]);
      const other = start(t, words[second], options[second]);
      // The first that fails fails the test: the other one may wait for it for ever.
      const [a, b] = await Promise.all([good(begun), good(other)]);
      const [sent, received] = first === 'send' ? [a, b] : [b, a];
      assert.equal(digest(received.stdout), digest(NUMBERS));
      assert.equal(String(sent.stdout), '');
      assertNothingLeft(cwd, url);
    });
  }
}

test('the shell line of the README gives the digest of its input', async (t) => {
  const cwd = temporaryFolder(t);
  const interproc = `'${process.execPath}' '${MAIN}'`;
  const url = `shm:${randomName('cli')}`;
  const script = `seq 100000 | ${interproc} send --lines ${url} & ${interproc} receive ${url} | sha256sum; wait`;
  const { stdout, stderr } = await launch(t, 'sh', ['-c', script], { cwd }).done;
  assert.equal(stderr, '');
  assert.equal(String(stdout), `${digest(NUMBERS)}  -\n`);
});

/** Sends `input` with the command line and receives the messages here. */
async function messagesOf(t: TestContext, input: Buffer, ...options: string[]): Promise<Buffer[]> {
  const url = `shm:${randomName('cli')}`;
  const sending = run(t, ['send', ...options, url], { input });
  const messages: Buffer[] = [];
  await using receiver = await channel.receiver(url);
  for await (const message of receiver) messages.push(Buffer.from(message));
  assert.equal((await sending).code, 0);
  return messages;
}

test('each line is a message with its newline, also a long one, an empty one, and the last one without', async (t) => {
  const long = `${'x'.repeat(300_000)}\n`;
  const lines = ['one\n', '\n', long, 'two\n', 'last'];
  assert.deepEqual((await messagesOf(t, Buffer.from(lines.join('')), '--lines')).map(String), lines);
});

test('without --lines the input is sent in blocks of at most 64 KiB', async (t) => {
  const input = randomBytes(1_000_000);
  const messages = await messagesOf(t, input, '--no-coalesce');
  assert.ok(messages.every(({ length }) => length > 0 && length <= 65_536));
  assert.equal(digest(Buffer.concat(messages)), digest(input));
});

test('empty input is an end without a message', async (t) => {
  assert.deepEqual(await messagesOf(t, Buffer.alloc(0)), []);
  assert.deepEqual(await messagesOf(t, Buffer.alloc(0), '--lines'), []);
});

test('a line that is longer than a message can be is refused', async (t) => {
  const url = `shm:${randomName('cli')}`;
  const receiving = run(t, ['receive', url]);
  const { code, stderr } = await run(t, ['send', '--lines', url], { input: Buffer.alloc(65 * 1024 * 1024, 'x') });
  assert.match(stderr, /^interproc send: a line is longer than 67108864 bytes/);
  assert.equal(code, 1);
  assert.equal((await receiving).code, 1, 'what broke off is no end');
});

test('with --keep a queue stays, and a later receiver finds the messages', async (t) => {
  const name = `/${randomName('cli')}`;
  t.after(() => mq.unlink(name));
  assert.equal((await run(t, ['send', '--keep', '--lines', `mq:${name}`], { input: 'a\nb\n' })).code, 0);
  const { code, stdout } = await run(t, ['receive', `mq:${name}`]);
  assert.deepEqual([code, String(stdout)], [0, 'a\nb\n']);
  mq.open(name).close();
});

/** A sender whose input stays open and a receiver, joined: a first line has come through. */
async function joinedPair(
  t: TestContext,
  url: string,
  cwd?: string,
): Promise<{ sending: Running; receiving: Running }> {
  const options = cwd === undefined ? {} : { cwd };
  const sending = start(t, ['send', url], { ...options, input: null });
  const receiving = start(t, ['receive', url], options);
  sending.write('hello\n');
  await receiving.said('hello\n');
  return { sending, receiving };
}

test('a receiver that dies is reported by send at once, though no more input comes', async (t) => {
  const { sending, receiving } = await joinedPair(t, `shm:${randomName('cli')}`);
  receiving.kill('SIGKILL');
  const { code, stderr } = await sending.done;
  assert.match(stderr, /^interproc send: EPIPE/);
  assert.equal(code, 1);
});

test('a sender that dies is reported by receive, after what it had sent', async (t) => {
  const { sending, receiving } = await joinedPair(t, `unix:@${randomName('cli')}`);
  sending.kill('SIGKILL');
  const { code, stdout, stderr } = await receiving.done;
  assert.equal(String(stdout), 'hello\n');
  assert.match(stderr, /^interproc receive: ECONNRESET/);
  assert.equal(code, 1);
});

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends send and receive cleanly, waiting for a peer or for input, with code ${expected}`, async (t) => {
    const cwd = temporaryFolder(t);
    for (const words of [
      ['send', 'fifo:./alone'],
      ['receive', 'unix:./alone'],
    ]) {
      const alone = start(t, words, { cwd, input: null });
      await until('it waits for a peer', () => existsSync(join(cwd, 'alone')));
      alone.kill(signal);
      const { code, stderr } = await alone.done;
      assert.deepEqual([code, stderr], [expected, ''], words.join(' '));
    }
    const { sending, receiving } = await joinedPair(t, 'fifo:./both', cwd);
    sending.kill(signal);
    assert.equal((await sending.done).code, expected);
    const { code, stderr } = await receiving.done;
    assert.deepEqual([code, stderr], [0, ''], 'the end was sent');
    assert.deepEqual(readdirSync(cwd), []);
  });
}

test('a reader of receive that leaves ends it quietly with the code of SIGPIPE', async (t) => {
  const url = `shm:${randomName('cli')}`;
  const sending = run(t, ['send', url], { input: Buffer.alloc(8_000_000, 'line\n') });
  const script = `{ '${process.execPath}' '${MAIN}' receive ${url}; echo $? >&2; } | head -n 1`;
  const { stdout, stderr } = await launch(t, 'sh', ['-c', script]).done;
  assert.deepEqual([String(stdout), stderr], ['line\n', '141\n']);
  await sending;
});

test('send --priority gives messages that priority over mq:, and elsewhere is refused by name', async (t) => {
  const cwd = temporaryFolder(t);
  const name = `/${randomName('cli')}`;
  const input = randomBytes(5000);
  const sending = start(t, ['send', `mq:${name}?raw`, '--keep', '--priority', '5'], { cwd, input });
  t.after(() => mq.unlink(name));
  await good(sending);
  using queue = mq.open(name);
  const { data, priority } = queue.receiveSync({ timeoutMs: 0 });
  assert.deepEqual([digest(data), priority], [digest(input), 5]);
  await good(start(t, ['send', `mq:${name}`, '--keep', '--priority', '5'], { cwd, input }));
  const { stdout } = await good(start(t, ['receive', `mq:${name}`, '--keep'], { cwd }));
  assert.equal(digest(stdout), digest(input));
  for (const [words, said] of [
    [['unix:./s', '--priority', '5'], /unknown option "priority"/],
    [[`mq:${name}`, '--priority', '32768'], /priority is a whole number from 0 to 32767/],
  ] as const) {
    const { code, stderr } = await run(t, ['send', ...words], { cwd });
    assert.equal(code, 2);
    assert.match(stderr, said);
  }
});
