/** What holds for datagram and for seqpacket sockets. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { constants, closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Datagram, Message } from '../../src/unix/index.js';
import { countDescriptors, flagsOf, openPoller } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';
import { killed, startFixture } from '../support/program.js';
import { bytes, fillWith, MESSAGE_KINDS, messagePair, text } from './support.js';

const O_CLOEXEC = 0o2000000;
const kinds = Object.keys(MESSAGE_KINDS) as (keyof typeof MESSAGE_KINDS)[];

function closeAll(message: Message | Datagram | null | undefined): void {
  for (const fd of message?.fds ?? []) closeSync(fd);
}

for (const kind of kinds) {
  test(`${kind}: messages keep their boundaries in every form of sending and receiving`, async (t) => {
    const { first, second } = messagePair(t, kind);
    const into = new Uint8Array(8);
    await first.send(bytes('one'));
    first.sendSync(bytes('two'));
    assert.equal(first.trySend(bytes('three')), true);
    await first.sendMany([bytes('four'), bytes('five')]);
    first.sendManySync([bytes('six'), bytes('seven')]);
    assert.equal(first.trySendMany([bytes('eight'), bytes('nine'), bytes('ten')]), 3);
    assert.equal(text((await second.receive())?.data), 'one');
    assert.equal(text(second.receiveSync()?.data), 'two');
    assert.equal(text(second.tryReceive()?.data), 'three');
    assert.equal(await second.receiveInto(into), 4);
    assert.equal(text(into.subarray(0, 4)), 'four');
    assert.equal(second.receiveIntoSync(into), 4);
    assert.equal(second.tryReceiveInto(into), 3);
    assert.equal(text(into.subarray(0, 3)), 'six');
    assert.deepEqual(
      (await second.receiveMany({ most: 1 }))?.map((one) => text(one.data)),
      ['seven'],
    );
    assert.deepEqual(
      second.receiveManySync({ most: 2 })?.map((one) => text(one.data)),
      ['eight', 'nine'],
    );
    assert.deepEqual(
      second.tryReceiveMany()?.map((one) => text(one.data)),
      ['ten'],
    );
    assert.equal(second.tryReceive(), undefined);
    assert.equal(second.tryReceiveInto(into), undefined);
    assert.equal(second.tryReceiveMany(), undefined);
    const waiting = second.receive();
    second.trySend(bytes('back'));
    assert.equal(text(first.tryReceive()?.data), 'back');
    first.trySend(bytes('forth'));
    assert.equal(text((await waiting)?.data), 'forth');
  });

  test(`${kind}: an empty message is a message, in every form`, async (t) => {
    const { first, second } = messagePair(t, kind);
    const nothing = new Uint8Array(0);
    const waiting = second.receive();
    await first.send(nothing);
    assert.equal((await waiting)?.data.length, 0);
    first.sendSync(nothing);
    assert.equal(second.receiveSync()?.length, 0);
    assert.equal(first.trySend(nothing, { fds: [0] }), true);
    const third = second.tryReceive();
    assert.equal(third?.fds.length, 1);
    closeAll(third);
    await first.sendMany([nothing, bytes('x'), nothing]);
    assert.equal(second.tryReceiveInto(new Uint8Array(1)), 0);
    assert.deepEqual(
      second.tryReceiveMany()?.map((one) => one.length),
      [1, 0],
    );
    assert.equal(second.tryReceive(), undefined);
  });

  test(`${kind}: a message that is longer than maxBytes is cut off, and says how long it was`, async (t) => {
    const { first, second } = messagePair(t, kind);
    for (let index = 0; index < 4; index++) first.trySend(bytes('hello world'));
    const cut = await second.receive({ maxBytes: 5 });
    assert.deepEqual([text(cut?.data), cut?.length, cut?.truncated], ['hello', 11, true]);
    const whole = second.receiveSync({ maxBytes: 11 });
    assert.deepEqual([text(whole?.data), whole?.length, whole?.truncated], ['hello world', 11, false]);
    const into = new Uint8Array(3);
    assert.equal(second.tryReceiveInto(into), 11);
    assert.equal(text(into), 'hel');
    const [many] = second.tryReceiveMany({ maxBytes: 4 }) ?? [];
    assert.deepEqual([text(many?.data), many?.length, many?.truncated], ['hell', 11, true]);
    assert.equal(second.tryReceive(), undefined);
  });

  test(`${kind}: the longest message arrives whole, and a longer one is EMSGSIZE with the limits`, async (t) => {
    const { first, second } = messagePair(t, kind);
    const before = first.longestMessage;
    first.sendBuffer = before + 32;
    const most = Number(readFileSync('/proc/sys/net/core/wmem_max', 'utf8'));
    assert.ok(first.sendBuffer <= 2 * most);
    assert.ok(first.longestMessage >= before);
    const large = randomBytes(Math.min(first.longestMessage, 4_000_000));
    await first.send(large);
    const received = await second.receive();
    assert.equal(received?.truncated, false);
    assert.ok(large.equals(received?.data as Uint8Array));
    const tooLong = { name: 'IpcError', code: 'EMSGSIZE', syscall: 'sendmsg', hint: /sendBuffer.*wmem_max/ };
    const longer = new Uint8Array(first.longestMessage + 1);
    await assert.rejects(first.send(longer), tooLong);
    assert.throws(() => first.sendSync(longer), { ...tooLong, message: new RegExp(`${longer.length} bytes are more`) });
    assert.throws(() => first.trySend(longer), tooLong);
    await assert.rejects(first.sendMany([bytes('x'), longer, bytes('y')]), { ...tooLong, sent: 1 });
    assert.throws(() => first.sendManySync([longer]), { ...tooLong, sent: 0 });
    assert.deepEqual(
      second.tryReceiveMany()?.map((one) => text(one.data)),
      ['x'],
    );
  });

  test(`${kind}: descriptors and credentials belong to the message that they were sent with`, async (t) => {
    openPoller();
    const { first, second } = messagePair(t, kind);
    const before = countDescriptors();
    const file = openSync(join(temporaryFolder(t), 'file'), 'w+');
    assert.equal(second.passCredentials, false);
    await first.send(bytes('nobody'));
    second.passCredentials = true;
    await first.send(bytes('plain'));
    await first.send(bytes('one'), { fds: [file] });
    first.sendSync(bytes('two'), { fds: [file, { fd: file }] });
    const mine = { pid: process.pid, uid: process.getuid?.() as number, gid: process.getgid?.() as number };
    assert.equal(first.trySend(bytes('named'), { credentials: mine }), true);
    assert.equal((await second.receive())?.credentials, null);
    const plain = await second.receive();
    assert.deepEqual([text(plain?.data), plain?.fds, plain?.credentials], ['plain', [], mine]);
    const one = second.receiveSync() ?? assert.fail();
    const [fd] = one.fds as [number];

    assert.equal(fstatSync(fd).ino, fstatSync(file).ino);
    assert.equal(flagsOf(fd) & O_CLOEXEC, O_CLOEXEC);
    const rest = await second.receiveMany();
    assert.deepEqual(
      rest?.map((each) => [text(each.data), each.fds.length]),
      [
        ['two', 2],
        ['named', 0],
      ],
    );
    assert.deepEqual(rest?.[1]?.credentials, mine);
    assert.equal(fstatSync(rest?.[0]?.fds[1] as number).ino, fstatSync(file).ino);
    for (const each of [one, ...(rest ?? [])]) closeAll(each);
    first.trySend(bytes('dropped'), { fds: [file, file] });
    assert.equal(second.tryReceiveInto(new Uint8Array(10)), 7);
    closeSync(file);
    assert.equal(countDescriptors(), before);
  });

  test(`${kind}: 64 messages come in one batch, each with its own descriptors, of which 253 fit into one`, (t) => {
    openPoller();
    const { first, second } = messagePair(t, kind);
    const before = countDescriptors();
    const counts = Array.from({ length: 64 }, (_, index) => (index === 7 ? 253 : index % 4));
    for (const count of counts) assert.equal(first.trySend(bytes('x'), { fds: new Array(count).fill(0) }), true);
    const many = second.tryReceiveMany() ?? [];
    assert.deepEqual(
      many.map((one) => one.fds.length),
      counts,
    );
    const all = many.flatMap((one) => one.fds);
    assert.equal(new Set(all).size, all.length);
    assert.equal(countDescriptors(), before + all.length);
    for (const one of many) closeAll(one);
    assert.equal(countDescriptors(), before);
    assert.throws(() => first.trySend(bytes('x'), { fds: new Array(254).fill(0) }), { code: 'ERR_INTERPROC_RANGE' });
    assert.throws(() => first.trySend(bytes('x'), { fds: [0, 1 << 20] }), { code: 'EBADF', syscall: 'sendmsg' });
    assert.equal(second.tryReceive(), undefined);
  });

  test(`${kind}: at the limit of descriptors a message arrives, the error says what is lost, and nothing leaks`, async (t) => {
    const child = startFixture(t, 'unix-messages-at-limit', [kind]);
    for (let free = 0; free < 3; free++) {
      assert.equal(await child.line(), `${free} free: EMFILE recvmsg data=precious length=8 fds=0 leaked=0`);
      assert.equal(await child.line(), `${free} free, many: EMFILE messages=before,precious,after leaked=0`);
    }
    assert.equal(await child.line(), '3 free: received 3 descriptors');
    assert.equal((await child.ended).code, 0, child.errors());
  });

  test(`${kind}: what is on its way is gone with the sockets, also when it is these sockets themselves`, () => {
    openPoller();
    const before = countDescriptors();
    const { first, second } = MESSAGE_KINDS[kind]();
    first.sendSync(bytes('x'), { fds: [0, first, second] });
    second.sendSync(bytes('y'), { fds: [first, second] });
    first.close();
    second.close();
    assert.equal(countDescriptors(), before);
  });

  test(`${kind}: a pending wait keeps the process alive, an idle or unreferenced socket does not`, async (t) => {
    const waits = kind === 'datagram' ? ['receive', 'sendTo'] : ['receive', 'send'];
    const pending = waits.map((wait) => startFixture(t, 'waits', [`${kind}.${wait}`, 'stay']));
    for (const program of pending) assert.equal(await program.line(), 'waiting');
    // Those that have nothing to wait for come later and are gone before.
    for (const wait of ['idle', 'unref', 'unrefSend']) {
      const program = startFixture(t, 'waits', [`${kind}.${wait}`, 'stay']);
      assert.equal(await program.line(), 'waiting');
      assert.deepEqual(await program.ended, { code: 0, signal: null }, wait);
    }
    for (const program of pending) assert.equal((await killed(program)).signal, 'SIGKILL');
  });

  test(`${kind}: a send that waits for room keeps the descriptors, though the caller closes his`, async (t) => {
    openPoller();
    const { first, second } = messagePair(t, kind);
    const before = countDescriptors();
    const file = openSync(join(temporaryFolder(t), 'file'), 'w+');
    const { ino } = fstatSync(file);
    const waiting = fillWith(() => first.trySend(bytes('x')));
    const sending = first.send(bytes('late'), { fds: [file] });
    assert.equal(countDescriptors(), before + 2, 'a duplicate of it');
    closeSync(file);
    for (let taken = 0; taken < waiting; taken++) await second.receive();
    const late = await second.receive();
    await sending;
    assert.equal(fstatSync(late?.fds[0] as number).ino, ino);
    closeAll(late);
    const abort = new AbortController();
    fillWith(() => first.trySend(bytes('x')));
    const never = first.send(bytes('never'), { fds: [0, 1], signal: abort.signal });
    assert.equal(countDescriptors(), before + 2);
    abort.abort();
    await assert.rejects(never, { code: 'ABORT_ERR' });
    assert.equal(countDescriptors(), before);
  });

  test(`${kind}: the loop over messages ends when the socket is closed`, async (t) => {
    const { first, second } = messagePair(t, kind);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { data } of second) {
        seen.push(text(data));
        if (data.length === 0) second.close();
      }
    })();
    for (const word of ['one', 'two', '']) await first.send(bytes(word));
    await reading;
    assert.deepEqual(seen, ['one', 'two', '']);
  });

  test(`${kind}: sockets of a pair stay blocking until they are used, and again when handed over`, (t) => {
    const { first, second } = messagePair(t, kind);
    for (const use of [() => first.tryReceive(), () => first.trySend(bytes('x'))]) {
      assert.equal(flagsOf(first.fd) & constants.O_NONBLOCK, 0);
      use();
      assert.equal(flagsOf(first.fd) & constants.O_NONBLOCK, constants.O_NONBLOCK);
      first.handOver();
    }
    assert.equal(text(second.tryReceive()?.data), 'x');
  });

  test(`${kind}: waits are aborted, timed out and closed like any other, and nothing is used after close()`, async (t) => {
    const { first, second } = messagePair(t, kind);
    fillWith(() => first.trySend(bytes('x')));
    const abort = new AbortController();
    const waits = [
      second.send(bytes('there is room')),
      first.send(bytes('no'), { signal: abort.signal }),
      first.sendMany([bytes('no')], { signal: abort.signal }),
    ];
    abort.abort();
    await waits[0];
    for (const wait of waits.slice(1)) await assert.rejects(wait, { code: 'ABORT_ERR' });
    assert.equal(text(first.tryReceive()?.data), 'there is room');
    await assert.rejects(first.send(bytes('no'), { timeoutMs: 5 }), { code: 'ETIMEDOUT', syscall: 'sendmsg' });
    await assert.rejects(first.send(bytes('no'), { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
    assert.throws(() => first.sendSync(bytes('no'), { timeoutMs: 5 }), { code: 'ETIMEDOUT' });
    assert.throws(() => first.sendManySync([bytes('no')], { timeoutMs: 0 }), { code: 'ETIMEDOUT', sent: 0 });
    const pending = [first.send(bytes('no')), first.sendMany([bytes('no')])];
    const closed = { code: 'ERR_INTERPROC_CLOSED' };
    const rejected = pending.map((wait) => assert.rejects(wait, closed));
    first.close();
    await Promise.all(rejected);
    await assert.rejects(first.receive(), closed);
    assert.throws(() => first.trySend(bytes('x')), closed);
    assert.throws(() => first.tryReceive(), closed);
    assert.throws(() => first.tryReceiveInto(new Uint8Array(1)), closed);
    assert.throws(() => first.tryReceiveMany(), closed);
    assert.throws(() => first.sendBuffer, closed);
    assert.throws(() => first.passCredentials, closed);
    assert.throws(() => first.handOver(), closed);
    let sent = 0;
    for (let one = second.tryReceive(); one?.data.length === 1; one = second.tryReceive()) sent++;
    assert.ok(sent > 0);
  });

  test(`${kind}: a receive waits, is aborted and timed out, and has taken no message then`, async (t) => {
    const { first, second } = messagePair(t, kind);
    const abort = new AbortController();
    const waits = [
      second.receive({ signal: abort.signal }),
      second.receiveInto(new Uint8Array(1), { signal: abort.signal }),
      second.receiveMany({ signal: abort.signal }),
    ];
    abort.abort();
    for (const wait of waits) await assert.rejects(wait, { code: 'ABORT_ERR' });
    await assert.rejects(second.receive({ timeoutMs: 5 }), { code: 'ETIMEDOUT', syscall: 'recvmsg' });
    assert.throws(() => second.receiveSync({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
    assert.throws(() => second.receiveIntoSync(new Uint8Array(1), { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
    assert.throws(() => second.receiveManySync({ timeoutMs: 0 }), { code: 'ETIMEDOUT' });
    first.trySend(bytes('still here'));
    assert.equal(text((await second.receive())?.data), 'still here');
  });

  test(`${kind}: mistakes of the caller are named before anything is sent or received`, async (t) => {
    const { first, second } = messagePair(t, kind);
    const argument = { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' };
    const range = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE' };
    await assert.rejects(first.send('text' as never), argument);
    assert.throws(() => first.trySend([1] as never), argument);
    await assert.rejects(first.send(bytes('x'), { fd: 1 } as never), /unknown option 'fd'/);
    assert.throws(() => first.sendSync(bytes('x'), { fds: 1 as never }), argument);
    assert.throws(() => first.trySend(bytes('x'), { signal: 1 } as never), /unknown option 'signal'/);
    await assert.rejects(first.send(bytes('x'), { timeoutMs: -1 }), range);
    await assert.rejects(first.sendMany([bytes('x'), 'y' as never]), /messages\[1\] must be a Uint8Array/);
    assert.throws(() => first.trySendMany([5 as never]), argument);
    await assert.rejects(second.receive({ maxBytes: 0 }), range);
    assert.throws(() => second.receiveSync({ max: 1 } as never), /unknown option 'max'/);
    assert.throws(() => second.tryReceiveInto('x' as never), argument);
    assert.throws(() => second.tryReceiveMany({ most: 65 }), range);
    assert.throws(() => second.tryReceiveMany({ maxBytes: 2 ** 24 + 1 }), range);
    await assert.rejects(second.receiveMany({ most: 0 }), range);
    assert.throws(() => {
      first.sendBuffer = 0;
    }, range);
    assert.equal(second.tryReceive(), undefined);
  });
}
