/** The log of `file:`: what is written, what is read, and what is refused. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Receiver, receiver as openReceiver, sender as openSender } from '../../src/channel/index.js';
import { countDescriptors } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';

const START = 24;
const END = 16;

/** A path in an empty folder, and its URL. */
function place(t: TestContext): { path: string; url: string } {
  const path = join(temporaryFolder(t), 'log');
  return { path, url: `file:${path}` };
}

async function send(url: string, ...messages: string[]): Promise<void> {
  await using sender = await openSender(url);
  for (const message of messages) await sender.send(Buffer.from(message));
}

async function all(receiver: Receiver): Promise<string[]> {
  const list: string[] = [];
  for await (const message of receiver) list.push(message.toString());
  return list;
}

async function received(url: string): Promise<string[]> {
  await using receiver = await openReceiver(url);
  return await all(receiver);
}

async function next(receiver: Receiver): Promise<string | undefined> {
  return (await receiver.receive())?.toString();
}

test('messages are read in order by every receiver, each from the beginning', async (t) => {
  const { url } = place(t);
  await send(url, 'one', '', 'three');
  assert.deepEqual(await received(url), ['one', '', 'three']);
  assert.deepEqual(await received(url), ['one', '', 'three']);
});

test('the log is byte for byte what docs/protocol.md says', async (t) => {
  const { path, url } = place(t);
  await send(url, 'abc', '');
  const bytes = readFileSync(path);
  const salt = bytes.subarray(4, 8).toString('hex');
  const records = ['fdffffff', salt, Buffer.from('IPROCLOG').toString('hex'), '01000000', '00000000'];
  records.push('03000000', salt, '616263', '00000000', salt, 'ffffffff', salt, '00000000', '00000000');
  assert.equal(bytes.toString('hex'), records.join(''));
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a message of 64 MiB arrives in each form of receiving', async (t) => {
  const { url } = place(t);
  const message = Buffer.alloc(64 * 1024 * 1024, 'sixty-four');
  await using sender = await openSender(url);
  assert.equal(sender.trySend(message), true);
  sender.sendSync(message);
  await sender.send(message);
  await sender.close();
  await using receiver = await openReceiver(url);
  assert.ok(message.equals(receiver.receiveSync() as Uint8Array));
  let visited = 0;
  await receiver.drain((bytes, start, end) => {
    visited += end - start;
    assert.equal(message.compare(bytes, start, end), 0);
  });
  const batches = await receiver.receiveMany();
  for (const one of batches ?? []) visited += one.length;
  assert.equal(visited, 2 * message.length);
  assert.equal(await receiver.receive(), null);
});

test('messages that were given are not overwritten by later ones', async (t) => {
  const { url } = place(t);
  await using sender = await openSender(url);
  await using receiver = await openReceiver(url);
  const kept: Uint8Array[] = [];
  for (let round = 0; round < 5; round++) {
    for (let number = 0; number < 3000; number++) sender.trySend(Buffer.alloc(100, round));
    await sender.flush();
    while (kept.length < 2000 * (round + 1)) kept.push((await receiver.receive()) as Uint8Array);
    await receiver.drain(() => undefined);
    for (const message of (await receiver.receiveMany()) ?? []) kept.push(message);
    kept.length = 2000 * (round + 1);
  }
  assert.ok(kept.every((message) => message.every((byte) => byte === message[0])));
});

test('a receiver may come first, before the file is there', async (t) => {
  const { url } = place(t);
  await using receiver = await openReceiver(url);
  const first = receiver.receive();
  await using sender = await openSender(url);
  await sender.send(Buffer.from('early'));
  assert.equal((await first)?.toString(), 'early');
  const second = receiver.receive();
  await sender.send(Buffer.from('later'));
  assert.equal((await second)?.toString(), 'later');
});

