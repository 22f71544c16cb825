import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pipeline } from '../../../src/pipe/index.js';
import * as fifo from '../../../src/fifo/index.js';
import { temporaryFolder } from '../../support/folder.js';
import { run, thrown } from './support.js';

const WORDS = [
  'printf %s, a b  c',
  `printf %s, 'a b' "c d" e\\ f`,
  `printf %s, '' "" x`,
  `printf %s, 'it'"'"'s' "a\\"b" "a\\\\b" "a\\nb"`,
  `printf %s, \\* '*' "?" \\~ '~' x~y a#b`,
  `printf %s, $'tab\\there' $'\\x41\\u00e9'`,
  'printf %s, a=b --c=d {} a{b {x} -- -',
  'printf %s, "|" \\| \\; \\& \\> "2>&1" \'$HOME\' \\$HOME "\\$(x)"',
  'printf %s, ä€𝄞',
  'printf %s, a\\\nb',
  '  printf   %s,   a   ',
  'printf %s, one |\n cat',
];

test('words and quotes are read as bash reads them', async () => {
  for (const line of WORDS) {
    const { text } = await run(line);
    assert.equal(text, execFileSync('bash', ['-c', line], { encoding: 'utf8' }), line);
  }
});

test('redirections do what they do in bash, in their order', async (t) => {
  const lines = [
    'printf abc > out',
    'printf def >> out',
    "sh -c 'echo out; echo err >&2' > out 2>&1",
    "sh -c 'echo out; echo err >&2' 2>&1 | sort > out",
    "sh -c 'echo out; echo err >&2' |& sort > out",
    "sh -c 'echo out; echo err >&2' 2> out",
    "sh -c 'echo out; echo err >&2' 2>> out | cat >> out",
    "sh -c 'echo out; echo err >&2' 2>&1 > out | cat",
    'cat < in | tr a-z A-Z > out',
    'cat 0< in 1> out',
    '< in cat > out',
    "sh -c 'cat <&5; echo x >&6' 5< in 6> out",
    "sh -c 'echo err >&2' 3> out 2>&3",
    'printf gone > first > out',
    "printf '' > 'a b'",
  ];
  for (const line of lines) {
    const [ours, theirs] = [temporaryFolder(t), temporaryFolder(t)];
    for (const folder of [ours, theirs]) {
      writeFileSync(join(folder, 'in'), 'some\nlines\n');
      writeFileSync(join(folder, 'out'), 'before\n');
    }
    const { text } = await run(line, { cwd: ours, error: 'null' });
    const expected = execFileSync('bash', ['-c', line], {
      cwd: theirs,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    assert.equal(text, expected, line);
    assert.equal(readFileSync(join(ours, 'out'), 'utf8'), readFileSync(join(theirs, 'out'), 'utf8'), line);
  }
});

test('a file that a redirection makes has the mode that a shell would give it', async (t) => {
  const folder = temporaryFolder(t);
  const before = process.umask(0o027);
  try {
    await run('printf x > made', { cwd: folder });
  } finally {
    process.umask(before);
  }
  assert.equal(statSync(join(folder, 'made')).mode & 0o777, 0o640);
});

const REFUSED: readonly (readonly [line: string, position: number, message: RegExp])[] = [
  ['a; b', 1, /";" at position 1: a list of commands/],
  ['a ;', 2, /list of commands/],
  ['a && b', 2, /"&&" at position 2/],
  ['a || b', 2, /"\|\|" at position 2/],
  ['a &', 2, /background/],
  ['a & b', 2, /background/],
  ['a\nb', 2, /list of commands/],
  ['echo $HOME', 5, /"\$HOME" at position 5: a variable/],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
  ['echo "x ${y}"', 8, /a variable/],
  ['echo $(date)', 5, /a command substitution/],
  ['echo `date`', 5, /a command substitution/],
  ['echo "`date`"', 6, /a command substitution/],
  ['echo $((1+2))', 5, /arithmetic/],
  ['ls *.c', 3, /a pattern of file names/],
  ['ls a?', 4, /a pattern of file names/],
  ['ls [ab]', 3, /a pattern of file names/],
  ['ls {a,b}', 3, /a brace expansion/],
  ['ls {1..3}', 3, /a brace expansion/],
  ['ls ~', 3, /a home folder/],
  ['ls ~root/x', 3, /a home folder/],
  ['cat <(ls)', 4, /a process substitution/],
  ['cat <<E\nx\nE', 4, /a here-document/],
  ['cat <<< x', 4, /a here-string/],
  ['A=1 b', 0, /an assignment/],
  ['A=1', 0, /an assignment/],
  ['! a', 0, /a negation/],
  ['time a', 0, /the keyword time/],
  ['a | ! b', 4, /expected command/],
  ['(a)', 0, /a subshell/],
  ['{ a; }', 0, /a group of commands/],
  ['f() { a; }', 0, /a function/],
  ['if a; then b; fi', 0, /a command of the shell/],
  ['while a; do b; done', 0, /a command of the shell/],
  ['[[ -f x ]]', 0, /a command of the shell/],
  ['a # why', 2, /a comment/],
  ['# why', 0, /a comment/],
  ['a | # why\n b', 4, /a comment/],
  ['a &> f', 2, /a redirection that is not one of/],
  ['a >| f', 2, /a redirection that is not one of/],
  ['a <> f', 2, /a redirection that is not one of/],
  ['a 2>&-', 2, /a redirection that is not one of/],
  ['a >& f', 2, /a redirection that is not one of/],
  ['a {x}> f', 2, /a redirection that is not one of/],
  ['a > ""', 4, /an empty name is no file/],
  ['a > $F', 4, /a variable/],
  ['> f', 0, /a stage needs a command/],
  ['"" x', 0, /an empty name is no command/],
  ["a 'x", 2, /unterminated/],
  ['a "x', 2, /unterminated/],
  ['a |', 3, /the end of the line at position 3: expected command/],
  ['a | | b', 4, /"\|" at position 4: expected command/],
  ['| a', 0, /./],
  ['a >', 3, /./],
  ['', 0, /a pipeline needs a command/],
  ['   ', 3, /a pipeline needs a command/],
];

test('what only a shell could do, and what even a shell could not read, is refused with its position', () => {
  for (const [line, position, message] of REFUSED) {
    const why = thrown(() => pipeline(line));
    assert.ok(why instanceof TypeError, `${line}: ${why}`);
    assert.equal(why['code'], 'ERR_INTERPROC_ARGUMENT', line);
    assert.match(why.message, message, line);
    assert.equal(why['position'], position, `${line}: ${why.message}`);
  }
});

test('the words of the list form are taken as they are', async () => {
  const { text } = await run([['printf', '%s,', '$HOME', '*', 'a b', '', '|', '~'], ['cat']]);
  assert.equal(text, '$HOME,*,a b,,|,~,');
});

test('no shell is started', async (t) => {
  const folder = temporaryFolder(t);
  const made = join(folder, 'sh');
  writeFileSync(made, `#!/bin/cat\n`);
  chmodSync(made, 0o700);
  // Only the folder with a false sh is searched, so who starts a shell by name gets that one.
  const { text } = await run('/bin/echo a | /bin/cat', { env: { PATH: folder } });
  assert.equal(text, 'a\n');
  assert.equal(thrown(() => pipeline('cd /')) instanceof Error, true, 'a builtin is no program');
});

test('a descriptor that the stage does not have is refused by name', () => {
  assert.match(thrown(() => pipeline('true 2>&7')).message, /stage 1 of 1 \(true\): 2>&7 names a descriptor/);
});

test('a redirection that cannot be opened is an error with the stage, and nothing is left running', async (t) => {
  const folder = temporaryFolder(t);
  const why = thrown(() => pipeline('sleep 1000 | cat > no/such/file', { cwd: folder }));
  assert.equal(why['code'], 'ENOENT');
  assert.equal(why['syscall'], 'open');
  assert.equal(why['stage'], 1);
  assert.match(why.message, /^stage 2 of 2 \(cat\): ENOENT/);
  assert.equal(existsSync(join(folder, 'no')), false);
});

test('a FIFO in a redirection is refused where opening it would stop this thread', (t) => {
  const folder = temporaryFolder(t);
  fifo.create(join(folder, 'f'));
  for (const line of ['cat < f', 'printf x > f']) {
    const why = thrown(() => pipeline(line, { cwd: folder }));
    assert.equal(why['code'], 'EAGAIN');
    assert.match(String(why['hint']), /fifo\.openReader/);
  }
});
