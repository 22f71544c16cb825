/** The ways to wait for a descriptor that compare.ts compares, each as "call me when this eventfd was rung". */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { DescriptorHandle } from '../../src/core/handle.js';
import { watchEdges, whenPossible } from '../../src/core/readiness.js';
import { native, POLLIN } from '../../src/sys/index.js';
import { compiler, root } from '../build-c.js';

/** The prototype's functions. */
export interface Prototype {
  watchEach(fd: number, callback: () => void): void;
  waitInThread(fd: number, callback: () => void): void;
}

const target = join(root, 'build/bench/waiting.node');

/** Compiles the prototype. */
export function buildPrototype(): void {
  const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers') as { include_dir: string };
  mkdirSync(join(root, 'build/bench'), { recursive: true });
  const aside = `${target}.${process.pid}`;
  const source = join(root, 'bench/waiting/prototype.c');
  const flags = ['-std=c11', '-O2', '-shared', '-fPIC', '-pthread', '-D_GNU_SOURCE', '-DNAPI_VERSION=8', '-I', headers];
  const built = spawnSync(compiler, [...flags, source, '-o', aside], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`${compiler} failed for ${source}\n${built.stderr}`);
  renameSync(aside, target);
}

/** The prototype, loaded. */
export function prototype(): Prototype {
  return createRequire(import.meta.url)(target) as Prototype;
}

/** An eventfd as a handle. */
export class Bell extends DescriptorHandle {
  take(): Promise<true> {
    return whenPossible(this, POLLIN, () => (takeNow(this.fd) ? true : undefined), undefined, { syscall: 'read' });
  }

  describe(): string {
    return 'the bell';
  }
}

/** Takes what was rung, if anything. */
export function takeNow(fd: number): boolean {
  return typeof native().eventfdRead(fd) === 'bigint';
}

/** Calls `rung` for each ring of `fd`, for as long as the process lives. */
export type Way = (fd: number, rung: () => void) => void;

/** By name; `env` chooses the form of our poller. */
export const WAYS: Record<string, { title: string; way: Way; env?: Record<string, string> }> = {
  wait: { title: 'interproc: a promise for each wait, one-shot', way: promises },
  edges: {
    title: 'interproc: a lasting edge-triggered watch',
    way: (fd, rung) => void watchEdges(fd, POLLIN, () => takeNow(fd) && rung()),
  },
  waitThread: {
    title: 'the same promise, own epoll thread + thread-safe function',
    way: promises,
    env: { INTERPROC_POLLER: 'thread' },
  },
  each: {
    title: 'a uv_poll_t for each descriptor, callback',
    way: (fd, rung) => prototype().watchEach(fd, () => takeNow(fd) && rung()),
  },
  threadEach: {
    title: 'a new thread for each wait + thread-safe function',
    way: (fd, rung) => {
      const { waitInThread } = prototype();
      const again = (): void => {
        if (takeNow(fd)) rung();
        waitInThread(fd, again);
      };
      again();
    },
  },
};

function promises(fd: number, rung: () => void): void {
  const bell = new Bell(fd, 'the bell');
  const next = (): void => {
    rung();
    bell.take().then(next);
  };
  bell.take().then(next);
}
