/** The endpoints that the suite runs over, and how two programs meet there. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Traits } from '../../../src/channel/index.js';
import { anonymous } from '../../../src/mmap/index.js';
import * as mq from '../../../src/mq/index.js';
import * as pipe from '../../../src/pipe/index.js';
import { messageQueue, sharedMemory } from '../../../src/sysv/index.js';
import { randomName, temporaryFolder } from '../../support/folder.js';
import { type Peer, startChild, startUnrelated, type Test } from './peer.js';

/** One kind of endpoint. */
export interface Way {
  /** As the tests are named. */
  readonly name: string;
  readonly scheme: string;
  /** Its address has a name, so that it can be found again after a crash. */
  readonly named: boolean;
  /** Which ends refuse a second one with EBUSY. */
  readonly exclusive: readonly ('sender' | 'receiver')[];
  /** A second sender waits for a receiver of its own. */
  readonly lines: boolean;
  /** Messages that a receiver took are gone for the next one. */
  readonly consumes: boolean;
  /** Each message is with the kernel as soon as it is sent: there is no call that takes several. */
  readonly singly: boolean;
  /** How many messages of 9000 bytes fit when nobody receives. */
  readonly fits: number;
  /** Opening one end waits for the other: the trait `connected`. */
  readonly waits: boolean;
  /** Opening the sending end waits for the receiving one, also where that does not wait. */
  readonly senderWaits: boolean;
  /** An address that nobody uses, with these `?options`. */
  place(t: Test, options?: string): Place;
}

/** An address, and programs that are given it. */
export interface Place {
  readonly senderUrl: string;
  readonly receiverUrl: string;
  readonly folder: string;
  /** Starts a program of programs/. */
  start(program: string, env?: NodeJS.ProcessEnv): Promise<Peer>;
  /** Names of the kernel or of a folder that still stand for this address. */
  remains(): string[];
}

/** What the endpoints are: the table that the declared traits are compared with. */
export const TRAITS: Record<string, Traits> = {
  file: { connected: false, retains: true, bounded: false, multiSender: false },
  fd: { connected: true, retains: false, bounded: true, multiSender: false },
  fifo: { connected: true, retains: false, bounded: true, multiSender: false },
  unix: { connected: true, retains: false, bounded: true, multiSender: false },
  unixpacket: { connected: true, retains: false, bounded: true, multiSender: true },
  unixgram: { connected: false, retains: false, bounded: true, multiSender: true },
  mq: { connected: false, retains: true, bounded: true, multiSender: true },
  msgq: { connected: false, retains: true, bounded: true, multiSender: true },
  shm: { connected: true, retains: false, bounded: true, multiSender: false },
  posixshm: { connected: true, retains: false, bounded: true, multiSender: false },
  mmap: { connected: true, retains: false, bounded: true, multiSender: false },
  sysvshm: { connected: true, retains: false, bounded: true, multiSender: false },
};

/** A place with a name: the programs are strangers to each other. */
function named(t: Test, url: (folder: string) => string, remains: (folder: string) => string[]): Place {
  const folder = temporaryFolder(t);
  const address = url(folder);
  return {
    senderUrl: address,
    receiverUrl: address,
    folder,
    start: (program, env) => startUnrelated(t, folder, program, [address, address], env),
    remains: () => remains(folder),
  };
}

/** A pipe between two siblings. */
function siblings(t: Test): Place {
  const folder = temporaryFolder(t);
  const { reader, writer, close } = pipe.create();
  t.after(close);
  return {
    senderUrl: 'fd:3',
    receiverUrl: 'fd:3',
    folder,
    async start(program, env) {
      const ends = { both: [reader, writer], sender: [writer] }[program] ?? [reader];
      const urls = ends.length === 2 ? ['fd:4', 'fd:3'] : ['fd:3', 'fd:3'];
      const fds = ends.map((end) => end.handOver());
      const peer = startChild(t, folder, program, urls, fds, env);
      for (const end of ends) end.close();
      return peer;
    },
    remains: () => [],
  };
}

/** What stands in a folder besides what the tests themselves put there. */
const others = (folder: string): string[] =>
  readdirSync(folder).filter(
    (name) => !name.startsWith('errors-') && !name.startsWith('control-') && !name.startsWith('mark-'),
  );

const abstractSockets = (name: string): string[] =>
  readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .filter((line) => line.includes(name));

function queueExists(name: string): boolean {
  try {
    mq.open(name).close();
    return true;
  } catch {
    return false;
  }
}

const way = (scheme: string, more: Partial<Way> & Pick<Way, 'place'>): Way => ({
  waits: TRAITS[scheme]?.connected ?? false,
  senderWaits: TRAITS[scheme]?.connected ?? false,
  name: `${scheme}:`,
  scheme,
  named: true,
  exclusive: [],
  lines: false,
  consumes: true,
  singly: false,
  fits: 3,
  ...more,
});

