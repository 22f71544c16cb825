/** Messages in packets: what is on the wire of unixpacket: and unixgram:, with peers that know nothing of us, and what breaks it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as channel from '../../src/channel/index.js';
import { LONGEST_PACKET, PACKET, PIECE_HEADER } from '../../src/channel/pieces.js';
import { type DatagramSocket, datagram, type SeqpacketSocket, seqpacket } from '../../src/unix/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { randomName, temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { until } from '../support/proc.js';

const SCHEMES = ['unixpacket', 'unixgram'] as const;
type Scheme = (typeof SCHEMES)[number];
const SOON = { timeoutMs: 10_000 };

const text = (message: Uint8Array | null | undefined): string => Buffer.from(message ?? assert.fail()).toString();

/** A path in a folder of its own. */
const pathFor = (t: TestContext): string => join(temporaryFolder(t), 's');

/** A channel's sender, and the bare socket that receives from it. */
async function toBare(t: TestContext, scheme: Scheme): Promise<[channel.Sender, DatagramSocket | SeqpacketSocket]> {
  const path = pathFor(t);
  if (scheme === 'unixgram') {
    const socket = datagram.bind(path);
    t.after(() => socket.close());
    return [await channel.sender(`${scheme}:${path}`), socket];
  }
  using listener = seqpacket.listen(path);
  const out = await channel.sender(`${scheme}:${path}`);
  const socket = await listener.accept();
  t.after(() => socket.close());
  return [out, socket];
}

/** A channel's receiver, and a bare socket that sends to it. */
async function fromBare(
  t: TestContext,
  scheme: Scheme,
  options: channel.OpenReceiver = {},
): Promise<[channel.Receiver, DatagramSocket | SeqpacketSocket]> {
  const path = pathFor(t);
  const opening = channel.receiver(`${scheme}:${path}`, options);
  const socket =
    scheme === 'unixgram' ? await datagram.connectWhenBound(path) : await seqpacket.connectWhenListening(path);
  t.after(() => socket.close());
  const into = await opening;
  t.after(() => into.destroy());
  return [into, socket];
}

function piece(kind: number, number: number, sender: number, value: number, bytes: Uint8Array): Buffer {
  const packet = Buffer.alloc(PIECE_HEADER + bytes.length);
  packet.writeUInt32LE(kind, 0);
  packet.writeUInt32LE(number, 4);
  packet.writeBigUInt64LE(BigInt(sender), 8);
  packet.writeBigUInt64LE(BigInt(value), 16);
  packet.set(bytes, PIECE_HEADER);
  return packet;
}

function several(...messages: string[]): Buffer {
  const parts = messages.map((message) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(message.length);
    return Buffer.concat([length, Buffer.from(message)]);
  });
  return Buffer.concat([Buffer.from([4]), ...parts]);
}

function end(sender: number): Buffer {
  const packet = Buffer.alloc(16);
  packet[0] = 3;
  packet.writeBigUInt64LE(BigInt(sender), 8);
  return packet;
}