test('a wait that is aborted takes nothing', async (t) => {
  const { url } = place(t);
  await using sender = await openSender(url);
  await using receiver = await openReceiver(url);
  const abort = new AbortController();
  const wait = receiver.receive({ signal: abort.signal });
  abort.abort();
  await assert.rejects(wait, { code: 'ABORT_ERR' });
  await assert.rejects(receiver.receive({ timeoutMs: 1 }), { code: 'ETIMEDOUT' });
  await sender.send(Buffer.from('kept'));
  assert.equal(await next(receiver), 'kept');
});

test('the next sender goes on where the last one ended', async (t) => {
  const { url } = place(t);
  await send(url, 'a');
  await send(url, 'b');
  await send(url, 'c');
  assert.deepEqual(await received(url), ['a', 'b', 'c']);
});

test('a second sender is EBUSY and learns the pid of the first', async (t) => {
  const { url } = place(t);
  await using _sender = await openSender(url);
  await assert.rejects(openSender(url), (why: Error & { code: string; hint: string }) => {
    assert.equal(why.code, 'EBUSY');
    assert.match(why.message, new RegExp(`process ${process.pid} `));
    assert.match(why.hint, /one sender/);
    return true;
  });
});

test('a record that is torn at any byte is cut off by the next sender, and no receiver sees it', async (t) => {
  const { path, url } = place(t);
  const torn = Buffer.alloc(8 + 20, 'x');
  torn.writeUInt32LE(20, 0);
  for (let length = 0; length < torn.length; length++) {
    rmSync(path, { force: true });
    await send(url, 'whole');
    const bytes = readFileSync(path);
    torn.set(bytes.subarray(4, 8), 4);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, -END), torn.subarray(0, length)]));
    await using receiver = await openReceiver(url);
    assert.equal(await next(receiver), 'whole');
    assert.equal(receiver.tryReceive(), undefined);
    await send(url, 'after');
    assert.deepEqual(await all(receiver), ['after'], `torn after ${length} bytes`);
    assert.deepEqual(await received(url), ['whole', 'after']);
  }
});

test('a log that is torn within its first or last mark is completed by the next sender', async (t) => {
  const { path, url } = place(t);
  await send(url, 'one');
  const bytes = readFileSync(path);
  for (const length of [...Array(START).keys(), ...Array.from({ length: END }, (_, left) => bytes.length - 1 - left)]) {
    writeFileSync(path, bytes.subarray(0, length));
    await using receiver = await openReceiver(url);
    const before = length > START ? ['one'] : [];
    for (const message of before) assert.equal(await next(receiver), message);
    assert.equal(receiver.tryReceive(), undefined);
    await send(url, 'two');
    assert.deepEqual(await all(receiver), ['two']);
  }
});

test('zeros at the end of a log, as a power failure leaves them, are no messages', async (t) => {
  const { path, url } = place(t);
  await send(url, 'one');
  truncateSync(path, statSync(path).size - END);
  appendFileSync(path, Buffer.alloc(5000));
  await using receiver = await openReceiver(url);
  assert.equal(await next(receiver), 'one');
  assert.equal(receiver.tryReceive(), undefined);
  await send(url, 'two');
  assert.deepEqual(await all(receiver), ['two']);
});

test('a file that is no log is refused by both ends and left as it is', async (t) => {
  const { path, url } = place(t);
  for (const content of [
    'x',
    'hello\n',
    'a longer text than the first mark of a log\n',
    '\0\0\0\0\0\0\0\0\0\0\0\0',
    'hell\0\0\0\0 o',
  ]) {
    writeFileSync(path, content);
    const refused = { code: 'EBADMSG', message: /not an interproc log/, hint: /\?raw/ };
    await assert.rejects(openSender(url), refused);
    await assert.rejects(received(url), refused);
    await assert.rejects(openReceiver(`${url}?from=end`), refused);
    assert.equal(readFileSync(path, 'utf8'), content);
  }
});