/** A file in a folder of its own. */
export const file = way('file', {
  exclusive: ['sender'],
  consumes: false,
  place: (t) => named(t, (folder) => `file:${join(folder, 'log')}`, others),
});

/** A pipe that two siblings inherit. */
export const fd = way('fd', { named: false, place: siblings });

/** A FIFO in a folder of its own. */
export const fifo = way('fifo', {
  place: (t) => named(t, (folder) => `fifo:${join(folder, 'f')}`, others),
});

/** A socket with a name in a folder. */
export const unixPath = way('unix', {
  name: 'unix: with a path',
  lines: true,
  place: (t) => named(t, (folder) => `unix:${join(folder, 's')}`, others),
});

/** A socket with an abstract name. */
export const unixAbstract = way('unix', {
  name: 'unix: with an abstract name',
  lines: true,
  place: (t) => {
    const name = randomName('conformance');
    return named(
      t,
      () => `unix:@${name}`,
      () => abstractSockets(name),
    );
  },
});

/** A seqpacket socket with a name in a folder. */
export const unixpacket = way('unixpacket', {
  lines: true,
  place: (t) => named(t, (folder) => `unixpacket:${join(folder, 's')}`, others),
});

/** A datagram socket with a name in a folder. */
export const unixgram = way('unixgram', {
  senderWaits: true,
  place: (t) => named(t, (folder) => `unixgram:${join(folder, 's')}`, others),
});

/** A POSIX message queue. */
export const queue = way('mq', {
  singly: true,
  place: (t) => {
    const name = `/${randomName('conformance')}`;
    t.after(() => {
      if (queueExists(name)) mq.unlink(name);
    });
    return named(
      t,
      () => `mq:${name}`,
      () => (queueExists(name) ? [name] : []),
    );
  },
});

/** A key that no queue has. */
function freeKey(): number {
  using queue = messageQueue.create('random');
  queue.remove();
  return queue.key;
}

function keyExists(key: number): boolean {
  try {
    messageQueue.open(key).close();
    return true;
  } catch {
    return false;
  }
}

/** A System V message queue. */
export const systemVQueue = way('msgq', {
  singly: true,
  fits: 1, // of the 16384 bytes that a queue has unless root says otherwise
  place: (t) => {
    const key = freeKey();
    const name = `0x${key.toString(16)}`;
    t.after(() => {
      if (keyExists(key)) messageQueue.remove(key);
    });
    return named(
      t,
      () => `msgq:${name}`,
      () => (keyExists(key) ? [name] : []),
    );
  },
});

/** A ring in a memfd, handed over a socket. */
export const shm = way('shm', {
  exclusive: ['sender', 'receiver'],
  place: (t) => {
    const name = randomName('conformance');
    return named(
      t,
      () => `shm:${name}`,
      () => abstractSockets(name),
    );
  },
});

/** A ring in a POSIX shared memory object. */
export const posixshm = way('posixshm', {
  exclusive: ['sender', 'receiver'],
  place: (t, options = '') => {
    const name = randomName('conformance');
    const remains = (): string[] => readdirSync('/dev/shm').filter((found) => found.includes(name));
    return named(t, () => `posixshm:/${name}${options}`, remains);
  },
});

/** A ring in a mapped file. */
export const mmapFile = way('mmap', {
  exclusive: ['sender', 'receiver'],
  place: (t, options = '') => named(t, (folder) => `mmap:${join(folder, 'ring')}${options}`, others),
});

/** What of a key is still there, in each of the lists of /proc/sysvipc. */
function keysLeft(key: number): string[] {
  return ['shm', 'sem'].filter((kind) =>
    readFileSync(`/proc/sysvipc/${kind}`, 'utf8')
      .split('\n')
      .some((line) => Number.parseInt(line, 10) >>> 0 === key),
  );
}

/** A ring in a System V segment. */
export const systemVSegment = way('sysvshm', {
  exclusive: ['sender', 'receiver'],
  place: (t, options = '') => {
    const { key } = sharedMemory.create('random', { size: 1 });
    sharedMemory.remove(key);
    t.after(() => {
      const name = `0x${key.toString(16)}`;
      for (const kind of keysLeft(key)) execFileSync('ipcrm', [kind === 'shm' ? '-M' : '-S', name]);
    });
    return named(
      t,
      () => `sysvshm:0x${key.toString(16)}${options}`,
      () => keysLeft(key),
    );
  },
});

/** A ring in anonymous memory that two siblings inherit. */
export const anonymousMemory = way('fd', {
  name: 'fd: with memory',
  named: false,
  exclusive: ['sender', 'receiver'],
  place: (t) => {
    const folder = temporaryFolder(t);
    const memory = anonymous(1024 + (1 << 20));
    t.after(() => memory.close());
    return {
      senderUrl: 'fd:3',
      receiverUrl: 'fd:3',
      folder,
      start: async (program, env) => startChild(t, folder, program, ['fd:3', 'fd:3'], [memory.fd], env),
      remains: () => [],
    };
  },
});