for (const scheme of SCHEMES) {
  test(`${scheme}: sends one message whole, several with their lengths, a long one in pieces, and an end mark`, async (t) => {
    const [out, socket] = await toBare(t, scheme);
    await out.send(Buffer.from('alone'));
    await out.flush();
    assert.deepEqual(Buffer.from((await socket.receive())?.data ?? []), Buffer.from('\0alone'));
    for (const word of ['one', '', 'three']) out.trySend(Buffer.from(word));
    await out.flush();
    assert.deepEqual(Buffer.from((await socket.receive())?.data ?? []), several('one', '', 'three'));
    const longest = randomBytes(PACKET - 5);
    await out.send(longest);
    await out.flush();
    assert.deepEqual(Buffer.from((await socket.receive())?.data ?? []), Buffer.concat([Buffer.from([0]), longest]));
    const long = randomBytes(PACKET - 4);
    await out.send(long);
    const [first, more] = [await socket.receive(), await socket.receive()];
    assert.equal(first?.length, PACKET);
    const sender = Number(Buffer.from(first.data).readBigUInt64LE(8));
    const size = PACKET - PIECE_HEADER;
    assert.deepEqual(
      Buffer.from(first.data).subarray(16),
      piece(1, 0, 0, long.length, long.subarray(0, size)).subarray(16),
    );
    assert.deepEqual(
      Buffer.from(more?.data ?? []).subarray(16),
      piece(2, 1, 0, size, long.subarray(size)).subarray(16),
    );
    const closing = out.close();
    const mark = Buffer.from((await socket.receive())?.data ?? []);
    assert.equal(mark.length, 16);
    assert.deepEqual([mark[0], Number(mark.readBigUInt64LE(8))], [3, sender]);
    await closing;
  });

  test(`${scheme}: takes every form, packets of 64 KiB, and pieces of several senders that mix`, async (t) => {
    const [into, socket] = await fromBare(t, scheme);
    await socket.send(Buffer.from('\0whole'));
    await socket.send(several('', 'b', ''));
    await socket.send(several());
    await socket.send(Buffer.concat([Buffer.from([0]), Buffer.alloc(LONGEST_PACKET - 1, 7)]));
    await socket.send(piece(1, 0, 1, 6, Buffer.from('abc')));
    await socket.send(piece(1, 0, 2, 4, Buffer.from('12')));
    await socket.send(piece(2, 1, 1, 3, Buffer.from('def')));
    await socket.send(piece(2, 1, 9, 3, Buffer.from('whose first piece is missing')));
    await socket.send(piece(2, 1, 2, 2, Buffer.from('34')));
    await socket.send(end(1));
    for (const word of ['whole', '', 'b', '']) assert.equal(text(await into.receive(SOON)), word);
    assert.ok((await into.receive(SOON))?.equals(Buffer.alloc(LONGEST_PACKET - 1, 7)));
    assert.equal(text(await into.receive(SOON)), 'abcdef');
    assert.equal(text(await into.receive(SOON)), '1234');
    assert.equal(await into.receive(SOON), null);
    await into.close();
  });

  test(`${scheme}: a packet that is not in the form of a channel is EBADMSG, after every message before it`, async (t) => {
    const bad: [what: string, packet: Buffer][] = [
      ['an unknown kind', Buffer.from([5, 1, 2])],
      ['an end mark of another length', Buffer.from([3, 0])],
      ['a length that is cut off', Buffer.from([4, 1, 0])],
      ['a length beyond the packet', Buffer.from([4, 2, 0, 0, 0, 65])],
      ['a length of 4 GiB', Buffer.from([4, 255, 255, 255, 255, 65])],
      ['a packet that is too long', Buffer.alloc(LONGEST_PACKET + 1)],
      ['one that is much too long', Buffer.alloc(200_000)],
    ];
    if (scheme === 'unixgram') bad.push(['an empty one', Buffer.alloc(0)]);
    for (const [what, packet] of bad) {
      const [into, socket] = await fromBare(t, scheme);
      await socket.send(several('before'));
      await socket.send(packet);
      assert.equal(text(await into.receive(SOON)), 'before', what);
      await assert.rejects(into.receive(SOON), { code: 'EBADMSG', hint: /docs\/protocol\.md/ }, what);
      await into.close();
    }
  });

  test(`${scheme}: with ?raw each packet is a message, also an empty one, both ways with Python`, async (t) => {
    if (!peer(t, 'python3')) return;
    const path = pathFor(t);
    const program = [
      'import os, socket, sys',
      'role, kind, path = sys.argv[1], getattr(socket, sys.argv[2]), sys.argv[3]',
      's = socket.socket(socket.AF_UNIX, kind)',
      'if role == "receive":',
      '    s.bind(path)',
      '    if kind == socket.SOCK_SEQPACKET: s.listen(); print("ready", flush=True); s, _ = s.accept()',
      '    else: print("ready", flush=True)',
      '    for _ in range(4): print(len(s.recv(300000)), flush=True)',
      'else:',
      '    s.connect(path)',
      '    for length in (3, 0, 200000, 1): s.send(b"x" * length)',
    ].join('\n');
    const kind = scheme === 'unixgram' ? 'SOCK_DGRAM' : 'SOCK_SEQPACKET';
    const receiving = start(t, 'python3', ['-c', program, 'receive', kind, path]);
    assert.equal(await receiving.line(), 'ready');
    const out = await channel.sender(`${scheme}:${path}?raw`);
    const lengths = [3, 0, 200_000, 1];
    for (const length of lengths) await out.send(Buffer.alloc(length, 1));
    await assert.rejects(out.send(Buffer.alloc(10_000_000)), { code: 'EMSGSIZE', message: /\?raw does not split/ });
    for (const length of lengths) assert.equal(await receiving.line(), String(length), receiving.errors());
    out.destroy();
    await receiving.ended;

    const opening = channel.receiver(`${scheme}:${path}-2?raw`);
    if (scheme === 'unixgram') await opening;
    if (scheme === 'unixpacket') await until('it listens', () => existsSync(`${path}-2`));
    const sending = start(t, 'python3', ['-c', program, 'send', kind, `${path}-2`]);
    const into = await opening;
    for (const length of lengths) assert.equal((await into.receive(SOON))?.length, length);
    if (scheme === 'unixpacket') assert.equal(await into.receive(SOON), null);
    else assert.equal(into.tryReceive(), undefined);
    await into.close();
    assert.equal((await sending.ended).code, 0, sending.errors());
  });

  test(`${scheme}: works by an abstract name, and what was opened in vain leaves nothing`, async (t) => {
    openPoller();
    const url = `${scheme}:@${randomName('packet')}`;
    const before = countDescriptors();
    await assert.rejects(channel.sender(url, { timeoutMs: 10 }), { code: 'ETIMEDOUT' });
    const abort = new AbortController();
    const waiting = channel.sender(url, { signal: abort.signal });
    abort.abort();
    await assert.rejects(waiting, { code: 'ABORT_ERR' });
    assert.equal(countDescriptors(), before);
    const [out, into] = await Promise.all([channel.sender(url), channel.receiver(url)]);
    await out.send(Buffer.from('hello'));
    await out.close();
    assert.equal(text(await into.receive(SOON)), 'hello');
    assert.equal(await into.receive(SOON), null);
    await into.close();
    assert.equal(countDescriptors(), before);
    await assert.rejects(channel.sender(`${scheme}:@x?max=3`), /unknown option "max"/);
    const path = join(temporaryFolder(t), 'none', 's');
    await assert.rejects(channel.receiver(`${scheme}:${path}`), { code: 'ENOENT' });
  });
}

