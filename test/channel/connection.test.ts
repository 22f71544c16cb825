import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connect, listen, receiver, sender } from '../../src/channel/index.js';
import * as pipe from '../../src/pipe/index.js';
import { F_DUPFD_CLOEXEC, native } from '../../src/sys/index.js';

const folder = mkdtempSync(join(tmpdir(), 'interproc-connection-'));
after(() => rmSync(folder, { recursive: true }));

let number = 0;
const URLS: Record<string, () => string> = {
  'unix: by path': () => `unix:${folder}/${number++}`,
  'unix: by abstract name': () => `unix:@interproc-test-${process.pid}-${number++}`,
  'shm:': () => `shm:test-${process.pid}-${number++}`,
};

for (const [name, fresh] of Object.entries(URLS)) {
  describe(`a connection over ${name}`, () => {
    test('goes both ways, and says who the peer is', async () => {
      const url = fresh();
      await using server = await listen(url);
      const [here, there] = await Promise.all([server.accept(), connect(url)]);
      await there.send(Buffer.from('question'));
      assert.equal(String(await here.receive()), 'question');
      await here.send(Buffer.from('answer'));
      assert.equal(String(await there.receive()), 'answer');
      assert.equal(here.peer?.pid, process.pid);
      assert.equal(here.peer?.uid, process.getuid?.());
      await there.close();
      assert.equal(await here.receive(), null);
      await here.close();
    });

    test('connects before anybody listens, as soon as somebody does', async () => {
      const url = fresh();
      const connecting = connect(url);
      await using server = await listen(url);
      await using here = await server.accept();
      await using there = await connecting;
      await there.send(Buffer.from('early'));
      assert.equal(String(await here.receive()), 'early');
    });

    test('serves several clients, each by itself', async () => {
      const url = fresh();
      await using server = await listen(url);
      const clients = [1, 2, 3].map(async (id) => {
        const client = await connect(url);
        await client.send(Buffer.from(`client ${id}`));
        return client;
      });
      const seen: string[] = [];
      for (let index = 0; index < 3; index++) {
        await using served = await server.accept();
        seen.push(String(await served.receive()));
      }
      assert.deepEqual(seen.sort(), ['client 1', 'client 2', 'client 3']);
      for (const client of clients) (await client).destroy();
    });

    test('that is destroyed is a crash to the peer: what was published comes first', async () => {
      const url = fresh();
      await using server = await listen(url);
      const [here, there] = await Promise.all([server.accept(), connect(url)]);
      await there.send(Buffer.from('last words'));
      await there.sender.flush();
      there.destroy();
      assert.equal(String(await here.receive()), 'last words');
      await assert.rejects(here.receive(), { code: 'ECONNRESET' });
      await assert.rejects(here.receiver.closed, { code: 'ECONNRESET' });
      here.destroy();
    });

    test('cannot be accepted twice at the same address', async () => {
      const url = fresh();
      await using _server = await listen(url);
      await assert.rejects(listen(url), { code: 'EADDRINUSE' });
    });

    test('can be waited for with a time-out and an abort, and the listener goes on', async () => {
      const url = fresh();
      await assert.rejects(connect(url, { timeoutMs: 20 }), { code: 'ETIMEDOUT' });
      await using server = await listen(url);
      await assert.rejects(server.accept({ timeoutMs: 5 }), { code: 'ETIMEDOUT' });
      const controller = new AbortController();
      const accepting = server.accept({ signal: controller.signal });
      controller.abort(new Error('enough'));
      await assert.rejects(accepting, { name: 'AbortError' });
      const [here, there] = await Promise.all([server.accept(), connect(url)]);
      there.destroy();
      here.destroy();
    });
  });
}

test('mechanisms that go one way say so', async () => {
  await assert.rejects(connect('mq:/nothing'), { code: 'ERR_INTERPROC_ARGUMENT', message: /one way/ });
  await assert.rejects(listen(`fifo:${folder}/f`), { code: 'ERR_INTERPROC_ARGUMENT', message: /one way/ });
});

