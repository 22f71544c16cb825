/** Locks in the memory of a file, and other processes and threads that do with them what they are told. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as mmap from '../../src/mmap/index.js';
import { temporaryFolder } from './folder.js';
import { type Program, startFixture } from './program.js';

type Context = Pick<TestContext, 'after'>;

/** What a peer is told. */
export interface Order {
  id: number;
  job: string;
  args: unknown[];
  abortable?: boolean;
}

/** What came of it. */
export interface Answer {
  value?: unknown;
  code?: string;
  message?: string;
}

/** What is told of a guard. */
export interface Had {
  ownerDied: boolean;
  previousOwners: { pid: number; tid: number }[];
}

/** Memory of a file, and where it is. */
export interface Shared {
  memory: mmap.Mapping;
  path: string;
}

/** Where the objects of these tests are: before that there is room for a mutex. */
export const AT = 64;

/** Memory that others can map, too. */
export function sharedMemory(t: Context, size = 16384): Shared {
  const path = join(temporaryFolder(t), 'memory');
  const memory = mmap.createFile(path, { size });
  t.after(() => memory.close());
  return { memory, path };
}

/** A process or thread that takes orders. */
export class Peer {
  readonly #send: (order: Order) => void;
  readonly #open = new Map<number, (answer: Answer) => void>();
  #next = 1;
  /** The number of the order given last. */
  last = 0;

  constructor(send: (order: Order) => void) {
    this.#send = send;
  }

  /** Gives an order; what came of it. */
  ask(job: string, ...args: unknown[]): Promise<Answer> {
    return this.#order({ id: this.#next++, job, args });
  }

  /** Calls a method of the object, with an AbortSignal. */
  askAbortable(...args: unknown[]): Promise<Answer> {
    return this.#order({ id: this.#next++, job: 'call', args, abortable: true });
  }

  /** Calls a method of the object. */
  call(method: string, ...args: unknown[]): Promise<Answer> {
    return this.ask('call', method, ...args);
  }

  /** Aborts what was ordered. */
  abort(id: number): void {
    this.#send({ id: -1, job: 'abort', args: [id] });
  }

  #order(order: Order): Promise<Answer> {
    this.last = order.id;
    const answer = new Promise<Answer>((resolve) => this.#open.set(order.id, resolve));
    this.#send(order);
    return answer;
  }

  /** The next answer that came. @internal */
  answered(answer: Answer & { id: number }): void {
    const { id, ...rest } = answer;
    this.#open.get(id)?.(rest);
    this.#open.delete(id);
  }
}

/** A process that takes orders. */
export interface PeerProcess extends Peer {
  program: Program;
  /** Ends it with this signal, and waits until it has ended. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a process for the object at `AT`. */
export async function peerProcess(
  t: Context,
  { path }: Shared,
  object: string,
  env: NodeJS.ProcessEnv = {},
): Promise<PeerProcess> {
  const program = startFixture(t, 'lock-peer', [JSON.stringify({ path, object, offset: AT })], { env });
  const peer = new Peer((order) => program.say(JSON.stringify(order)));
  await program.line();
  void (async () => {
    for (;;) peer.answered(JSON.parse(await program.line()) as Answer & { id: number });
  })().catch(() => {});
  return Object.assign(peer, {
    program,
    end: async (signal: NodeJS.Signals = 'SIGKILL') => {
      program.process.kill(signal);
      await program.ended;
    },
  });
}

/** A thread that takes orders. */
export interface PeerThread extends Peer {
  worker: Worker;
}

/** Starts a thread of this process for the object at `AT`. */
export async function peerThread(t: Context, { path }: Shared, object: string): Promise<PeerThread> {
  const file = fileURLToPath(new URL('../fixtures/lock-peer.js', import.meta.url));
  const worker = new Worker(file, { workerData: { path, object, offset: AT } });
  const peer = new Peer((order) => worker.postMessage(order));
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', () => resolve());
  });
  worker.on('message', (answer: Answer & { id: number }) => peer.answered(answer));
  t.after(async () => {
    await worker.terminate();
  });
  return Object.assign(peer, { worker });
}

/** Until something is so that another process or thread does. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** A word of the table at `AT`. */
export function tableWord({ memory }: Shared, offset: number): number {
  return Atomics.load(memory.int32, (AT + offset) / 4);
}

/** The claims of the table at `AT`, as docs/protocol.md has them. */
export function claims(shared: Shared): number[] {
  const seats = tableWord(shared, 48);
  return Array.from({ length: seats }, (_, seat) => tableWord(shared, 128 + 64 * seat + 48));
}

/** Until somebody's claim is so. */
export async function claimed(shared: Shared, holds: (claim: number) => boolean, count = 1): Promise<void> {
  await until(() => claims(shared).filter(holds).length >= count);
}
