import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as fifo from '../../src/fifo/index.js';
import { native } from '../../src/sys/index.js';
import { temporaryFolder } from '../support/folder.js';
import { start } from '../support/program.js';
import { peer, skip } from '../support/skips.js';

const WHITEOUT = { major: 0, minor: 0 };

/** Runs with a umask, which belongs to the whole process. */
function withUmask<T>(umask: number, use: () => T): T {
  const before = process.umask(umask);
  try {
    return use();
  } finally {
    process.umask(before);
  }
}

const KINDS: [fifo.NodeType, number][] = [
  ['fifo', constants.S_IFIFO],
  ['socket', constants.S_IFSOCK],
  ['file', constants.S_IFREG],
  // The character device 0:0 leads to no driver, and the kernel lets every user make it.
  ['character', constants.S_IFCHR],
];

test('mknod makes each type with the mode 0600, or with exactly the mode that was asked for, whatever the umask', (t) => {
  const folder = temporaryFolder(t);
  for (const [type, kind] of KINDS) {
    const device = type === 'character' ? { device: WHITEOUT } : {};
    for (const [umask, mode] of [
      [0, undefined],
      [0o777, 0o666],
      [0o077, 0o620],
      [0, 0o640],
    ] as const) {
      const path = join(folder, `${type}-${umask}-${mode}`);
      withUmask(umask, () => fifo.mknod(path, { type, ...device, ...(mode === undefined ? {} : { mode }) }));
      assert.equal(lstatSync(path).mode, kind | (mode ?? 0o600), path);
    }
  }
});

test('a new name is never wider than it was asked for, not even for a moment', async (t) => {
  if (!peer(t, 'strace')) return;
  const folder = temporaryFolder(t);
  const program = fileURLToPath(new URL('../fixtures/attempts.js', import.meta.url));
  const calls = [
    ['fifo.create', join(folder, 'f'), { mode: 0o620 }],
    ['fifo.mknod', join(folder, 's'), { type: 'socket', mode: 0o602 }],
    ['fifo.create', join(folder, 'kept'), { mode: 0o666, umask: true }],
  ];
  const trace = ['-f', '-qq', '-e', 'trace=/^(mknod|chmod|fchmod)'];
  const script = ['-c', 'umask 027; exec "$@"', 'sh', 'strace', ...trace];
  const traced = start(t, 'sh', [...script, process.execPath, program, JSON.stringify(calls)]);
  assert.deepEqual(JSON.parse(await traced.line()), [{}, {}, {}]);
  await traced.ended;
  const modes = [...traced.errors().matchAll(/(\w+)\(.*?\|?(0\d{3})[,)]/g)].map(([, call, mode]) => [call, mode]);
  assert.deepEqual(
    modes.map(([call = '', mode]) => [call.replace('mknodat', 'mknod').replace('fchmodat', 'chmod'), mode]),
    [
      ['mknod', '0620'],
      ['chmod', '0620'],
      ['mknod', '0602'],
      ['chmod', '0602'],
      ['mknod', '0666'],
    ],
  );
  assert.equal(lstatSync(join(folder, 'f')).mode & 0o7777, 0o620);
  assert.equal(lstatSync(join(folder, 's')).mode & 0o7777, 0o602);
  assert.equal(lstatSync(join(folder, 'kept')).mode & 0o7777, 0o640);
});

test('where the umask is to have its say it takes from the mode what it does for every program', (t) => {
  const folder = temporaryFolder(t);
  withUmask(0o027, () => {
    fifo.create(join(folder, 'f'), { mode: 0o666, umask: true });
    fifo.mknod(join(folder, 'n'), { type: 'socket', mode: 0o777, umask: true });
  });
  assert.equal(lstatSync(join(folder, 'f')).mode & 0o7777, 0o640);
  assert.equal(lstatSync(join(folder, 'n')).mode & 0o7777, 0o750);
});

test('a FIFO that mknod made is one, a file is empty, and to a socket nobody can connect', async (t) => {
  const folder = temporaryFolder(t);
  const paths = { fifo: join(folder, 'f'), socket: join(folder, 's'), file: join(folder, 'r') };
  for (const [type, path] of Object.entries(paths)) fifo.mknod(path, { type: type as fifo.NodeType });
  using both = fifo.openReadWrite(paths.fifo);
  both.writeSync(Buffer.from('through'));
  assert.equal(Buffer.from(both.readSync() as Uint8Array).toString(), 'through');
  assert.equal(lstatSync(paths.file).size, 0);
  const client = connect(paths.socket);
  const [why] = await once(client, 'error');
  assert.equal(why.code, 'ECONNREFUSED');
});

test('root makes devices, with the numbers that were asked for', (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const folder = temporaryFolder(t);
  const devices: [fifo.NodeType, number, number][] = [
    ['character', 1, 3],
    ['block', 7, 0],
    ['character', 4095, 0xfffff],
  ];
  for (const [type, major, minor] of devices) {
    const path = join(folder, `${type}-${major}`);
    fifo.mknod(path, { type, device: { major, minor }, mode: 0o666 });
    const found = lstatSync(path, { bigint: true });
    const isKind = type === 'block' ? found.isBlockDevice() : found.isCharacterDevice();
    assert.ok(isKind && (found.mode & 0o7777n) === 0o666n, path);
    // As glibc puts them together: makedev(3).
    const [high, low] = [BigInt(major), BigInt(minor)];
    assert.equal(found.rdev, (high << 8n) | (low & 0xffn) | ((low & ~0xffn) << 12n));
  }
  assert.equal(lstatSync(join(folder, 'character-1')).rdev, lstatSync('/dev/null').rdev);
});

