import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { inspect, getSystemErrorName } from 'node:util';
import { test } from 'node:test';
import { checkBytes, checkInteger, checkMode, checkOptions, checkString } from '../../src/core/arguments.js';
import * as errno from '../../src/core/errno.js';
import { AbortError, check, codedError, IpcError, systemError, timeoutError } from '../../src/core/errors.js';
import { hintFor } from '../../src/core/hints.js';
import { peer } from '../support/skips.js';

const EDEADLK = 35;

test('an IpcError has the shape of Node’s own system errors', async () => {
  const { accessSync } = await import('node:fs');
  const theirs = ((): NodeJS.ErrnoException => {
    try {
      accessSync('/nowhere');
    } catch (why) {
      return why as NodeJS.ErrnoException;
    }
    return assert.fail();
  })();
  const ours = systemError(-2, 'access', { path: '/nowhere' });
  assert.ok(ours instanceof Error && ours instanceof IpcError);
  assert.equal(ours.name, 'IpcError');
  assert.equal(ours.message, theirs.message);
  assert.deepEqual({ ...ours }, { ...theirs });
  assert.equal(getSystemErrorName(ours.errno), ours.code);
});

test('an error names its path, object or key, and leaves out what does not apply', () => {
  assert.deepEqual(
    { ...systemError(-17, 'mq_open', { object: '/jobs' }) },
    {
      code: 'EEXIST',
      errno: -17,
      syscall: 'mq_open',
      object: '/jobs',
      hint: hintFor('mq_open', 'EEXIST'),
    },
  );
  assert.deepEqual(Object.keys(systemError(-14, 'msgrcv', { key: '0x1234' })).sort(), [
    'code',
    'errno',
    'key',
    'syscall',
  ]);
  assert.equal(systemError(-43, 'msgrcv', { key: '0x1234' }).message, "EIDRM: identifier removed, msgrcv '0x1234'");
  assert.equal(systemError(-43, 'msgrcv').message, 'EIDRM: identifier removed, msgrcv');
  const cause = new Error('why');
  assert.equal(new IpcError({ code: 'EPROTO', syscall: 'x', cause }).cause, cause);
});

test('inspect shows code, call and hint', () => {
  const shown = inspect(systemError(-24, 'eventfd'));
  for (const part of ["code: 'EMFILE'", "syscall: 'eventfd'", 'ulimit -n']) assert.ok(shown.includes(part), shown);
});

test('a result of at least 0 passes check()', () => {
  assert.equal(check(0, 'read'), 0);
  assert.equal(check(5, 'read'), 5);
  assert.throws(() => check(-9, 'read'), { code: 'EBADF', errno: -9, syscall: 'read' });
});

test('a time-out is ETIMEDOUT and says how long', () => {
  const late = timeoutError('read', 20, { object: '/jobs' });
  assert.deepEqual(
    [late.code, late.errno, late.message],
    ['ETIMEDOUT', -110, "ETIMEDOUT: timed out after 20 ms, read '/jobs'"],
  );
});

test('an AbortError is as Node’s own', async () => {
  const { setTimeout: theirs } = await import('node:timers/promises');
  const signal = AbortSignal.abort('reason');
  const node = await theirs(1, undefined, { signal }).catch((why) => why as Error);
  const ours = new AbortError(signal);
  for (const key of ['name', 'message', 'code', 'cause'] as const) {
    assert.equal((ours as unknown as Record<string, unknown>)[key], (node as unknown as Record<string, unknown>)[key]);
  }
});

test('an error with a code of ours carries its cause', () => {
  const cause = new Error('why');
  const error = codedError('ERR_INTERPROC_NOT_BUILT', 'x', cause);
  assert.deepEqual([(error as NodeJS.ErrnoException).code, error.cause], ['ERR_INTERPROC_NOT_BUILT', cause]);
  assert.ok(!('cause' in codedError('ERR_INTERPROC_CLOSED', 'x')));
});

