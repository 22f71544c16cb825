import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connect, listen, receiver, sender } from '../../src/channel/index.js';

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
  assert.equal((await sending as { code?: string }).code, 'ERR_INTERPROC_CLOSED');
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
