/** Builds the C programs of bench/c into build/bench, each only when something it is made of is newer. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

const sources = join(root, 'bench/c');
const output = join(root, 'build/bench');
const FLAGS = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];

/** The path of a built program. */
export function cProgram(name: string): string {
  return join(output, name);
}

/** The compiler that is used: $CC, or cc. */
export const compiler = process.env.CC ?? 'cc';

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Builds what is out of date. Throws with the compiler's own words when it fails. */
export function buildC(): void {
  mkdirSync(output, { recursive: true });
  const files = readdirSync(sources);
  const headers = Math.max(...files.filter((file) => file.endsWith('.h')).map((file) => modified(join(sources, file))));
  for (const file of files.filter((name) => name.endsWith('.c'))) {
    const source = join(sources, file);
    const target = cProgram(file.slice(0, -2));
    if (modified(target) > Math.max(headers, modified(source))) continue;
    // Built aside and renamed, so that a bench that runs at the same time never starts half a program.
    const aside = `${target}.${process.pid}`;
    const result = spawnSync(compiler, [...FLAGS, source, '-o', aside, '-lrt'], { encoding: 'utf8' });
    if (result.error !== undefined) throw new Error(`cannot run ${compiler}`, { cause: result.error });
    if (result.status !== 0) throw new Error(`${compiler} failed for bench/c/${file}\n${result.stderr}`);
    renameSync(aside, target);
  }
}