test('destroy() ends a close() that waits for a receiver that does not read', async () => {
  const url = `unix:@interproc-test-${process.pid}-stuck`;
  const [to, from] = await Promise.all([sender(url, { highWaterMark: 1 << 22 }), receiver(url)]);
  const sending = to.send(new Uint8Array(8 << 20)).catch((error: Error) => error);
  const closing = to.close();
  to.destroy();
  await assert.rejects(closing, { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(((await sending) as { code?: string }).code, 'ERR_INTERPROC_CLOSED');
  await from.close();
});

test('a claimed message is written where it will be read, and nothing else can be sent meanwhile', async () => {
  const url = `shm:claim-${process.pid}`;
  const [to, from] = await Promise.all([sender(url), receiver(url)]);
  const room = to.claim(5);
  assert.ok(room !== undefined);
  assert.equal(to.trySend(Buffer.from('x')), false);
  await assert.rejects(to.send(Buffer.from('x')), TypeError);
  room.set(Buffer.from('hello'));
  to.commit();
  const dropped = to.claim(100);
  assert.ok(dropped !== undefined);
  to.abort();
  await to.send(Buffer.from('after'));
  assert.equal(String(await from.receive()), 'hello');
  assert.equal(String(await from.receive()), 'after');
  await to.close();
  await from.close();
});

test('the end mark is sent once, however often the channel wakes while it closes, and nothing can be sent behind it', async () => {
  const { reader, writer } = pipe.create({ capacity: 4096 });
  const to = await sender(`fd:${native().fcntl(writer.fd, F_DUPFD_CLOEXEC, 0)}`);
  writer.close();
  await to.send(Buffer.alloc(30_000));
  const closing = to.close();
  await assert.rejects(to.send(Buffer.from('late')), { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => to.trySend(Buffer.from('late')), { code: 'ERR_INTERPROC_CLOSED' });
  assert.throws(() => to.sendSync(Buffer.from('late')), { code: 'ERR_INTERPROC_CLOSED' });
  let length = 0;
  for (let part = await reader.read({ maxBytes: 1000 }); part !== null; part = await reader.read({ maxBytes: 1000 })) {
    length += part.length;
  }
  await closing;
  assert.equal(length, 4 + 30_000 + 4);
  reader.close();
});

test('whoever waits first gets the first message, whatever form the others use', async () => {
  const url = `shm:order-${process.pid}`;
  const [to, from] = await Promise.all([sender(url), receiver(url)]);
  const first = from.receive();
  const rest = from.receiveMany();
  to.trySend(Buffer.from('1'));
  to.trySend(Buffer.from('2'));
  await to.flush();
  assert.equal(from.tryReceiveMany(), undefined);
  assert.equal(
    from.tryDrain(() => assert.fail()),
    undefined,
  );
  assert.equal(Buffer.from((await first) as Uint8Array).toString(), '1');
  assert.equal(Buffer.from(((await rest) as Uint8Array[])[0] as Uint8Array).toString(), '2');
  await to.close();
  await from.close();
});

test('what came whole before an error is delivered before it, in batches too', async () => {
  const { reader, writer } = pipe.create();
  const from = await receiver(`fd:${native().fcntl(reader.fd, F_DUPFD_CLOEXEC, 0)}`);
  reader.close();
  writer.writeSync(Buffer.from([1, 0, 0, 0, 65, 1, 0, 0, 0, 66, 254, 255, 255, 255]));
  const batch = (await from.receiveMany()) as Uint8Array[];
  assert.deepEqual(
    batch.map((message) => message[0]),
    [65, 66],
  );
  await assert.rejects(from.receiveMany(), { code: 'EBADMSG' });
  writer.close();
  await from.close();
});

test('arguments and options are checked whether or not there is room', async () => {
  const url = `shm:checks-${process.pid}`;
  const [to, from] = await Promise.all([sender(url), receiver(url)]);
  await assert.rejects(to.send(undefined as never), { code: 'ERR_INTERPROC_ARGUMENT' });
  await assert.rejects(to.send('text' as never), { code: 'ERR_INTERPROC_ARGUMENT', message: /Uint8Array.*'text'/ });
  await assert.rejects(to.send(new Uint8Array(1), { timeoutMs: -1 }), { code: 'ERR_INTERPROC_RANGE' });
  await assert.rejects(to.send(new Uint8Array(1), { timeout: 1 } as never), { code: 'ERR_INTERPROC_ARGUMENT' });
  await assert.rejects(from.receive({ timeout: 1 } as never), { code: 'ERR_INTERPROC_ARGUMENT' });
  for (const size of [-5, NaN, 1e9]) assert.throws(() => to.claim(size), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => to.commit(), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.ok(to.claim(8));
  assert.throws(() => to.commit(9), { code: 'ERR_INTERPROC_RANGE' });
  to.abort();
  await to.close();
  await from.close();
});
