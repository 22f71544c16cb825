/** Every errno of mkfifo(3), mknod(2), open(2) of a FIFO and unlink(2) that can be provoked, each with its hint. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fifo from '../../src/fifo/index.js';
import { attempt, type Call, type Outcome } from '../support/elsewhere.js';
import { temporaryFolder } from '../support/folder.js';
import { newFifo, openFolder } from './support.js';

/** Both ways to make a name, each under its system call. */
const MAKES = {
  mkfifo: (path: string) => fifo.create(path),
  mknod: (path: string) => fifo.mknod(path, { type: 'socket' }),
};

function makesElsewhere(path: string): Call[] {
  return [
    ['fifo.create', path],
    ['fifo.mknod', path, { type: 'socket' }],
  ];
}

function assertRefused(outcomes: Outcome[], code: string, hint: RegExp): void {
  assert.deepEqual(
    outcomes.map((one) => [one.code, one.syscall]),
    [
      [code, 'mkfifo'],
      [code, 'mknod'],
    ],
  );
  for (const one of outcomes) assert.match(one.hint ?? '', hint);
}

test('a folder that is not there is ENOENT, a file in its place ENOTDIR, a circle of links ELOOP', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  symlinkSync('circle', join(folder, 'circle'));
  for (const [syscall, make] of Object.entries(MAKES)) {
    for (const [name, code, hint] of [
      ['none/f', 'ENOENT', /folder does not exist/],
      ['file/f', 'ENOTDIR', /is no folder/],
      ['circle/f', 'ELOOP', /lead in a circle/],
    ] as const) {
      const path = join(folder, name);
      assert.throws(() => make(path), { name: 'IpcError', code, syscall, path, hint });
    }
  }
});

test('a name of more than 255 bytes, or a path of more than 4095, is ENAMETOOLONG, and says the limits', async (t) => {
  const folder = temporaryFolder(t);
  const longest = join(folder, 'é'.repeat(127));
  fifo.create(longest);
  fifo.unlink(longest);
  for (const path of [join(folder, 'é'.repeat(128)), `${folder}/${'./'.repeat(2048)}f`]) {
    const tooLong = { code: 'ENAMETOOLONG', path };
    for (const [syscall, make] of Object.entries(MAKES)) {
      assert.throws(() => make(path), { ...tooLong, syscall, hint: /255 bytes, and a path at most 4095/ });
    }
    await assert.rejects(fifo.openReader(path), tooLong);
    assert.throws(() => fifo.unlink(path), tooLong);
  }
});

test('opening and removing say ENOENT, ENOTDIR and ELOOP of the way to the FIFO', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  symlinkSync('circle', join(folder, 'circle'));
  for (const [name, code] of [
    ['none/f', 'ENOENT'],
    ['file/f', 'ENOTDIR'],
    ['circle/f', 'ELOOP'],
  ] as const) {
    const path = join(folder, name);
    await assert.rejects(fifo.openReader(path), { name: 'IpcError', code, path });
    await assert.rejects(fifo.openWriter(path), { code, path });
    assert.throws(() => fifo.openReadWrite(path), { code, path });
    assert.throws(() => fifo.unlink(path), { code, path });
  }
});

test('a folder of somebody else in which nobody may write is EACCES, for making and for removing', async (t) => {
  if (process.getuid?.() !== 0) {
    const folder = temporaryFolder(t);
    fifo.create(join(folder, 'f'));
    chmodSync(folder, 0o555);
    try {
      for (const [syscall, make] of Object.entries(MAKES)) {
        assert.throws(() => make(join(folder, 'g')), { code: 'EACCES', syscall, hint: /not let this user create/ });
      }
      assert.throws(() => fifo.unlink(join(folder, 'f')), { code: 'EACCES', hint: /not let this user remove/ });
    } finally {
      chmodSync(folder, 0o755); // or the folder could not be removed
    }
    return;
  }
  const folder = openFolder(t);
  fifo.create(join(folder, 'f'), { mode: 0o666 });
  const outcomes = await attempt(t, { asNobody: true }, [
    ...makesElsewhere(join(folder, 'g')),
    ['fifo.unlink', join(folder, 'f')],
  ]);
  if (outcomes === undefined) return;
  assertRefused(outcomes.slice(0, 2), 'EACCES', /does not let this user create/);
  assert.equal(outcomes[2]?.code, 'EACCES');
  assert.match(outcomes[2]?.hint ?? '', /does not let this user remove/);
});

test('in a sticky folder the FIFO of somebody else cannot be removed: EPERM', async (t) => {
  const folder = openFolder(t, 0o1777);
  fifo.create(join(folder, 'f'), { mode: 0o666 });
  const outcomes = await attempt(t, { asNobody: true }, [['fifo.unlink', join(folder, 'f')]]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[0]?.code, 'EPERM');
  assert.match(outcomes[0]?.hint ?? '', /sticky folder/);
});