test('unixpacket: goes both ways, many at a time', async (t) => {
  const url = `unixpacket:${pathFor(t)}`;
  await using listener = await channel.listen(url);
  const serving = (async () => {
    for (let count = 0; count < 3; count++) {
      const guest = await listener.accept();
      void (async () => {
        for await (const message of guest.messages()) await guest.send(Buffer.concat([message, Buffer.from('!')]));
        await guest.close();
      })();
    }
  })();
  const hosts = await Promise.all([1, 2, 3].map(() => channel.connect(url)));
  const long = randomBytes(1_000_000);
  await Promise.all(
    hosts.map(async (host, index) => {
      await host.send(Buffer.from(`hello ${index}`));
      assert.equal(text(await host.receive()), `hello ${index}!`);
      const sending = host.send(long);
      assert.ok((await host.receive())?.subarray(0, long.length).equals(long));
      await sending;
      await host.close();
    }),
  );
  await serving;
});

test('unixpacket: eight senders, each with a connection of its own, lose nothing, and each keeps its order', async (t) => {
  const url = `unixpacket:${pathFor(t)}`;
  await using listener = await channel.listen(url);
  const sizes = Array.from({ length: 300 }, (_, number) => [20, 5000, 40_000][number % 3] as number);
  const sending = Array.from({ length: 8 }, async (_, sender) => {
    const host = await channel.connect(url);
    for (const [number, size] of sizes.entries()) {
      const message = Buffer.alloc(size, sender);
      message.writeUInt32LE(number, 4);
      await host.send(message);
    }
    await host.close();
  });
  const seen = new Map<number, number>();
  const receiving = Array.from({ length: 8 }, async () => {
    const guest = await listener.accept();
    for await (const message of guest.messages()) {
      const sender = message[0] as number;
      const number = seen.get(sender) ?? 0;
      assert.deepEqual([message.readUInt32LE(4), message.length, message.at(-1)], [number, sizes[number], sender]);
      seen.set(sender, number + 1);
    }
    await guest.close();
  });
  await Promise.all([...sending, ...receiving]);
  assert.deepEqual(
    [...seen].sort(([one], [other]) => one - other),
    Array.from({ length: 8 }, (_, sender) => [sender, sizes.length]),
  );
});

test('unixgram: a receiver that is gone is EPIPE to the next message, and a new one is found by new senders only', async (t) => {
  const url = `unixgram:${pathFor(t)}`;
  const into = await channel.receiver(url);
  const out = await channel.sender(url);
  await assert.rejects(channel.receiver(url), { code: 'EADDRINUSE' });
  await assert.rejects(channel.connect(url), /goes one way/);
  await out.send(Buffer.from('lost'));
  await out.flush();
  await into.close();
  const closed = assert.rejects(out.closed, { code: 'EPIPE' });
  await out.send(Buffer.from('x')).catch(() => {});
  await assert.rejects(out.flush(), { code: 'EPIPE', message: /the receiver is gone/ });
  await closed;
  await assert.rejects(out.send(Buffer.from('y')), { code: 'EPIPE' });
  out.destroy();
  const [next, again] = [await channel.receiver(url), await channel.sender(url)];
  await again.send(Buffer.from('found'));
  await again.close();
  assert.equal(text(await next.receive(SOON)), 'found');
  assert.equal(await next.receive(SOON), null);
  await next.close();
});