test('mknod refuses a name that is taken, also by a dangling symbolic link, which it does not follow', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'taken'), 'precious');
  symlinkSync(join(folder, 'target'), join(folder, 'link'));
  for (const [type] of KINDS) {
    const options = { type, ...(type === 'character' ? { device: WHITEOUT } : {}) };
    for (const name of ['taken', 'link']) {
      const path = join(folder, name);
      const taken = { name: 'IpcError', code: 'EEXIST', errno: -17, syscall: 'mknod', path, hint: /new name/ };
      assert.throws(() => fifo.mknod(path, options), taken);
    }
  }
  assert.deepEqual(readdirSync(folder), ['link', 'taken']);
});

test('options that cannot be meant are named, and make nothing', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'n');
  const device = { major: 1, minor: 3 };
  const cases: [unknown, string, RegExp][] = [
    [undefined, 'ERR_INTERPROC_ARGUMENT', /mknod needs options/],
    [{}, 'ERR_INTERPROC_ARGUMENT', /type must be one of fifo, socket, character, block, file, got undefined/],
    [{ type: 'fiffo' }, 'ERR_INTERPROC_ARGUMENT', /got 'fiffo'; did you mean 'fifo'\?/],
    [{ type: 'fifo', mod: 1 }, 'ERR_INTERPROC_ARGUMENT', /unknown option 'mod' \(did you mean mode\?\)/],
    [{ type: 'fifo', mode: 0o10000 }, 'ERR_INTERPROC_RANGE', /mode must be a whole number/],
    [{ type: 'fifo', umask: 0o22 }, 'ERR_INTERPROC_ARGUMENT', /umask must be true or false, got 18/],
    [{ type: 'fifo', device }, 'ERR_INTERPROC_ARGUMENT', /device is of character and block, and type is 'fifo'/],
    [{ type: 'block' }, 'ERR_INTERPROC_ARGUMENT', /a block device needs device: \{ major, minor \}, got undefined/],
    [{ type: 'block', device: { major: 1 } }, 'ERR_INTERPROC_ARGUMENT', /device\.minor must be a number/],
    [{ type: 'block', device: { ...device, minr: 1 } }, 'ERR_INTERPROC_ARGUMENT', /unknown option 'minr'/],
    [{ type: 'character', device: { major: 4096, minor: 0 } }, 'ERR_INTERPROC_RANGE', /device\.major .* 0 to 4095/],
    [{ type: 'character', device: { major: 0, minor: 2 ** 20 } }, 'ERR_INTERPROC_RANGE', /device\.minor .*1048575/],
  ];
  for (const [options, code, message] of cases) {
    assert.throws(() => fifo.mknod(path, options as fifo.MknodOptions), { code, message });
  }
  assert.throws(() => fifo.mknod('', { type: 'fifo' }), { code: 'ERR_INTERPROC_NAME' });
  assert.throws(() => fifo.create(path, { umask: 1 } as never), { code: 'ERR_INTERPROC_ARGUMENT' });
  assert.deepEqual(readdirSync(folder), []);
});

test('in a set-group-ID folder a new name gets the group of the folder', (t) => {
  if (process.getuid?.() !== 0) return skip(t, 'root');
  const folder = temporaryFolder(t);
  chownSync(folder, 0, 65534);
  chmodSync(folder, 0o2775);
  fifo.create(join(folder, 'f'), { mode: 0o620 });
  fifo.mknod(join(folder, 'n'), { type: 'socket' });
  for (const name of ['f', 'n']) assert.equal(lstatSync(join(folder, name)).gid, 65534, name);
});

test('what was put in the place of a new name keeps its mode', (t) => {
  const folder = temporaryFolder(t);
  const precious = join(folder, 'precious');
  const path = join(folder, 'new');
  const plants: [make: () => void, plant: () => void, message: RegExp][] = [
    [() => fifo.create(path, { mode: 0o666 }), () => linkSync(precious, path), /put a regular file in its place/],
    [() => fifo.mknod(path, { type: 'fifo', mode: 0o666 }), () => mkdirSync(path, { mode: 0o700 }), /put a folder/],
    [
      () => fifo.mknod(path, { type: 'file', mode: 0o666 }),
      () => linkSync(precious, path),
      /put a file with further names/,
    ],
    [() => fifo.create(path, { mode: 0o666 }), () => symlinkSync(precious, path), /put a symbolic link/],
  ];
  writeFileSync(precious, '', { mode: 0o600 });
  for (const [make, plant, message] of plants) {
    // The moment between the system calls is too short to be met from outside; here another gets in for sure.
    const after = (made: number): number => {
      rmSync(path);
      plant();
      return made;
    };
    const { mkfifo, mknod } = native();
    t.mock.method(native(), 'mkfifo', (...args: Parameters<typeof mkfifo>) => after(mkfifo(...args)), { times: 1 });
    t.mock.method(native(), 'mknod', (...args: Parameters<typeof mknod>) => after(mknod(...args)), { times: 1 });
    assert.throws(make, { name: 'IpcError', code: 'EINVAL', path, message });
    t.mock.reset();
    assert.equal(lstatSync(precious).mode & 0o777, 0o600);
    if (lstatSync(path).isDirectory()) assert.equal(lstatSync(path).mode & 0o777, 0o700);
    rmSync(path, { recursive: true });
  }
});
