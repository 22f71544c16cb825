/** A program that has both ends, so that what happens between two lines of it can be chosen. */
import { getEventListeners } from 'node:events';
import { type Receiver, receiver, type Sender, sender, type SenderOptions } from '../../../src/channel/index.js';
import { receiverUrl, senderUrl, serve } from './control.js';
import { Checker, messageOf, type Plan } from './messages.js';

let out: Sender;
let into: Receiver;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The next message, which must be on its way. */
const arrival = (): Promise<Uint8Array | null> => into.receive({ timeoutMs: 20_000 });

/** An end of a wait that may have been aborted: 'done', 'aborted', or what went wrong. */
const outcome = (wait: Promise<unknown>): Promise<string> =>
  wait.then(
    () => 'done',
    (why) => (why.code === 'ABORT_ERR' || why.code === 'ETIMEDOUT' ? 'aborted' : String(why)),
  );

/** Where a wait is aborted: `aim` turns after what completes it, moved towards where it makes a difference. */
class Aim {
  turns = 0;
  aborted = 0;
  done = 0;

  /** Lets the turns pass. In turn 0 the abort comes in the same call, or after the microtasks. */
  async wait(round: number): Promise<void> {
    for (let turn = 0; turn < this.turns; turn++) await nextTurn();
    if (round % 3 === 0) await Promise.resolve();
  }

  /** After a round: earlier next time if it was too late, and the other way round. */
  learn(end: string): void {
    if (end === 'aborted') {
      this.aborted++;
      if (this.turns < 4) this.turns++;
    } else {
      this.done++;
      if (this.turns > 0) this.turns--;
    }
  }
}

await serve({
  open: async (options: SenderOptions) => {
    [out, into] = await Promise.all([sender(senderUrl, options), receiver(receiverUrl)]);
  },
  /** What is seen in the turn in which messages are sent, and after it. */
  oneTurn: async () => {
    const plan = { seed: 1, count: 3, sizes: 10 };
    const seen: (number | string)[] = [];
    const look = (): void => {
      const found = into.tryReceive();
      seen.push(found === undefined ? 'nothing' : found === null ? 'end' : found.length);
    };
    for (let index = 0; index < 3; index++) {
      out.trySend(messageOf(plan, index));
      look();
    }
    const after = [];
    while (seen.filter((found) => found === 10).length + after.length < 3) after.push((await arrival())?.length);
    return { during: seen, after };
  },
  /** `flush()` does not wait for the end of the turn. */
  flushed: async () => {
    out.trySend(Buffer.from('flush'));
    const flushed = out.flush();
    const found = into.tryReceive();
    await flushed;
    return found === undefined || found === null ? 'nothing' : Buffer.from(found).toString();
  },
  /** Sends `count` small messages in one turn and receives all. */
  turnOf: async ({ count }: { count: number }) => {
    const plan = { seed: 9, count, sizes: 16 };
    const checker = new Checker([plan]);
    for (let index = 0; index < count; index++) if (!out.trySend(messageOf(plan, index))) return `no room for ${index}`;
    while (checker.count < count) await into.drain((bytes, start, end) => checker.take(bytes, start, end));
    return checker.wrong ?? 'all';
  },
  /** Rounds of a receive that is aborted just when its message arrives. */
  abortReceives: async ({ rounds, plan }: { rounds: number; plan: Plan }) => {
    const aim = new Aim();
    const checker = new Checker([{ ...plan, count: rounds }]);
    const failures = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      const controller = new AbortController();
      const pending = into.receive({ signal: controller.signal });
      const end = outcome(
        pending.then((message) => {
          if (message !== null) checker.take(message);
        }),
      );
      await out.send(messageOf(plan, round));
      if (round % 2 === 0) void out.flush();
      await aim.wait(round);
      controller.abort();
      const how = await end;
      if (how !== 'aborted' && how !== 'done') failures.add(how);
      aim.learn(how);
      // What was not received is still there, and comes next.
      if (how === 'aborted') checker.take((await arrival()) ?? new Uint8Array());
    }
    return {
      aborted: aim.aborted,
      done: aim.done,
      received: checker.count,
      wrong: checker.wrong ?? null,
      failures: [...failures],
    };
  },
  /** Rounds of a send into a full channel that is aborted just when there is room. */
  abortSends: async ({ rounds, sizes }: { rounds: number; sizes: number }) => {
    const aim = new Aim();
    const tags: number[] = [];
    const got: number[] = [];
    const failures = new Set<string>();
    const take = (): boolean => {
      const message = into.tryReceive();
      if (!message) return false;
      got.push(Buffer.from(message.buffer, message.byteOffset).readUInt32LE(4));
      return true;
    };
    let next = 0;
    const message = (length: number): Buffer => messageOf({ seed: 7, count: 1, sizes: length }, next++);
    for (let round = 0; round < rounds; round++) {
      for (;;) {
        const filling = next;
        if (!out.trySend(message(4000))) break;
        tags.push(filling);
      }
      const controller = new AbortController();
      const tag = next;
      let over = false;
      const sending = outcome(out.send(message(sizes), { signal: controller.signal })).finally(() => {
        over = true;
      });
      for (let taken = 0; taken < 1 + (round % 40); taken++) take();
      await aim.wait(round);
      controller.abort();
      // A message of which a part has left goes on, and needs room for the rest.
      while (!over) {
        take();
        await nextTurn();
      }
      const how = await sending;
      if (how === 'done') tags.push(tag);
      else if (how !== 'aborted') failures.add(how);
      aim.learn(how);
    }
    const closing = out.close();
    for await (const message of into) got.push(Buffer.from(message.buffer, message.byteOffset).readUInt32LE(4));
    await closing;
    const lost = tags.filter((tag, index) => got[index] !== tag).length;
    return {
      aborted: aim.aborted,
      done: aim.done,
      sent: tags.length,
      received: got.length,
      lost,
      failures: [...failures],
    };
  },
  /** Time-outs of receives, of 0 and of 1 ms, before and while messages come. */
  timeOuts: async ({ rounds, plan }: { rounds: number; plan: Plan }) => {
    const checker = new Checker([plan]);
    const failures = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      const wait = into.receive({ timeoutMs: round % 2 });
      const sending = out.send(messageOf(plan, round));
      const end = await outcome(
        wait.then((message) => {
          if (message !== null) checker.take(message);
        }),
      );
      if (end !== 'done' && end !== 'aborted') failures.add(end);
      await sending;
      await out.flush();
      if (end === 'aborted') checker.take((await arrival()) ?? new Uint8Array());
    }
    return { received: checker.count, wrong: checker.wrong ?? null, failures: [...failures] };
  },
  /** Listeners on one AbortSignal after many waits on it, of both kinds. */
  listeners: async ({ rounds }: { rounds: number }) => {
    const { signal } = new AbortController();
    for (let round = 0; round < rounds; round++) {
      const wait = into.receive({ signal });
      await out.send(new Uint8Array(8), { signal });
      await wait;
    }
    return getEventListeners(signal, 'abort').length;
  },
  close: async () => {
    await out.close();
    await into.close();
  },
  /** Opens both ends again and again, each time right after the last were destroyed. */
  reopen: async ({ rounds, options }: { rounds: number; options: SenderOptions }) => {
    for (let round = 0; round < rounds; round++) {
      out.destroy();
      into.destroy();
      [out, into] = await Promise.all([sender(senderUrl, options), receiver(receiverUrl, options)]);
    }
  },
  destroy: () => {
    out.destroy();
    into.destroy();
  },
});