test('unixgram: long messages of eight senders at once arrive whole, and the end comes after eight marks', async (t) => {
  const url = `unixgram:${pathFor(t)}`;
  const into = await channel.receiver(url, { senders: 8 });
  const sizes = [100_000, 1, 300_000, PACKET, 16_379, 16_380, 500_000];
  const sending = Array.from({ length: 8 }, async (_, sender) => {
    await using out = await channel.sender(url);
    for (const size of sizes) await out.send(Buffer.alloc(size, sender));
  });
  const seen = Array.from({ length: 8 }, (): number[] => []);
  for await (const message of into) {
    const sender = message[0] as number;
    assert.ok(message.every((byte) => byte === sender));
    seen[sender]?.push(message.length);
  }
  await Promise.all(sending);
  for (const lengths of seen) assert.deepEqual(lengths, sizes);
  await into.close();
});

test('what a sender left in several packets is received after it has closed, message by message', async (t) => {
  const url = `unixpacket:${pathFor(t)}`;
  for (let round = 0; round < 50; round++) {
    const [out, into] = await Promise.all([channel.sender(url), channel.receiver(url)]);
    for (let number = 0; number < 100; number++) await out.send(Buffer.alloc(1000, number));
    // The first is taken, and with it a packet of which the others are still in memory when the sender has gone.
    const first = await into.receive();
    await out.close();
    const numbers = [first?.[0]];
    for await (const message of into) {
      numbers.push(message[0]);
      if (numbers.length % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(
      numbers,
      Array.from({ length: 100 }, (_, index) => index),
    );
    await into.close();
  }
});

/** So many senders, each with what it sends as its own number, and a receiver for them. */
async function gathered(t: TestContext, senders: number): Promise<[channel.Receiver, channel.Sender[]]> {
  const url = `unixpacket:${pathFor(t)}`;
  const opening = channel.receiver(url, { senders });
  const first = await channel.sender(url);
  const into = await opening;
  t.after(() => into.destroy());
  const others = Array.from({ length: senders - 1 }, () => channel.sender(url));
  const all = [first];
  for (const other of others) {
    // They are let in while the receiver looks.
    let isOpen = false;
    void other.then(() => {
      isOpen = true;
    });
    while (!isOpen) {
      assert.equal(into.tryReceive(), undefined);
      await new Promise((resolve) => setImmediate(resolve));
    }
    all.push(await other);
  }
  for (const one of all) t.after(() => one.destroy());
  return [into, all];
}

test('unixpacket: senders that were asked for are let in as they come, and the address is free after the last', async (t) => {
  openPoller();
  const before = countDescriptors();
  const [into, [one, two]] = (await gathered(t, 2)) as [channel.Receiver, [channel.Sender, channel.Sender]];
  await assert.rejects(channel.sender(into.url, { timeoutMs: 20 }), { code: 'ETIMEDOUT' }, 'no third one');
  await one.send(Buffer.from('from one'));
  assert.equal(text(await into.receive(SOON)), 'from one');
  await one.close();
  await two.send(Buffer.from('from two'));
  await two.flush();
  assert.equal(text(into.receiveSync(SOON)), 'from two');
  assert.throws(() => into.receiveSync({ timeoutMs: 20 }), { code: 'ETIMEDOUT' });
  await two.close();
  assert.equal(into.receiveSync(SOON), null);
  await into.close();
  assert.equal(countDescriptors(), before);
});

test('unixpacket: a sender of several that dies without its end is ECONNRESET, after all that it had sent', async (t) => {
  const [into, [one, two]] = (await gathered(t, 2)) as [channel.Receiver, [channel.Sender, channel.Sender]];
  const waiting = into.receive(SOON);
  await one.send(Buffer.from('last words'));
  await one.flush();
  one.destroy();
  assert.equal(text(await waiting), 'last words');
  await assert.rejects(into.receive(SOON), { code: 'ECONNRESET' });
  await into.close();
  await assert.rejects(
    two.send(Buffer.from('to nobody')).then(() => two.flush()),
    { code: 'EPIPE' },
  );
});

test('unixpacket: a busy sender keeps nobody out, and an abort while others are awaited takes nothing', async (t) => {
  const url = `unixpacket:${pathFor(t)}`;
  const opening = channel.receiver(url, { senders: 2 });
  const busy = await channel.sender(url);
  const into = await opening;
  t.after(() => into.destroy());
  await assert.rejects(into.receive({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
  let over = false;
  const sending = (async () => {
    while (!over) await busy.send(Buffer.from('again and again'));
    await busy.close();
  })();
  const quiet = channel.sender(url).then(async (one) => {
    await one.send(Buffer.from('at last'));
    await one.close();
  });
  for await (const message of into) {
    if (text(message) !== 'at last') continue;
    over = true;
  }
  assert.ok(over);
  await Promise.all([sending, quiet]);
  await into.close();
});