test('a damaged log is an error that says where', async (t) => {
  const { path, url } = place(t);
  await send(url, 'one', 'two');
  const bytes = readFileSync(path);
  for (const at of [START + 3, START + 4]) {
    const copy = Buffer.from(bytes);
    copy[at] = 0xee;
    writeFileSync(path, copy);
    const damaged = { code: 'EBADMSG', message: new RegExp(`damaged at byte ${START}`) };
    await assert.rejects(received(url), damaged);
    await assert.rejects(openSender(url), damaged);
  }
});

test('what stands in the place of the log and is no file is refused', async (t) => {
  const { path, url } = place(t);
  symlinkSync(join(path, '..', 'elsewhere'), path);
  await assert.rejects(openSender(url), { code: 'ELOOP', path });
  await assert.rejects(openReceiver(url), { code: 'ELOOP', path });
  assert.equal(existsSync(join(path, '..', 'elsewhere')), false);
  rmSync(path);
  mkdirSync(path);
  await assert.rejects(openSender(url), { code: 'EISDIR' });
  await assert.rejects(openReceiver(url), { code: 'EISDIR' });
  await assert.rejects(openSender(`${url}/not/there`), { code: 'ENOENT' });
  await assert.rejects(openReceiver(`${url}/not/there`), { code: 'ENOENT' });
  await assert.rejects(openReceiver('file:'), { code: 'ERR_INTERPROC_URL' });
  await assert.rejects(openReceiver(`${url}?from=middle`), { code: 'ERR_INTERPROC_URL' });
});

test('a log that is renamed goes on in a new file, and the receiver follows it there', async (t) => {
  const { path, url } = place(t);
  await using sender = await openSender(url);
  await using waiting = await openReceiver(url);
  await using late = await openReceiver(url);
  for (let generation = 1; generation <= 3; generation++) {
    await sender.send(Buffer.from(`before ${generation}`));
    await sender.flush();
    assert.equal(await next(waiting), `before ${generation}`);
    renameSync(path, `${path}.${generation}`);
    const after = waiting.receive();
    await sender.send(Buffer.from(`after ${generation}`));
    assert.equal((await after)?.toString(), `after ${generation}`);
  }
  await sender.close();
  const everything = [1, 2, 3].flatMap((generation) => [`before ${generation}`, `after ${generation}`]);
  assert.deepEqual(await all(late), everything, 'also one that finds only renamed files');
  assert.equal(await waiting.receive(), null);
});

test('a log that somebody renamed and made anew goes on in the new file', async (t) => {
  const { path, url } = place(t);
  await using sender = await openSender(url);
  await using receiver = await openReceiver(url);
  await sender.send(Buffer.from('old'));
  await sender.flush();
  renameSync(path, `${path}.1`);
  writeFileSync(path, '', { mode: 0o640 });
  await sender.send(Buffer.from('new'));
  await sender.close();
  assert.deepEqual(await all(receiver), ['old', 'new']);
  assert.equal(statSync(path).mode & 0o777, 0o640);
});

test('a renamed log whose sender is gone is read to its end, then the one that took its place', async (t) => {
  const { path, url } = place(t);
  await using receiver = await openReceiver(url);
  const first = await openSender(url);
  await first.send(Buffer.from('old'));
  await first.flush();
  assert.equal(await next(receiver), 'old');
  const waiting = receiver.receive();
  renameSync(path, `${path}.1`);
  first.destroy();
  await first.closed;
  await send(url, 'new');
  assert.equal((await waiting)?.toString(), 'new');
  assert.equal(await receiver.receive(), null);
});

test('a file that is gone after two rotations is an error, not a gap', async (t) => {
  const { path, url } = place(t);
  await using sender = await openSender(url);
  await using receiver = await openReceiver(url);
  for (const message of ['first', 'second', 'third']) {
    await sender.send(Buffer.from(message));
    await sender.flush();
    if (message !== 'third') renameSync(path, `${path}.${message}`);
  }
  rmSync(`${path}.second`);
  assert.equal(await next(receiver), 'first');
  await assert.rejects(receiver.receive(), { code: 'ENOENT', message: /messages were lost/ });
  await assert.rejects(receiver.receive(), { code: 'ENOENT' });
});

