/** A program that receives: what it does with one end of a channel when it is asked. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type OpenReceiver, type Receiver, receiver } from '../../../src/channel/index.js';
import { receiverUrl, sentError, serve } from './control.js';
import { Checker, digestOf, type Plan } from './messages.js';

/** In which form messages are received. */
export type How =
  | 'receive'
  | 'tryReceive'
  | 'receiveSync'
  | 'receiveMany'
  | 'tryReceiveMany'
  | 'drain'
  | 'tryDrain'
  | 'messages'
  | 'batches';

/** What a `read` brought. */
export interface Summary {
  count: number;
  received: [seed: number, what: { first: number; count: number }][];
  wrong: string | null;
  /** 'end' for null, 'most' when enough had arrived, else the code of the error. */
  ended: string;
}

let open: Receiver;
let checker: Checker;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Calls until there is something, a turn of the event loop between the calls. */
async function patiently<T>(attempt: () => T | undefined): Promise<T> {
  for (;;) {
    const found = attempt();
    if (found !== undefined) return found;
    await nextTurn();
  }
}

/** Receives until the end or until `enough`; true at the end. */
async function readBy(how: How, enough: () => boolean): Promise<boolean> {
  const takeBuffer = (message: Uint8Array): void => {
    if (!Buffer.isBuffer(message)) throw new TypeError('a message is a Buffer');
    checker.take(message);
  };
  const one = (message: Uint8Array | null): boolean => {
    if (message !== null) takeBuffer(message);
    return message === null;
  };
  const many = (list: Uint8Array[] | null): boolean => {
    for (const message of list ?? []) takeBuffer(message);
    return list === null;
  };
  const visit = (bytes: Buffer, start: number, end: number): void => checker.take(bytes, start, end);
  const forms: Record<Exclude<How, 'messages' | 'batches'>, () => Promise<boolean> | boolean> = {
    receive: async () => one(await open.receive()),
    tryReceive: async () => one(await patiently(() => open.tryReceive())),
    receiveSync: () => one(open.receiveSync()),
    receiveMany: async () => many(await open.receiveMany()),
    tryReceiveMany: async () => many(await patiently(() => open.tryReceiveMany())),
    drain: async () => (await open.drain(visit)) === null,
    tryDrain: async () => (await patiently(() => open.tryDrain(visit))) === null,
  };
  if (how === 'messages' || how === 'batches') {
    for await (const found of how === 'messages' ? open.messages() : open.batches()) {
      if (found instanceof Uint8Array) one(found);
      else many(found);
      if (enough()) return false;
    }
    return true;
  }
  while (!enough()) {
    if (await forms[how]()) return true;
  }
  return false;
}

await serve({
  open: async (options: OpenReceiver) => {
    open = await receiver(receiverUrl, options);
  },
  /** What will come; `read` compares with it. */
  expect: (plans: Plan[]) => {
    checker = new Checker(plans);
  },
  /** Receives `most` messages more, or all until the end. */
  read: async ({ how = 'receive', most = Infinity }: { how?: How; most?: number }): Promise<Summary> => {
    const enough = checker.count + most;
    let ended: string;
    try {
      ended = (await readBy(how, () => checker.count >= enough)) ? 'end' : 'most';
    } catch (why) {
      ended = (why as { code?: string }).code ?? String(why);
    }
    return { count: checker.count, received: [...checker.received], wrong: checker.wrong ?? null, ended };
  },
  /** Opens and reads until a sender says that it is the end, and does not mind those that die before. */
  survive: async () => {
    const rounds: Omit<Summary, 'received'>[] = [];
    for (;;) {
      open = await receiver(receiverUrl);
      checker = new Checker([]);
      const ended = await readBy('receive', () => false).then(
        () => 'end',
        (why) => (why as { code?: string }).code ?? String(why),
      );
      rounds.push({ count: checker.count, wrong: checker.wrong ?? null, ended });
      await open.close();
      if (ended === 'end' || checker.wrong !== undefined) return rounds;
    }
  },
  progress: () => checker.count,
  /** One message and its digest; `null` at the end. */
  receiveOne: async (options: { timeoutMs?: number }) => {
    const message = await open.receive(options);
    return message === null ? null : { length: message.length, digest: digestOf(message) };
  },
  receiveOneSync: (options: { timeoutMs?: number }) => open.receiveSync(options)?.length ?? null,
  tryOne: () => {
    const message = open.tryReceive();
    return message === undefined ? 'nothing' : message === null ? 'end' : message.length;
  },
  /** What each form says after the end. */
  afterTheEnd: async () => [
    open.tryReceive(),
    await open.receive(),
    open.receiveSync(),
    await open.receiveMany(),
    open.tryReceiveMany(),
    await open.drain(() => {}),
    open.tryDrain(() => {}),
    (await open.messages().next()).done,
    await open.receive({ timeoutMs: 0 }),
  ],
  /** Receives one message and then makes a file, which somebody who cannot take a turn of the event loop can see. */
  receiveAndMark: async ({ path }: { path: string }) => {
    const message = await open.receive();
    writeFileSync(path, '');
    return message?.length ?? null;
  },
  /** How the channel came to its end. */
  closed: () => open.closed.catch((why) => ({ rejected: sentError(why) })),
  close: () => open.close(),
  destroy: () => open.destroy(),
  /** Keeps the processor busy, so that another process can be seen not to. */
  work: () => {
    const hash = createHash('sha256');
    const block = new Uint8Array(1 << 20);
    for (let index = 0; index < 256; index++) hash.update(block);
    return hash.digest('hex').length;
  },
});
