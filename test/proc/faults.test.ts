import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { create } from '../../src/pipe/index.js';
import { temporaryFolder } from '../support/folder.js';
import { dumps, started } from './support.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/faults.c', import.meta.url));

test('a division by zero, a null pointer and a closed pipe are SIGFPE, SIGSEGV and SIGPIPE, by name and by number', async (t) => {
  const folder = temporaryFolder(t);
  const program = join(folder, 'faults');
  execFileSync('cc', ['-O0', '-o', program, SOURCE]);
  const cases = [
    ['divide', 'SIGFPE', 8, 'killed by SIGFPE (arithmetic error)'],
    ['dereference', 'SIGSEGV', 11, 'killed by SIGSEGV (segmentation fault)'],
    ['write', 'SIGPIPE', 13, 'killed by SIGPIPE (wrote to a pipe that nobody reads)'],
  ] as const;
  for (const [fault, signal, signalNumber, description] of cases) {
    const { reader, writer } = create();
    reader.close();
    const child = started(t, 'sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', program, fault], { fds: { 1: writer } });
    writer.close();
    assert.deepEqual(await child.wait(), {
      state: 'killed',
      code: null,
      signal,
      signalNumber,
      coreDumped: false,
      stopped: false,
      description,
    });
  }
});

test('a core dump is told', async (t) => {
  const folder = temporaryFolder(t);
  const child = started(t, 'sh', ['-c', 'ulimit -c "$(ulimit -Hc)"; kill -SEGV $$'], { cwd: folder });
  const end = await child.wait();
  assert.equal(end.signal, 'SIGSEGV');
  if (!dumps()) t.diagnostic('no core file is written here, so the flag is not compared');
  else assert.equal(end.description, 'killed by SIGSEGV (segmentation fault), core dumped');
  assert.equal(end.coreDumped, end.description.endsWith('core dumped'));
});
