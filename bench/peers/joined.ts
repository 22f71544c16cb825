/**
 * `head -c N /dev/zero | cat | wc -c` as others do it.
 *
 *   --way bash           `bash -c`, timed by itself from the first process to the last exit
 *   --way child_process  three children of child_process, whose streams are piped into each other
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { measure } from '../support/joined.js';

async function byShell(stages: [string, ...string[]][]): Promise<{ said: string; seconds: number }> {
  const line = stages.map((argv) => argv.join(' ')).join(' | ');
  const script = `begin=$EPOCHREALTIME; ${line}; echo $begin $EPOCHREALTIME`;
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { env: { ...process.env, LC_ALL: 'C' } });
  const [said = '', times = ''] = stdout.split('\n');
  const [begin, end] = times.split(' ').map(Number) as [number, number];
  return { said, seconds: end - begin };
}

async function byChildren(stages: [string, ...string[]][]): Promise<{ said: string }> {
  const children = stages.map(([file, ...args]) => spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
  for (const [index, child] of children.slice(1).entries()) children[index]!.stdout.pipe(child.stdin);
  const said = text(children.at(-1)!.stdout);
  await Promise.all(children.map((child) => once(child, 'exit')));
  return { said: await said };
}

await measure((stages, way) => (way === 'bash' ? byShell(stages) : byChildren(stages)), 'way');
