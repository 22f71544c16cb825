/** What the documents say about files of this repository: that those are there. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { root } from './checkout.js';

function documents(): string[] {
  const inRoot = readdirSync(root).filter((name) => name.endsWith('.md'));
  const below = ['docs', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, String(name))),
  );
  return [...inRoot, ...below.filter((name) => name.endsWith('.md'))].map((name) => join(root, name));
}

function prose(file: string): string {
  return readFileSync(file, 'utf8').replaceAll(/^```.*?^```$/gms, '');
}

/** What a heading can be linked by. */
function anchorsOf(file: string): string[] {
  return [...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

test('every link in the documents leads to a file, and to a heading where it names one', () => {
  const dead: string[] = [];
  for (const file of documents()) {
    for (const [, target = ''] of prose(file).matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const there = path === '' ? file : join(dirname(file), path);
      if (!existsSync(there) || (anchor !== undefined && !anchorsOf(there).includes(anchor))) {
        dead.push(`${relative(root, file)}: ${target}`);
      }
    }
  }
  assert.deepEqual(dead, []);
});

test('every test that docs/errno.md names is there', () => {
  const text = readFileSync(join(root, 'docs', 'errno.md'), 'utf8').replaceAll(/\n +/g, ' ');
  const missing: string[] = [];
  let file = '';
  let named = 0;
  for (const [, path, sentence] of text.matchAll(/`([\w/-]+\.test\.ts)`|"([^"\n]+)"/g)) {
    if (path !== undefined) file = join(root, 'test', path);
    else if (!existsSync(file) || !readFileSync(file, 'utf8').includes(sentence as string)) {
      missing.push(`${relative(root, file)}: ${sentence}`);
    } else {
      named += 1;
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(named > 50, `only ${named} were found`);
});