test('without CAP_MKNOD a device is EPERM, says what it would take, and the other types are made', async (t) => {
  const folder = openFolder(t, 0o777);
  const device = { major: 1, minor: 3 };
  const calls: Call[] = [
    ['fifo.mknod', join(folder, 'c'), { type: 'character', device }],
    ['fifo.mknod', join(folder, 'b'), { type: 'block', device }],
    ['fifo.mknod', join(folder, 'f'), { type: 'fifo' }],
    ['fifo.mknod', join(folder, 's'), { type: 'socket' }],
    ['fifo.mknod', join(folder, 'r'), { type: 'file' }],
  ];
  const outcomes = await attempt(t, { asNobody: process.getuid?.() === 0 }, calls);
  assert.deepEqual(
    outcomes?.map(({ code, syscall }) => [code, syscall]),
    [['EPERM', 'mknod'], ['EPERM', 'mknod'], ...Array(3).fill([undefined, undefined])],
  );
  for (const refused of outcomes?.slice(0, 2) ?? []) assert.match(refused.hint ?? '', /CAP_MKNOD/);
});

test('on a read-only file system making and removing are EROFS, and opening goes on', async (t) => {
  const folder = openFolder(t);
  const before = `mount -t tmpfs tmpfs ${folder}; mkfifo ${folder}/f; mount -o remount,bind,ro ${folder}`;
  const outcomes = await attempt(t, { unshared: ['mount'], before }, [
    ...makesElsewhere(join(folder, 'g')),
    ['fifo.unlink', join(folder, 'f')],
    ['fifo.openReadWrite', join(folder, 'f')],
  ]);
  if (outcomes === undefined) return;
  assertRefused(outcomes.slice(0, 2), 'EROFS', /read-only/);
  assert.deepEqual([outcomes[2]?.code, outcomes[2]?.syscall], ['EROFS', 'unlink']);
  assert.equal(outcomes[3]?.code, undefined);
});

test('on a file system without a free inode making is ENOSPC', async (t) => {
  const folder = openFolder(t);
  const before = `mount -t tmpfs -o nr_inodes=3 tmpfs ${folder}`;
  const outcomes = await attempt(t, { unshared: ['mount'], before }, [
    ['*fifo.create', join(folder, 'f#')],
    ['fifo.mknod', join(folder, 'g'), { type: 'socket' }],
  ]);
  if (outcomes === undefined) return;
  assert.equal(outcomes[0]?.count, 2);
  assertRefused(outcomes, 'ENOSPC', /no inode left/);
});

test('at the limit of descriptors opening is EMFILE in every form, names the limit, and loses none', async (t) => {
  const path = newFifo(t);
  const outcomes = await attempt(t, { limits: ['--nofile=128'] }, [
    ['fifo.openReadWrite', path],
    ['fifo.openReader', path], // what waiting needs is there from now on
    ['*fifo.openReadWrite', path],
    ['fifo.openReader', path],
    ['fifo.openWriterSync', path],
    ['fifo.tryOpenReader', path],
    ['fifo.tryOpenWriter', path],
    ['$1.close'],
    ['fifo.tryOpenReader', path],
    ['$8.close'],
    ['fifo.tryOpenReader', path, { reopen: true }], // the reader fits, its own write end does not
    ['fifo.openReader', path, { reopen: true }],
    ['fifo.tryOpenReader', path],
  ]);
  const codes = outcomes?.map(({ code }) => code);
  assert.deepEqual(codes?.slice(2, 7), Array(5).fill('EMFILE'));
  assert.match(outcomes?.[3]?.hint ?? '', /RLIMIT_NOFILE/);
  assert.deepEqual(codes?.slice(7), [undefined, undefined, undefined, 'EMFILE', 'EMFILE', undefined]);
});

test('another user’s FIFO can be opened as far as its mode says, and reopen needs both permissions', async (t) => {
  const folder = openFolder(t);
  const modes = { none: 0o600, read: 0o604, write: 0o602, both: 0o606 };
  for (const [name, mode] of Object.entries(modes)) fifo.create(join(folder, name), { mode });
  const kept = Object.keys(modes).map((name) => fifo.openReadWrite(join(folder, name)));
  t.after(() => {
    for (const one of kept) one.close();
  });
  const calls = Object.keys(modes).flatMap((name): Call[] => {
    const path = join(folder, name);
    return [
      ['fifo.openReader', path],
      ['fifo.openWriter', path],
      ['fifo.openReadWrite', path],
      ['fifo.openReader', path, { reopen: true }],
    ];
  });
  const outcomes = await attempt(t, { asNobody: true }, calls);
  if (outcomes === undefined) return;
  const no = 'EACCES';
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    [
      ...[no, no, no, no], // 0600
      ...[undefined, no, no, no], // 0604
      ...[no, undefined, no, no], // 0602
      ...[undefined, undefined, undefined, undefined], // 0606
    ],
  );
  assert.match(outcomes[7]?.hint ?? '', /holds a write end itself/);
});

test('a user without CAP_DAC_OVERRIDE cannot make anything in a folder that he may not enter: EACCES', async (t) => {
  if (process.getuid?.() === 0) {
    const folder = openFolder(t, 0o700);
    const outcomes = await attempt(t, { asNobody: true }, [...makesElsewhere(join(folder, 'f'))]);
    if (outcomes !== undefined) assertRefused(outcomes, 'EACCES', /does not let this user/);
    return;
  }
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'closed'), { mode: 0o600 });
  for (const make of Object.values(MAKES)) assert.throws(() => make(join(folder, 'closed', 'f')), { code: 'EACCES' });
});