test('the errno table says what this system’s headers and Python say', (t) => {
  for (const [name, number] of Object.entries(constants.errno)) {
    const known = errno.errnoNumber(name);
    const synonym = ['EWOULDBLOCK', 'ENOTSUP'].includes(name) || known === undefined;
    if (!synonym) assert.equal(known, number, name);
    if (known !== undefined) assert.equal(errno.errnoName(number), name);
  }
  if (!peer(t, 'python3')) return;
  const python = JSON.parse(
    execFileSync('python3', ['-c', 'import errno, json; print(json.dumps(errno.errorcode))'], { encoding: 'utf8' }),
  ) as Record<string, string>;
  const same: Record<string, string> = { EDEADLOCK: 'EDEADLK', ENOTSUP: 'EOPNOTSUPP' };
  let compared = 0;
  for (const [number, name] of Object.entries(python)) {
    const ours = errno.errnoName(Number(number));
    if (ours === `E${number}`) continue;
    assert.equal(ours, same[name] ?? name);
    compared++;
  }
  assert.ok(compared > 70, `${compared} compared`);
});

test('the errnos that Node’s table lacks are there', () => {
  const lacking = ['EIDRM', 'ENOMSG', 'EDEADLK', 'ENOLCK', 'EBADMSG', 'EOWNERDEAD', 'ENOTRECOVERABLE'];
  for (const name of lacking) assert.equal(errno.errnoName(errno.errnoNumber(name) as number), name);
  assert.equal(errno.errnoNumber('EDEADLK'), EDEADLK);
});

test('the constants are the numbers of the table', () => {
  for (const [name, number] of Object.entries(errno)) {
    if (typeof number === 'number') assert.equal(errno.errnoName(number), name);
  }
});

test('an unknown errno still has a name', () => {
  assert.equal(errno.errnoName(4095), 'E4095');
  assert.equal(errno.errnoDescription(4095), 'unknown error');
  assert.equal(errno.errnoNumber('ENOSUCH'), undefined);
  assert.equal(systemError(-4095, 'x').code, 'E4095');
  assert.equal(systemError(-4095, 'x').errno, -4095);
});

test('hints belong to a call and a code, and every call knows the limit of descriptors', () => {
  assert.match(hintFor('mq_open', 'EMFILE') ?? '', /RLIMIT_MSGQUEUE/);
  assert.match(hintFor('anything', 'EMFILE') ?? '', /RLIMIT_NOFILE/);
  assert.equal(hintFor('read', 'EIO'), undefined);
});

test('arguments are refused by name, with what was given', () => {
  const refused = (run: () => void, code: string, message: RegExp): void =>
    assert.throws(run, (why: NodeJS.ErrnoException) => why.code === code && message.test(why.message));
  refused(() => checkBytes('data', 'text'), 'ERR_INTERPROC_ARGUMENT', /^data must be a Uint8Array .*got 'text'$/);
  refused(() => checkBytes('data', new Uint16Array(2)), 'ERR_INTERPROC_ARGUMENT', /Uint16Array/);
  checkBytes('data', Buffer.alloc(1));
  for (const wrong of [0.5, Number.NaN, -1, 11, Infinity]) {
    refused(
      () => checkInteger('size', wrong, 0, 10),
      'ERR_INTERPROC_RANGE',
      /^size must be a whole number from 0 to 10, got /,
    );
  }
  refused(() => checkInteger('size', 1n, 0, 10), 'ERR_INTERPROC_ARGUMENT', /^size must be a number, got 1n$/);
  refused(() => checkString('name', 5), 'ERR_INTERPROC_ARGUMENT', /^name must be a string, got 5$/);
  refused(() => checkString('name', ''), 'ERR_INTERPROC_NAME', /empty/);
  refused(() => checkString('name', 'a\0b'), 'ERR_INTERPROC_NAME', /NUL/);
  refused(
    () => checkOptions({ timeout: 5 }, ['timeoutMs']),
    'ERR_INTERPROC_ARGUMENT',
    /^unknown option 'timeout' \(did you mean timeoutMs\?\); known are timeoutMs$/,
  );
  refused(() => checkOptions(null as never, []), 'ERR_INTERPROC_ARGUMENT', /null/);
  refused(() => checkMode(0o10000), 'ERR_INTERPROC_RANGE', /mode/);
  checkOptions(undefined, []);
});
