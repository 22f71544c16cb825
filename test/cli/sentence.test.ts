import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RowResult } from '../../src/cli/tour/run.js';
import { sentence, sentenceOfTurns } from '../../src/cli/tour/sentence.js';

function row(name: string, way: RowResult['way'], file: number | null, messages: number, verified = true): RowResult {
  const family = name === 'signal' ? 'signal' : 'stream';
  return { name, way, family, verified, throughputBytesPerSecond: file, messagesPerSecond: messages } as RowResult;
}

test('the sentence compares the best of each way, for the file and for messages', () => {
  const rows = [
    row('file', 'file', 500, 100),
    row('file-durable', 'file', 50, 1),
    row('pipe', 'kernel', 1000, 200),
    row('unix', 'kernel', 900, 230),
    row('shm', 'memory', 3000, 2300),
    row('signal', 'kernel', null, 9000),
  ];
  assert.equal(
    sentence(rows),
    "On this machine, compared with the kernel's buffers, a file made durable message by message is 20 times slower with " +
      'blocks of 64 KiB and 230 times slower with messages of 64 bytes, and a file in the page cache is 2.0 times slower ' +
      'with blocks of 64 KiB and 2.3 times slower with messages of 64 bytes; compared with shared memory, the ' +
      "kernel's buffers are 3.0 times slower with blocks of 64 KiB and 10 times slower with messages of 64 bytes.",
  );
});

test('it says so where the order is not the expected one, and where two are alike', () => {
  const rows = [row('pipe', 'kernel', 1000, 500), row('shm', 'memory', 1050, 250)];
  assert.equal(
    sentence(rows),
    "On this machine, compared with shared memory, the kernel's buffers are about as fast with blocks of 64 KiB and " +
      '2.0 times faster with messages of 64 bytes.',
  );
});

test('it leaves out what was not measured or not verified, and is left out where one way is all there is', () => {
  const empty = [row('file', 'file', null, 10), row('shm', 'memory', null, 20)];
  assert.equal(
    sentence(empty),
    'On this machine, compared with shared memory, a file in the page cache is 2.0 times slower with messages of 64 bytes.',
  );
  assert.equal(sentence([row('pipe', 'kernel', 1, 1), row('shm', 'memory', 1, 1, false)]), undefined);
  assert.equal(sentence([row('signal', 'kernel', null, 1), row('shm', 'memory', 1, 1)]), undefined);
});

function turns(mechanism: string, way: 'kernel' | 'memory', rate: number, verified = true): RowResult {
  return { ...row(mechanism, way, null, rate, verified), mechanism, family: 'sync' };
}

test('turns have a sentence of their own, which names the quickest of each kind that is verified', () => {
  const rows = [
    turns('flock', 'kernel', 7000),
    turns('eventfd', 'kernel', 45_000),
    turns('futex', 'memory', 20_000),
    turns('mutex', 'memory', 90_000, false),
  ];
  assert.equal(
    sentenceOfTurns(rows),
    'A turn is handed over most often by: of what is in shared memory, futex, 20.0 thousand times a second; of what is in the kernel, ' +
      'eventfd, 45.0 thousand times a second.',
  );
  assert.equal(
    sentenceOfTurns(rows.slice(0, 1)),
    'A turn is handed over most often by: of what is in the kernel, flock, 7.0 thousand times a second.',
  );
});

test('turns say nothing of how fast bytes move, nor bytes of turns', () => {
  const moved = [row('pipe', 'kernel', 1000, 500), row('shm', 'memory', 1050, 250)];
  assert.equal(sentence([...moved, turns('eventfd', 'kernel', 1e9), turns('futex', 'memory', 1e9)]), sentence(moved));
  assert.equal(sentence([turns('eventfd', 'kernel', 1e9), turns('futex', 'memory', 1e9)]), undefined);
  assert.equal(sentenceOfTurns(moved), undefined);
});