test('a log that is removed under its sender begins anew with the next message', async (t) => {
  const { path, url } = place(t);
  await using sender = await openSender(url);
  await sender.send(Buffer.from('lost'));
  await sender.flush();
  rmSync(path);
  await sender.send(Buffer.from('kept'));
  await sender.close();
  assert.deepEqual(await received(url), ['kept']);
});

test('a sender that only ends does not make a removed log again', async (t) => {
  const { path, url } = place(t);
  const sender = await openSender(url);
  await sender.send(Buffer.from('lost'));
  await sender.flush();
  rmSync(path);
  await sender.close();
  assert.equal(existsSync(path), false);
});

test('a log that is truncated is read from its beginning again', async (t) => {
  const { path, url } = place(t);
  for (const coalesce of [true, false]) {
    rmSync(path, { force: true });
    await using sender = await openSender(url, { coalesce });
    await using receiver = await openReceiver(url);
    for (let round = 0; round < 20; round++) {
      await sender.send(Buffer.from('before'));
      await sender.flush();
      assert.equal(await next(receiver), 'before');
      const waiting = receiver.receive();
      truncateSync(path, 0);
      await sender.send(Buffer.from('after'));
      assert.equal((await waiting)?.toString(), 'after');
    }
    await sender.close();
    assert.deepEqual(await received(url), ['after']);
  }
});

test('a log that is truncated while its sender is writing begins properly with the next message', async (t) => {
  const { path, url } = place(t);
  await using sender = await openSender(url);
  await using receiver = await openReceiver(url);
  await sender.send(Buffer.from('a message before'));
  await sender.flush();
  assert.equal(await next(receiver), 'a message before');
  const orphan = Buffer.concat([Buffer.from([6, 0, 0, 0]), readFileSync(path).subarray(4, 8), Buffer.from('orphan')]);
  writeFileSync(path, orphan);
  assert.equal(receiver.tryReceive(), undefined);
  await sender.send(Buffer.from('after'));
  await sender.close();
  assert.deepEqual(await all(receiver), ['after']);
  assert.deepEqual(await received(url), ['after']);
});

test('a log that is truncated and filled beyond the place of its reader is noticed', async (t) => {
  const { path, url } = place(t);
  for (const length of [5, 6, 7, 8, 30, 31, 32]) {
    rmSync(path, { force: true });
    await using sender = await openSender(url);
    await using receiver = await openReceiver(url);
    await sender.send(Buffer.from('a message of some length'));
    await sender.flush();
    assert.equal(await next(receiver), 'a message of some length');
    truncateSync(path, 0);
    const fresh = Array.from({ length: 40 }, (_, number) => `${number}`.padEnd(length));
    for (const message of fresh) await sender.send(Buffer.from(message));
    await sender.close();
    assert.deepEqual(await all(receiver), fresh);
  }
});

test('a log that is cut in the middle goes on behind its last whole message', async (t) => {
  const { path, url } = place(t);
  await using sender = await openSender(url);
  for (const message of ['one', 'two', 'three']) await sender.send(Buffer.from(message));
  await sender.flush();
  truncateSync(path, statSync(path).size - 2);
  await sender.send(Buffer.from('four'));
  await sender.close();
  assert.deepEqual(await received(url), ['one', 'two', 'four']);
});

test('bytes that another program appends to a log are an error for its sender', async (t) => {
  const { path, url } = place(t);
  const sender = await openSender(url);
  await sender.send(Buffer.from('ours'));
  await sender.flush();
  appendFileSync(path, 'something else\n');
  await sender.send(Buffer.from('next'));
  await assert.rejects(sender.flush(), { code: 'EBADMSG' });
  sender.destroy();
});

