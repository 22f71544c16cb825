import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { getSystemErrorName } from 'node:util';
import { MSG_DONTWAIT, native, SHUT_WR, SOCK_DGRAM, SOCK_STREAM } from '../../src/sys/index.js';
import { randomName } from '../support/folder.js';

/** No descriptor of this process. */
const NONE = 1 << 20;
const NO_TYPE = 99;

/** EOPNOTSUPP, which Node names by the other name of the same number. */
const NOT_SUPPORTED = /^(EOPNOTSUPP|ENOTSUP)$/;

/** The name of an errno. */
const named = (result: number): string => (result < 0 ? getSystemErrorName(result) : `${result}`);

function socketFor(t: TestContext, type = SOCK_STREAM): number {
  const fd = native().socket(type);
  assert.ok(fd >= 0);
  t.after(() => native().close(fd));
  return fd;
}

const abstract = (): Uint8Array => Buffer.from(`\0${randomName('kernel')}`);
const answer = (): Int32Array => new Int32Array(10 + 253);

test('sockets that are bound, listen or are connected already, and those that are not, are told apart by the kernel', (t) => {
  const [name, another] = [abstract(), abstract()];
  const [listener, client, fresh] = [socketFor(t), socketFor(t), socketFor(t)];
  assert.equal(native().bind(listener, name), 0);
  assert.equal(named(native().bind(listener, another)), 'EINVAL');
  assert.equal(named(native().bind(fresh, name)), 'EADDRINUSE');
  assert.equal(named(native().accept(listener)), 'EINVAL');
  assert.equal(named(native().listen(fresh, 1)), 'EINVAL');
  assert.equal(named(native().connect(client, name)), 'ECONNREFUSED');
  assert.equal(native().listen(listener, 1), 0);
  assert.equal(named(native().accept(listener)), 'EAGAIN');
  assert.equal(native().connect(client, name), 0);
  assert.equal(named(native().connect(client, name)), 'EISCONN');
  assert.equal(named(native().listen(client, 1)), 'EINVAL');
  assert.equal(named(native().connect(listener, name)), 'EINVAL');
  assert.equal(named(native().write(fresh, new Uint8Array(1), 0, 1)), 'ENOTCONN');
  assert.equal(named(native().read(fresh, new Uint8Array(1), 0, 1)), 'EINVAL');
  assert.equal(
    named(native().recvmsg(fresh, new Uint8Array(1), 0, 1, answer(), new Uint8Array(108), MSG_DONTWAIT)),
    'EINVAL',
  );
  assert.equal(named(native().shutdown(client, 7)), 'EINVAL');
  assert.equal(native().shutdown(fresh, SHUT_WR), 0);
});

test('a datagram socket neither listens nor accepts, and a type that is none is not made', (t) => {
  const datagram = socketFor(t, SOCK_DGRAM);
  assert.match(named(native().listen(datagram, 1)), NOT_SUPPORTED);
  assert.match(named(native().accept(datagram)), NOT_SUPPORTED);
  assert.equal(named(native().socket(NO_TYPE)), 'EINVAL');
  assert.equal(named(native().socketpair(NO_TYPE, new Int32Array(2))), 'EINVAL');
});

test('what is no socket, or no descriptor, is ENOTSOCK or EBADF of every call', (t) => {
  const file = openSync('/dev/null', 'r');
  t.after(() => closeSync(file));
  for (const [fd, code] of [
    [file, 'ENOTSOCK'],
    [NONE, 'EBADF'],
  ] as const) {
    assert.equal(named(native().bind(fd, abstract())), code);
    assert.equal(named(native().listen(fd, 1)), code);
    assert.equal(named(native().accept(fd)), code);
    assert.equal(named(native().connect(fd, abstract())), code);
    assert.equal(named(native().shutdown(fd, SHUT_WR)), code);
    assert.equal(
      named(native().recvmsg(fd, new Uint8Array(1), 0, 1, answer(), new Uint8Array(108), MSG_DONTWAIT)),
      code,
    );
    const none = new Int32Array(new ArrayBuffer(4), 0, 0);
    assert.equal(
      named(native().sendmsg(fd, new Uint8Array(1), 0, 1, none, none, 0, new Uint8Array(new ArrayBuffer(4), 0, 0))),
      code,
    );
  }
});
