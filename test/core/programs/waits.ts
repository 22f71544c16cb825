/**
 * Begins one wait of each kind that is named, in a worker or as a program of its own, and says so.
 * With `exit` it calls process.exit(7) at that moment.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { callBlocking, callBlockingSync } from '../../../src/core/blocking.js';
import { check } from '../../../src/core/errors.js';
import { watchEdges } from '../../../src/core/readiness.js';
import {
  F_WRLCK,
  MAP_ANONYMOUS,
  MAP_SHARED,
  native,
  POLLIN,
  PROT_READ,
  PROT_WRITE,
  SOCK_STREAM,
} from '../../../src/sys/index.js';
import { Counter } from '../support.js';

export interface Wanted {
  kinds: string[];
  folder: string;
  exit: boolean;
}

const { kinds, folder, exit } = (isMainThread ? JSON.parse(process.argv[2]!) : workerData) as Wanted;
const O_RDWR_CREAT = 0o102;

function openLocked(): number {
  const path = `${folder}/locked`;
  const holder = check(native().open(path, O_RDWR_CREAT, 0o600), 'open');
  check(native().holdDescriptor(holder), 'hold');
  native().ofdSetLock(holder, F_WRLCK, 0, 1); // another worker may have it: as good
  const fd = check(native().open(path, O_RDWR_CREAT, 0o600), 'open');
  check(native().holdDescriptor(fd), 'hold');
  return fd;
}

function connectToFull(): Promise<unknown> {
  const name = new TextEncoder().encode(`\0ip-waits-${process.pid}-${Math.random()}`);
  const server = check(native().socket(SOCK_STREAM), 'socket');
  native().holdDescriptor(server);
  check(native().bind(server, name), 'bind');
  check(native().listen(server, 0), 'listen');
  const filling = check(native().socket(SOCK_STREAM), 'socket');
  native().holdDescriptor(filling);
  check(native().connect(filling, name), 'connect');
  return callBlocking((token) => native().blockingConnect(token, SOCK_STREAM, name), undefined, { syscall: 'connect' });
}

function waitOnWord(): Promise<unknown> {
  const mapping = native().mmap(-1, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0);
  if (typeof mapping === 'number') throw new Error(`mmap ${mapping}`);
  return callBlocking((token) => native().blockingFutexWait(token, mapping, 0, 0), undefined, { syscall: 'futex' });
}

const path = `${folder}/fifo`;
const KINDS: Record<string, () => unknown> = {
  descriptor: () => new Counter().take(),
  watch: () => watchEdges(new Counter().fd, POLLIN, () => {}),
  open: () => callBlocking((token) => native().blockingOpen(token, path, 0, 0), undefined, { syscall: 'open' }),
  lock: () => {
    const fd = openLocked();
    return callBlocking((token) => native().blockingOfdLock(token, fd, F_WRLCK, 0, 1), undefined, { syscall: 'fcntl' });
  },
  connect: connectToFull,
  futex: waitOnWord,
  sync: () => {
    const counter = new Counter();
    parentPort?.postMessage('waiting');
    return counter.takeSync();
  },
  syncOpen: () => {
    parentPort?.postMessage('waiting');
    return callBlockingSync((token) => native().blockingOpen(token, path, 0, 0), undefined, { syscall: 'open' });
  },
};

for (const kind of kinds) KINDS[kind]?.();
if (exit) process.exit(7);
parentPort?.postMessage('waiting');
if (isMainThread) process.stdout.write('waiting\n');
