/** A program that sends: what it does with one end of a channel when it is asked. */
import { existsSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { LONGEST_MESSAGE, type OpenSender, type Sender, sender } from '../../../src/channel/index.js';
import { senderUrl, sentError, serve } from './control.js';
import { digestOf, messageOf, messagesOf, type Plan } from './messages.js';

/** In which form messages are sent. */
export type How = 'send' | 'trySend' | 'sendMany' | 'sendSync' | 'flushEach';

let open: Sender;
let sent = 0;
let last = false;
let pending: Promise<string> | undefined;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const outcome = (sending: Promise<void>): Promise<string> =>
  sending.then(
    () => 'sent',
    (why) => why.code ?? String(why),
  );

await serve({
  open: async (options: OpenSender) => {
    open = await sender(senderUrl, options);
  },
  /** Sends all messages of a plan; how many were taken. */
  send: async ({ how = 'send', ...plan }: Plan & { how?: How }) => {
    sent = 0;
    if (how === 'sendMany') {
      await open.sendMany(messagesOf(plan));
      return plan.count;
    }
    for (const message of messagesOf(plan)) {
      // trySend() does not split: what is longer goes the other way.
      if (how === 'trySend' && message.length <= 4000) while (!open.trySend(message)) await nextTurn();
      else if (how === 'sendSync') open.sendSync(message);
      else await open.send(message);
      if (how === 'flushEach') await open.flush();
      sent++;
    }
    return sent;
  },
  /** Opens and sends until the receiver dies, again and again, until it is the last round. */
  survive: async () => {
    const rounds: string[] = [];
    for (let seed = 1; rounds.at(-1) !== 'end'; seed++) {
      open = await sender(senderUrl);
      const most = (): number => (last ? 100 : 1_000_000);
      const round = { seed, count: 1_000_000, sizes: 'tagged' as const };
      try {
        for (let index = 0; index < most(); index++) await open.send(messageOf(round, index));
        await open.close();
        rounds.push('end');
      } catch (why) {
        rounds.push((why as { code?: string }).code ?? String(why));
        open.destroy();
      }
    }
    return rounds;
  },
  lastRound: () => {
    last = true;
  },
  /** Opens again as soon as this end is destroyed. */
  reopen: async () => {
    open.destroy();
    open = await sender(senderUrl);
  },
  progress: () => sent,
  /** Sends all messages of a plan in one turn and awaits none: how each ended. */
  sendUnawaited: async (plan: Plan) => {
    const sends = [...messagesOf(plan)].map((message) => outcome(open.send(message)));
    const ends = await Promise.all(sends);
    const accepted = ends.flatMap((end, index) => (end === 'sent' ? [index] : []));
    return { accepted, others: [...new Set(ends.filter((end) => end !== 'sent'))] };
  },
  /** As `sendUnawaited`, and closes in the same turn. */
  sendUnawaitedAndClose: async (plan: Plan) => {
    const ends = [...messagesOf(plan)].map((message) => outcome(open.send(message)));
    await open.close();
    return [...new Set(await Promise.all(ends))];
  },
  /** `trySend` until it says no: how many were taken. The last message is to be sent again. */
  fill: async (plan: Plan) => {
    let index = plan.from ?? 0;
    while (open.trySend(messageOf(plan, index))) {
      index++;
      if (index === plan.count) break;
    }
    return index;
  },
  /** Begins to send one message and says in which state that is some turns later. */
  begin: async (plan: Plan) => {
    let state = 'pending';
    pending = outcome(open.send(messageOf(plan, plan.from ?? 0))).then((end) => {
      state = end;
      return end;
    });
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    return state;
  },
  /** How what was begun ended. */
  begun: () => pending,
  /** The longest message there may be: its digest. */
  sendLongest: async () => {
    const message = messageOf({ seed: 64, count: 1, sizes: LONGEST_MESSAGE }, 0);
    const digest = digestOf(message);
    await open.send(message);
    await open.flush();
    return digest;
  },
  /** One byte more than that, in every form. */
  sendTooLong: async () => {
    const message = new Uint8Array(LONGEST_MESSAGE + 1);
    const thrown = (form: () => unknown): unknown => {
      try {
        return form();
      } catch (why) {
        return sentError(why);
      }
    };
    return [
      await open.send(message).catch(sentError),
      thrown(() => open.trySend(message)),
      thrown(() => open.sendSync(message)),
      await open.sendMany([message]).catch(sentError),
    ];
  },
  sendOneSync: ({ timeoutMs, ...plan }: Plan & { timeoutMs?: number }) => {
    open.sendSync(messageOf(plan, plan.from ?? 0), timeoutMs === undefined ? {} : { timeoutMs });
  },
  /** Sends one message and does not let go of this turn of the event loop until the file is there. */
  sendAndStay: ({ path, ...plan }: Plan & { path: string }) => {
    open.trySend(messageOf(plan, 0));
    const end = performance.now() + 10_000;
    while (performance.now() < end) if (existsSync(path)) return true;
    return false;
  },
  flush: () => open.flush(),
  /** Without a turn of the event loop between: what was taken leaves, and then no more of it is known. */
  flushAndDestroy: async () => {
    await open.flush();
    open.destroy();
  },
  closed: () => open.closed.catch((why) => ({ rejected: sentError(why) })),
  close: () => open.close(),
  destroy: () => open.destroy(),
});
