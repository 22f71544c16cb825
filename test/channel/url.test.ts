import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCHEMES, sender, traits } from '../../src/channel/index.js';
import { checkUrlOptions, flagOption, numberOption, parseUrl } from '../../src/channel/url.js';

const known = ['unix', 'shm', 'posixshm', 'fifo'];
const parse = (href: string) => parseUrl(href, known);

test('a URL is a scheme, a name as it is, and options', () => {
  const url = parse('unix:/tmp/a b#c?raw&capacity=0x10');
  assert.equal(url.scheme, 'unix');
  assert.equal(url.rest, '/tmp/a b#c');
  assert.deepEqual(
    [...url.options],
    [
      ['raw', 'true'],
      ['capacity', '0x10'],
    ],
  );
});

test('a name keeps its dots and may be relative', () => {
  assert.equal(parse('fifo:../x/./y').rest, '../x/./y');
});

test('question mark and percent sign are written as escapes, and so is any other byte if one likes', () => {
  assert.equal(parse('fifo:a%3Fb%25c%20d').rest, 'a?b%c d');
  assert.equal(parse('fifo:x?k=a%26b%3D').options.get('k'), 'a&b=');
});

test('a percent sign that begins no escape is refused with what to write instead', () => {
  assert.throws(() => parse('fifo:100%'), { code: 'ERR_INTERPROC_URL', message: /"%25"/ });
});

test('an unknown scheme names the nearest one', () => {
  assert.throws(() => parse('unx:/a'), { code: 'ERR_INTERPROC_URL', message: /"unx:"; did you mean unix:\?/ });
  assert.throws(() => parse('posix-shm:/a'), { message: /did you mean posixshm:/ });
});

test('a string without a scheme says so and lists what there is', () => {
  assert.throws(() => parse('/tmp/socket'), {
    code: 'ERR_INTERPROC_URL',
    message: /has no scheme.*unix: shm: posixshm: fifo:/,
  });
});

test('a NUL in a name is refused', () => {
  assert.throws(() => parse('fifo:a%00b'), { code: 'ERR_INTERPROC_URL' });
});

test('an unknown option is refused by name, with the nearest', () => {
  assert.throws(() => checkUrlOptions(parse('shm:a?capcity=1'), ['capacity', 'spin']), {
    code: 'ERR_INTERPROC_URL',
    message: /"capcity", did you mean capacity\?; known are capacity, spin/,
  });
});

test('flags and numbers are checked', () => {
  assert.equal(flagOption(parse('fifo:a?raw'), 'raw'), true);
  assert.equal(flagOption(parse('fifo:a?raw=false'), 'raw'), false);
  assert.throws(() => flagOption(parse('fifo:a?raw=maybe'), 'raw'), { code: 'ERR_INTERPROC_URL' });
  assert.equal(numberOption(parse('shm:a?capacity=0x1000'), 'capacity', 1, 65536), 4096);
  assert.throws(() => numberOption(parse('shm:a?capacity=-1'), 'capacity', 1, 10), { code: 'ERR_INTERPROC_RANGE' });
});

test('every scheme declares its traits', async () => {
  for (const scheme of SCHEMES) {
    const declared = await traits(`${scheme}:x`);
    assert.deepEqual(Object.keys(declared).sort(), ['bounded', 'connected', 'multiSender', 'retains'], scheme);
  }
});

test('options of the call are checked before anything is opened', async () => {
  await assert.rejects(sender('shm:x', { colesce: true } as never), {
    code: 'ERR_INTERPROC_ARGUMENT',
    message: /'colesce'/,
  });
  await assert.rejects(sender('shm:x', { timeoutMs: -1 }), { code: 'ERR_INTERPROC_RANGE' });
  await assert.rejects(sender('shm:x', { signal: AbortSignal.abort() }), { name: 'AbortError' });
});