test('with ?from=end a receiver begins behind what is there, though it may be torn', async (t) => {
  const { path, url } = place(t);
  await using sender = await openSender(url);
  await sender.send(Buffer.from('before'));
  await sender.flush();
  await using receiver = await openReceiver(`${url}?from=end`);
  assert.equal(receiver.tryReceive(), undefined);
  await sender.send(Buffer.from('after'));
  assert.equal(await next(receiver), 'after');
  sender.destroy();
  await sender.closed;
  appendFileSync(path, Buffer.from([9, 0, 0, 0, 1]));
  await using second = await openReceiver(`${url}?from=end`);
  assert.equal(second.tryReceive(), undefined);
  await send(url, 'last');
  assert.deepEqual(await all(second), ['last']);
});

test('with ?follow=false a receiver ends where the log ends', async (t) => {
  const { url } = place(t);
  await assert.rejects(openReceiver(`${url}?follow=false`), { code: 'ENOENT' });
  await using sender = await openSender(url);
  await sender.send(Buffer.from('one'));
  await sender.flush();
  assert.deepEqual(await received(`${url}?follow=false`), ['one']);
});

test('a temporary log is removed by whoever reads its end, unless it is told to keep it', async (t) => {
  const { path, url } = place(t);
  const temporary = { temporary: true };
  for (const keep of [true, false]) {
    await using sender = await openSender(url, temporary);
    await sender.send(Buffer.from('one'));
    await sender.close();
    assert.ok(existsSync(path));
    await using receiver = await openReceiver(url, keep ? { temporary: false } : {});
    while ((await receiver.receive()) !== null);
    await receiver.close();
    assert.equal(existsSync(path), keep);
  }
});

test('a temporary sender does not have a log removed that was there before it', async (t) => {
  const { path, url } = place(t);
  await send(url, 'kept');
  await using sender = await openSender(url, { temporary: true });
  await sender.close();
  await using receiver = await openReceiver(url, { temporary: true });
  while ((await receiver.receive()) !== null);
  await receiver.close();
  assert.ok(existsSync(path));
});

test('a temporary log that a crash left behind is continued and removed at its end', async (t) => {
  const { path, url } = place(t);
  const first = await openSender(url, { temporary: true });
  await first.send(Buffer.from('one'));
  await first.flush();
  first.destroy();
  await first.closed;
  await using second = await openSender(url, { temporary: true });
  await second.send(Buffer.from('two'));
  await second.close();
  await using receiver = await openReceiver(url, { temporary: true });
  assert.deepEqual(await all(receiver), ['one', 'two']);
  await receiver.close();
  assert.equal(existsSync(path), false);
});

test('a temporary log that another sender goes on with is not removed', async (t) => {
  const { path, url } = place(t);
  await using first = await openSender(url, { temporary: true });
  await first.close();
  await using receiver = await openReceiver(url);
  assert.equal(await receiver.receive(), null);
  await using second = await openSender(url, { temporary: true });
  await receiver.close();
  assert.ok(existsSync(path));
  await second.send(Buffer.from('more'));
  await second.close();
  assert.deepEqual(await received(url), ['more']);
  assert.equal(existsSync(path), false);
});

test('closing leaves no descriptor open, however it comes about', async (t) => {
  const { path, url } = place(t);
  await send(url, 'warm up');
  assert.deepEqual(await received(url), ['warm up']);
  const before = countDescriptors();
  for (let round = 0; round < 50; round++) {
    const sender = await openSender(url);
    const receiver = await openReceiver(url);
    await assert.rejects(openSender(url), { code: 'EBUSY' });
    await receiver.receive();
    const wait = assert.rejects(receiver.receive(), { code: 'ERR_INTERPROC_CLOSED' });
    sender.trySend(Buffer.from('x'));
    receiver.destroy();
    await wait;
    if (round % 2 === 0) await sender.close();
    else sender.destroy();
    await sender.closed;
    await receiver.closed;
    truncateSync(path, 0);
    await send(url, 'a');
  }
  assert.equal(countDescriptors(), before);
});
