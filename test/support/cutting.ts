/** Memory of which another process cuts the file at any moment, and the ways to go on using it meanwhile. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { randomName } from './folder.js';

/** A kind of file. */
export type Kind = 'posix object' | 'mapped file';
/** A way to use the memory. */
export type Use = 'copying calls' | 'raw views';

const BYTES = 16 * 4096;

/** The other process. */
export async function startCutter(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../fixtures/cutter.js', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

/** Has it cut the file. */
export function cut(cutter: ChildProcess, path: string, microseconds: number): void {
  cutter.stdin?.write(`${microseconds} ${path}\n`);
}

function make(kind: Kind, folder: string): { memory: mmap.Mapping; path: string } {
  if (kind === 'mapped file') {
    const path = join(folder, randomName('cut'));
    return { memory: mmap.createFile(path, { size: BYTES }), path };
  }
  const name = `/${randomName('cut')}`;
  using object = shm.create(name, { size: BYTES });
  return { memory: object.map(), path: `/dev/shm${name}` };
}

const block = new Uint8Array(3000).fill(7);
const into = new Uint8Array(BYTES);

/** Uses all of the memory once, by calls that copy. */
function copy(memory: mmap.Mapping): void {
  for (let offset = 0; offset + block.length <= BYTES; offset += block.length) memory.write(offset, block);
  memory.read(0, BYTES, into);
}

/** Uses all of the memory once, through views: by JavaScript, by Atomics and by Node's own C++. */
function look(memory: mmap.Mapping): void {
  const { bytes, int32 } = memory;
  let sum = 0;
  for (let offset = 0; offset < BYTES; offset += 512) sum += bytes[offset] as number;
  for (let offset = 0; offset < BYTES; offset += 512) bytes[offset] = sum;
  for (let index = 0; index < int32.length; index += 256) Atomics.add(int32, index, 1);
  bytes.fill(1);
  bytes.copyWithin(0, BYTES / 2);
  into.set(bytes);
  createHash('sha1').update(bytes).digest();
  Buffer.from(memory.buffer).toString('latin1');
}

const USE = { 'copying calls': copy, 'raw views': look };

/** A number that looks random: the same for the same seed. */
export const nth = (seed: number, index: number): number => Math.imul(seed + index, 2654435761) >>> 8;

/** How often the memory is used before the other process is told to cut it. */
const BEFORE = 2;

/** Makes memory and uses it until a call says that it was cut, so many times; answers how often one said so. */
export async function useWhileCut(kind: Kind, use: Use, rounds: number, folder: string, seed: number): Promise<number> {
  const cutter = await startCutter();
  try {
    return useWhileCutBy(cutter, kind, USE[use], rounds, folder, seed);
  } finally {
    cutter.kill();
    await once(cutter, 'exit');
  }
}

function useWhileCutBy(
  cutter: ChildProcess,
  kind: Kind,
  use: (memory: mmap.Mapping) => void,
  rounds: number,
  folder: string,
  seed: number,
): number {
  let told = 0;
  for (let round = 0; round < rounds; round++) {
    const { memory, path } = make(kind, folder);
    try {
      for (let times = 0; ; times++) {
        use(memory);
        memory.checkIntact();
        if (times === BEFORE) cut(cutter, path, nth(seed, round) % 300);
      }
    } catch (why) {
      if ((why as { code?: string }).code !== 'ERR_INTERPROC_TRUNCATED') throw why;
      told++;
    }
    memory.close();
    unlinkSync(path);
  }
  return told;
}
