/** The models of the locks: that they are about this source, and that spin agrees with the part of them that takes seconds. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, runScript } from '../scripts/checkout.js';
import { peer } from '../support/skips.js';

const folder = join(root, 'src/lock/model');
const models = readdirSync(folder).filter((name) => name.endsWith('.pml'));
const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');

test('every step of a model is a label in the source that the model names', () => {
  const missing: string[] = [];
  let found = 0;
  for (const model of models) {
    const text = read('src/lock/model', model);
    const [, sources = ''] = /^ \* source: (.+)$/m.exec(text) ?? [];
    const source = sources
      .split(', ')
      .map((file) => read(file))
      .join('\n');
    for (const [, label] of text.matchAll(/\[([a-z][\w-]*)\] *\*\//g)) {
      if (source.includes(`[${label}]`)) found += 1;
      else missing.push(`${model}: [${label}]`);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(found > 60, `only ${found} labels were found`);
});

test('every check of a model is taken out in one of its runs, and docs/design/locks-model.md says what is found then', () => {
  const document = read('docs/design/locks-model.md');
  const switches = models.flatMap((model) => {
    const text = read('src/lock/model', model);
    return [...text.matchAll(/^#if(?:n?def) (WITHOUT_\w+)/gm)].map(([, name = '']) => name);
  });
  const runs = models.map((model) => read('src/lock/model', model)).join('\n');
  for (const name of new Set(switches)) {
    assert.match(runs, new RegExp(`^ \\* without: ${name}: `, 'm'), name);
    assert.ok(document.includes(`\`${name}\``), `${name} is not in the document`);
  }
  assert.ok(new Set(switches).size > 20);
});

test('spin finds no error where nobody is killed, and finds one if nobody is woken', async (t) => {
  if (!peer(t, 'spin')) return;
  const ended = await runScript('model.mjs', ['nobody is killed', 'WITHOUT_WAKE']);
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  assert.equal([...ended.stdout.matchAll(/no errors/g)].length, 4, ended.stdout);
  assert.match(ended.stdout, /WITHOUT_WAKE: .*\n +found: /);
});
