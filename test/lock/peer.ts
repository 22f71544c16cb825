/** Others who have mutexes of a file: processes of ours, C programs, Python programs, and workers. They all understand the same words. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as mmap from '../../src/mmap/index.js';
import { temporaryFolder } from '../support/folder.js';
import { type Program, start, startFixture } from '../support/program.js';
import { peer } from '../support/skips.js';

const SOURCE = fileURLToPath(new URL('../../../test/fixtures/lock-peer.c', import.meta.url));
const MUTEX = new URL('../fixtures/lock-mutex.js', import.meta.url);

/** glibc's functions, called by a Python program. */
const PYTHON = `
import ctypes, errno, mmap, sys
libc = ctypes.CDLL(None)
with open(sys.argv[1], 'r+b') as file: memory = mmap.mmap(file.fileno(), 0)
base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
counter = ctypes.c_int.from_buffer(memory, len(memory) - 4)
calls = {'lock': libc.pthread_mutex_lock, 'try': libc.pthread_mutex_trylock, 'unlock': libc.pthread_mutex_unlock,
         'consistent': libc.pthread_mutex_consistent}
def count(mutex, times):
    for _ in range(times):
        result = libc.pthread_mutex_lock(mutex)
        if result: return result
        counter.value += 1
        libc.pthread_mutex_unlock(mutex)
    return 0
for line in sys.stdin:
    word, offset, *amount = line.split()
    mutex = ctypes.c_void_p(base + int(offset))
    result = count(mutex, int(amount[0])) if word == 'count' else calls[word](mutex)
    print(errno.errorcode[result] if result else 'ok', flush=True)
`;

/** Who else may have it. */
export type PeerKind = 'interproc' | 'c' | 'python';

/** Somebody who is told what to do. */
export interface Peer extends Program {
  /** What came of it. */
  tell(words: string): Promise<string>;
}

let program: string | undefined;

/** The C program, compiled once for all tests of a file. */
function compiled(): string {
  if (program !== undefined) return program;
  const folder = mkdtempSync(join(tmpdir(), 'ip-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  program = join(folder, 'lock-peer');
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-pthread', '-o', program, SOURCE]);
  return program;
}

function begun(t: TestContext, kind: PeerKind, path: string, how: readonly string[]): Program {
  if (kind === 'c') return start(t, compiled(), [path]);
  if (kind === 'python') return start(t, 'python3', ['-c', PYTHON, path]);
  return startFixture(t, 'lock-mutex', [path, ...how]);
}

/** Starts one. */
export function peerOf(t: TestContext, kind: PeerKind, path: string, ...how: readonly string[]): Peer {
  const begin = begun(t, kind, path, how);
  return Object.assign(begin, {
    tell: (words: string) => {
      begin.say(words);
      return begin.line();
    },
  });
}

/** Whether there is what such a peer needs; skips the test otherwise. */
export function possible(t: TestContext, kind: PeerKind): boolean {
  return kind === 'interproc' || peer(t, kind === 'c' ? 'cc' : 'python3');
}

/** A worker of this process, who is told in the same way. */
export interface WorkingPeer {
  worker: Worker;
  tell(words: string): Promise<string>;
}

/** Starts one. */
export async function workerOf(t: TestContext, path: string): Promise<WorkingPeer> {
  const worker = new Worker(MUTEX, { workerData: path });
  t.after(() => worker.terminate());
  await once(worker, 'message');
  return {
    worker,
    tell: async (words) => {
      worker.postMessage(words);
      const [answer] = (await once(worker, 'message')) as [string];
      return answer;
    },
  };
}

/** A file for locks, mapped. */
export interface Shared {
  path: string;
  memory: mmap.Mapping;
}

/** Makes one; it is unmapped and gone when the test is over. */
export function shared(t: TestContext, size = 4096): Shared {
  const path = join(temporaryFolder(t), 'locks');
  const memory = mmap.createFile(path, { size });
  t.after(() => {
    try {
      memory.close();
    } catch {
      // A guard of a test that failed.
    }
  });
  return { path, memory };
}
