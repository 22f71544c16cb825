/** What all three kinds do alike: taking in three forms, waiting, giving back. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as filelock from '../../src/filelock/index.js';
import * as fifo from '../../src/fifo/index.js';
import { check } from '../../src/core/errors.js';
import { native } from '../../src/sys/index.js';
import { countDescriptors, flagsOf, openDescriptors, openWaiting } from '../support/descriptors.js';
import { isAlive, threadsOf, until } from '../support/proc.js';
import { killed } from '../support/program.js';
import { ALL, held, holder, KINDS, newFile, OF_OPEN_FILES, release, waiter } from './support.js';

for (const kind of ALL) {
  const form = KINDS[kind];

  test(`${kind}: who has the lock is alone, in all three forms, and the next has it after its release`, async (t) => {
    const path = newFile(t);
    const other = await holder(t, kind, path);
    assert.equal(form.tryAcquire(path), undefined);
    await assert.rejects(form.acquire(path, { timeoutMs: 20 }), { code: 'ETIMEDOUT', path });
    assert.throws(() => form.acquireSync(path, { timeoutMs: 20 }), { code: 'ETIMEDOUT', path });
    assert.throws(() => form.acquireSync(path, { timeoutMs: 0 }), { code: 'ETIMEDOUT', path });
    await assert.rejects(form.acquire(path, { timeoutMs: 0 }), { code: 'ETIMEDOUT' });
    await assert.rejects(form.acquire(path, { signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
    const waiting = form.acquire(path);
    await release(other);
    const lock = held(t, await waiting);
    assert.deepEqual([lock.kind, lock.file, lock.shared, lock.closed, lock.isHeld()], [kind, path, false, false, true]);
    lock.release();
    lock.release();
    assert.deepEqual([lock.closed, lock.fd, lock.isHeld()], [true, -1, false]);
    form.acquireSync(path).release();
    held(t, form.tryAcquire(path)).release();
  });

  test(`${kind}: shared locks share, and keep exclusive ones out, and the other way round`, async (t) => {
    const path = newFile(t);
    const other = await holder(t, kind, path, { shared: true });
    const lock = held(t, form.tryAcquire(path, { shared: true }));
    assert.deepEqual([lock.shared, lock.isHeld()], [true, true]);
    lock.release();
    assert.equal(form.tryAcquire(path), undefined);
    await release(other);
    held(t, form.tryAcquire(path));
    const late = waiter(t, kind, path, { shared: true, timeoutMs: 30 });
    assert.equal(await late.line(), 'ETIMEDOUT');
  });

  test(`${kind}: a blocked wait in a synchronous form is over when the lock is free`, async (t) => {
    const path = newFile(t);
    const other = await holder(t, kind, path);
    other.process.kill('SIGKILL');
    form.acquireSync(path, { timeoutMs: 20_000 }).release();
  });

  test(`${kind}: an aborted wait holds nothing, and leaves no descriptor, thread or listener`, async (t) => {
    await openWaiting();
    const path = newFile(t);
    const other = await holder(t, kind, path);
    const before = countDescriptors();
    const controller = new AbortController();
    const wait = form.acquire(path, { signal: controller.signal });
    await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
    controller.abort('because');
    await assert.rejects(wait, { name: 'AbortError', cause: 'because' });
    assert.equal(filelock.holders(path).filter(({ waiting }) => waiting).length, 0);
    assert.equal(countDescriptors(), before);
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    await release(other);
    const next = await holder(t, kind, path, { timeoutMs: 5000 });
    await release(next);
  });

  test(`${kind}: a file is made if that is asked for, with exactly the mode, and opened close-on-exec`, (t) => {
    const path = join(dirname(newFile(t)), 'new');
    assert.throws(() => form.tryAcquire(path), { code: 'ENOENT', syscall: 'open', path });
    const before = process.umask(0o077);
    t.after(() => process.umask(before));
    const lock = held(t, form.tryAcquire(path, { create: true, mode: 0o664 }));
    assert.equal(statSync(path).mode & 0o7777, 0o664);
    assert.equal(flagsOf(lock.fd) & 0o2000000, 0o2000000);
    lock.release();
    held(t, form.tryAcquire(path, { create: true, mode: 0o600 }));
    assert.equal(statSync(path).mode & 0o7777, 0o664, 'the mode of a file that is there stays');
  });

  test(`${kind}: a link is followed unless that is refused, and nothing is made through one`, (t) => {
    const path = newFile(t);
    const link = join(dirname(path), 'link');
    symlinkSync('file', link);
    held(t, form.tryAcquire(link)).release();
    assert.throws(() => form.tryAcquire(link, { follow: false }), { code: 'ELOOP', path: link });
    const nowhere = join(dirname(path), 'nowhere');
    symlinkSync('made', nowhere);
    assert.throws(() => form.tryAcquire(nowhere, { create: true }), { code: 'ELOOP', path: nowhere });
    assert.equal(existsSync(join(dirname(path), 'made')), false);
  });

  test(`${kind}: a FIFO at the path is opened without waiting for its other end`, async (t) => {
    const path = join(dirname(newFile(t)), 'fifo');
    fifo.create(path);
    held(t, form.tryAcquire(path, { shared: true, access: 'read' }));
  });

  test(`${kind}: a handle that is closed ends the waits on it`, async (t) => {
    await openWaiting();
    const path = newFile(t);
    const other = await holder(t, kind, path);
    const before = countDescriptors();
    // Any handle with a descriptor is one to wait on: here that of a lock of another kind.
    const mine = held(t, KINDS[kind === 'flock' ? 'ofd' : 'flock'].tryAcquire(path, { access: 'read-write' }));
    const wait = form.acquire(mine);
    await until('it waits', () => filelock.holders(path).some(({ waiting }) => waiting));
    mine.close();
    await assert.rejects(wait, { code: 'ERR_INTERPROC_CLOSED' });
    await assert.rejects(form.acquire(mine), { code: 'ERR_INTERPROC_CLOSED' });
    assert.equal(countDescriptors(), before);
    await release(other);
  });

  test(`${kind}: waits take no thread of libuv’s`, async (t) => {
    const path = newFile(t);
    const other = await holder(t, kind, path);
    const controller = new AbortController();
    const count = kind === 'record' ? 1 : 20;
    const waits = Array.from({ length: count }, () => form.acquire(path, { signal: controller.signal }));
    await until('all wait', () => filelock.holders(path).filter(({ waiting }) => waiting).length === count);
    const file = await openFile(path); // by the pool
    await file.read(Buffer.alloc(1));
    await file.close();
    assert.ok(threadsOf('self').length > count);
    controller.abort();
    for (const end of await Promise.allSettled(waits)) assert.equal(end.status, 'rejected');
    await release(other);
  });

  test(`${kind}: options and files that cannot be meant are named, and open nothing`, async (t) => {
    const path = newFile(t);
    const before = countDescriptors();
    const wrong: [unknown, object | undefined, object][] = [
      ['', {}, { name: 'TypeError', code: 'ERR_INTERPROC_NAME' }],
      ['a\0b', {}, { name: 'TypeError', code: 'ERR_INTERPROC_NAME' }],
      [undefined, {}, { name: 'TypeError', message: /path, a descriptor or what has one, got undefined/ }],
      [{ fd: 'x' }, {}, { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' }],
      [-1, {}, { name: 'RangeError', message: /the descriptor must be a whole number from 0/ }],
      [1.5, {}, { name: 'RangeError' }],
      [path, { shard: true }, { name: 'TypeError', message: /unknown option 'shard' \(did you mean shared\?\)/ }],
      [path, { shared: 1 }, { name: 'TypeError', message: /shared must be true or false, got 1/ }],
      [path, { create: 'yes' }, { name: 'TypeError', message: /create/ }],
      [path, { follow: 0 }, { name: 'TypeError', message: /follow/ }],
      [path, { mode: 0o10000 }, { name: 'RangeError', message: /mode/ }],
      [
        path,
        { access: 'rw' },
        { name: 'TypeError', message: /access must be 'read', 'write' or 'read-write', got 'rw'/ },
      ],
      [path, { access: ['read'] }, { name: 'TypeError', message: /access/ }],
      [0, { create: true }, { name: 'TypeError', message: /create is for a file that is opened by its path/ }],
      [path, null as unknown as object, { name: 'TypeError' }],
    ];
    for (const [file, options, error] of wrong) {
      const what = inspect([file, options]);
      assert.throws(() => form.tryAcquire(file as string, options as object), error, what);
      assert.throws(() => form.acquireSync(file as string, options as object), error, what);
      await assert.rejects(form.acquire(file as string, options as object), error, what);
    }
    await assert.rejects(form.acquire(path, { timeoutMs: -1 }), { code: 'ERR_INTERPROC_RANGE' });
    await assert.rejects(
      form.acquire(path, { signal: 'SIGTERM' as unknown as AbortSignal }),
      /POSIX signal is an option/,
    );
    assert.throws(() => form.acquireSync(path, { timeoutMs: Number.NaN }), { code: 'ERR_INTERPROC_RANGE' });
    assert.equal(countDescriptors(), before);
    assert.equal(filelock.holders(path).length, 0);
  });

  test(`${kind}: a descriptor that is not open is EBADF`, async (t) => {
    const fd = check(native().open(newFile(t), 0, 0), 'open');
    native().close(fd);
    assert.throws(() => form.tryAcquire(fd), { code: 'EBADF', object: `descriptor ${fd}` });
  });

  test(`${kind}: util.inspect shows what is locked`, (t) => {
    const path = newFile(t);
    const lock = held(t, form.tryAcquire(path));
    const ranges = kind === 'flock' ? '' : '  offset: 0n,\n  length: 0n,\n';
    assert.equal(
      inspect(lock, { breakLength: 20 }).replace(/\n/g, '\n'),
      `FileLock {\n  kind: '${kind}',\n  file: '${path}',\n  shared: false,\n${ranges}  closed: false\n}`,
    );
  });
}

for (const kind of OF_OPEN_FILES) {
  const form = KINDS[kind];

  test(`${kind}: two in one process exclude each other, each with an open file of its own`, async (t) => {
    const path = newFile(t);
    const first = held(t, form.tryAcquire(path));
    assert.equal(form.tryAcquire(path), undefined);
    const second = form.acquire(path);
    first.release();
    (await second).release();
  });

  test(`${kind}: a lock by a descriptor is refused where its open file has one, or waits for one`, async (t) => {
    const path = newFile(t);
    const file = await openFile(path, 'r+');
    t.after(() => file.close());
    const busy = { code: 'EBUSY', object: `descriptor ${file.fd}`, hint: /convert each other/ };
    const lock = held(t, form.tryAcquire(file));
    assert.equal(lock.file, file.fd);
    assert.throws(() => form.tryAcquire(file.fd), busy);
    lock.release();
    const other = await holder(t, kind, path);
    const controller = new AbortController();
    const wait = form.acquire(file, { signal: controller.signal });
    await assert.rejects(form.acquire(file), busy);
    controller.abort();
    await assert.rejects(wait, { code: 'ABORT_ERR' });
    await release(other);
    held(t, form.tryAcquire(file)).release();
  });

  test(`${kind}: a lock by a descriptor outlives the descriptor, and is given back though others share the open file`, async (t) => {
    const path = newFile(t);
    const file = await openFile(path, 'r+');
    const copy = check(native().fcntl(file.fd, 1030, 0), 'fcntl');
    const lock = held(t, form.tryAcquire(file));
    await file.close();
    assert.equal(form.tryAcquire(path), undefined);
    lock.release();
    held(t, form.tryAcquire(path)).release();
    native().close(copy);
  });

  test(`${kind}: a child that was given the descriptor has the lock, too, also when who took it was killed`, async (t) => {
    const path = newFile(t);
    const owner = await holder(t, kind, path);
    owner.say('pass');
    const child = Number(await owner.line());
    t.after(() => isAlive(child) && process.kill(child, 'SIGKILL'));
    assert.equal(readlinkSync(`/proc/${child}/fd/5`), path);
    await killed(owner);
    assert.equal(form.tryAcquire(path), undefined);
    const [{ pid, pids, command } = {}] = filelock.holders(path);
    assert.deepEqual([pid, pids, command], [kind === 'flock' ? owner.pid : undefined, [child], 'sleep 1000']);
    process.kill(child, 'SIGKILL');
    (await form.acquire(path, { timeoutMs: 20_000 })).release();
  });

  test(`${kind}: leaving a lock closes it without giving it back: who shares the open file keeps it`, async (t) => {
    const path = newFile(t);
    const file = await openFile(path, 'r+');
    const lock = held(t, form.tryAcquire(file));
    lock.leave();
    lock.leave();
    assert.equal(lock.closed, true);
    assert.equal(form.tryAcquire(path), undefined);
    await file.close();
    const alone = held(t, form.tryAcquire(path));
    alone.leave();
    held(t, form.tryAcquire(path));
  });

  test(`${kind}: a child that was not given the descriptor has nothing of the lock`, async (t) => {
    const path = newFile(t);
    const lock = held(t, form.tryAcquire(path));
    const other = waiter(t, kind, path, { timeoutMs: 20 });
    assert.equal(await other.line(), 'ETIMEDOUT');
    assert.equal([...openDescriptors(other.pid).values()].includes(path), false);
    await other.ended;
    assert.equal(lock.isHeld(), true);
  });
}

test('a folder can be locked by flock, and by the others only as far as it is open for reading', (t) => {
  const folder = dirname(newFile(t));
  const path = join(folder, 'folder');
  mkdirSync(path);
  held(t, filelock.flock.tryAcquire(path));
  assert.throws(() => filelock.ofd.tryAcquire(path), { code: 'EISDIR', syscall: 'open' });
});

test('an ordinary file that may not be read can be locked for writing', (t) => {
  const path = newFile(t);
  chmodSync(path, 0o200);
  held(t, filelock.ofd.tryAcquire(path, { access: 'write' })).release();
  held(t, filelock.flock.tryAcquire(path, { access: 'write' })).release();
});
