import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/folder.js';
import { peer } from '../support/skips.js';
import { launch, MAIN } from './cli.js';

const MESSAGES = 400;
/** So many hand-overs a slow machine makes under strace. */
const TURNS = 20;

/** Reads the table of `strace -c`: how often each system call was made. */
function counts(table: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields.length >= 5 && /^\d+$/.test(fields[3]!)) found.set(fields.at(-1)!, Number(fields[3]));
  }
  return found;
}

/** What a row must call, and how often at least; and what it has no need to call. */
const NAMED: [row: string, calls: Record<string, number>, not: string[]][] = [
  ['file', { inotify_add_watch: 1 }, ['mq_timedsend', 'fdatasync', 'memfd_create']],
  ['file-durable', { fdatasync: MESSAGES }, ['mq_timedsend', 'memfd_create']],
  ['pipe', { pipe2: 2 }, ['mq_timedsend', 'memfd_create', 'mknodat', 'mknod']],
  ['pipe-child', { pipe2: 2 }, ['mq_timedsend', 'memfd_create', 'mknodat', 'mknod', 'bind']],
  ['fifo', { 'mknodat|mknod': 1 }, ['mq_timedsend', 'memfd_create']],
  ['unix', { bind: 2, 'accept4|accept': 2 }, ['mq_timedsend', 'memfd_create']],
  ['unix-abstract', { bind: 2, 'accept4|accept': 2 }, ['mq_timedsend', 'memfd_create']],
  ['unixpacket', { bind: 2, 'accept4|accept': 2 }, ['mq_timedsend', 'memfd_create']],
  ['unixgram', { bind: 2, connect: 2 }, ['mq_timedsend', 'memfd_create', 'accept4', 'listen']],
  ['mq', { mq_open: 4, mq_timedsend: MESSAGES, mq_timedreceive: MESSAGES }, ['memfd_create', 'fdatasync']],
  ['msgq', { msgget: 4, msgsnd: MESSAGES, msgrcv: MESSAGES }, ['mq_timedsend', 'memfd_create', 'fdatasync']],
  ['anonymous', { memfd_create: 2 }, ['mq_timedsend', 'fdatasync', 'bind', 'shmget']],
  ['mmap', { fallocate: 2, linkat: 2 }, ['mq_timedsend', 'fdatasync', 'memfd_create', 'shmget']],
  ['sysvshm', { shmget: 4, shmat: 4, semget: 4, 'semop|semtimedop': 4 }, ['mq_timedsend', 'fdatasync', 'memfd_create']],
  ['posixshm', { fallocate: 2 }, ['mq_timedsend', 'fdatasync', 'memfd_create']],
  ['shm', { memfd_create: 2, sendmsg: 2, recvmsg: 2 }, ['mq_timedsend', 'fdatasync']],
  ['signal', { rt_sigqueueinfo: MESSAGES, signalfd4: 2 }, ['mq_timedsend', 'memfd_create']],
  // Turns end after 0.7 s, be there as many as asked for or not. What Node itself calls all the time, futex and read, tells nothing.
  ['semset', { semget: 3, 'semop|semtimedop': TURNS }, ['flock', 'mq_timedsend', 'shmget']],
  ['flock', { flock: TURNS }, ['semget', 'mq_timedsend', 'shmget']],
  ['record', { fcntl: 100 + 2 * TURNS }, ['semget', 'flock', 'mq_timedsend']],
  ['ofd', { fcntl: 100 + 2 * TURNS }, ['semget', 'flock', 'mq_timedsend']],
  ['lock-file', { flock: TURNS, 'unlink|unlinkat|renameat2|rename': TURNS / 2 }, ['semget', 'mq_timedsend']],
];

for (const [row, calls, not] of NAMED) {
  test(`strace shows that ${row} is made of ${Object.keys(calls).join(', ')}`, async (t) => {
    if (!peer(t, 'strace')) return;
    const folder = temporaryFolder(t);
    const [input, table] = [join(folder, 'input'), join(folder, 'table')];
    writeFileSync(input, Buffer.alloc(100_000, 'x'));
    const tour = ['tour', '--json', '--only', row, '--messages', String(MESSAGES), '--input', input];
    const words = ['-f', '-c', '-o', table, process.execPath, MAIN, ...tour];
    let turns = 0;
    // The machine may stand still while turns are taken, whose time is limited.
    for (let round = 0; round < 5 && turns < TURNS; round++) {
      const { code, stdout, stderr } = await launch(t, 'strace', words).done;
      assert.equal(code, 0, `${stderr}${stdout}`);
      turns = JSON.parse(String(stdout)).rows[0].messages;
    }
    const seen = counts(readFileSync(table, 'utf8'));
    for (const [names, least] of Object.entries(calls)) {
      const count = names.split('|').reduce((sum, name) => sum + (seen.get(name) ?? 0), 0);
      assert.ok(count >= least, `${names} was called ${count} times, expected ${least} at least`);
    }
    for (const name of not) assert.equal(seen.get(name) ?? 0, 0, `${name} has no business in ${row}`);
  });
}
