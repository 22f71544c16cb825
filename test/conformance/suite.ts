/**
 * The contract of a message channel: one suite, run over every endpoint. The table says which
 * clause holds for which endpoints.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Traits, traits } from '../../src/channel/index.js';
import { countDescriptors } from '../support/descriptors.js';
import * as abort from './clauses/abort.js';
import * as closing from './clauses/closing.js';
import * as coalescing from './clauses/coalescing.js';
import * as company from './clauses/company.js';
import * as content from './clauses/content.js';
import * as crash from './clauses/crash.js';
import * as end from './clauses/end.js';
import * as pressure from './clauses/pressure.js';
import type { Test } from './support/peer.js';
import { TRAITS, type Way } from './support/ways.js';

type Run = (t: Test, way: Way) => Promise<void>;

/** A sentence, what shows it, the traits that an endpoint must have for it, and what else about it. */
type Clause = readonly [sentence: string, run: Run, traits?: Partial<Traits>, also?: (way: Way) => boolean];

/** Far above what a test takes, since other work may share the processors; met only by a test that hangs. */
const LIMIT_MS = 120_000;
const NAMED = (way: Way): boolean => way.named;

const CLAUSES: readonly Clause[] = [
  ['messages of random lengths arrive in order, whole and with every byte', content.orderAndBoundaries],
  ['an empty message is a message', content.empty],
  ['a message has 64 MiB at most', content.longest],
  ['100,000 small messages arrive', content.manySmall],
  ['every form of sending and of receiving moves the same messages', content.everyForm],
  ['both sides may block their threads', content.synchronously],

  ['messages of one turn leave together, or each at once', coalescing.together],
  ['without coalescing a message is there before the turn of its sender is over', coalescing.atOnce],

  [
    'the sender waits for a slow reader in little memory, and nothing is dropped',
    pressure.slowReader,
    { bounded: true },
  ],
  ['sends that nobody awaits are refused beyond highWaterMark', pressure.unawaited, { bounded: true }],
  ['trySend() says no when the channel is full, and send() waits for room', pressure.fullThenRoom, { bounded: true }],
  ['sendSync() waits for room, or until it is late', pressure.fullSynchronously, { bounded: true }],

  ['after the last message comes null, for ever', end.afterTheLast],
  ['a channel may end without a message', end.nothingButTheEnd],
  ['close() sends what nobody awaited', end.closeFlushes],
  ['either side may start first', end.eitherFirst, {}, NAMED],
  ['messages wait for a receiver that comes when the sender is gone', end.kept, { retains: true }],
  ['what two temporary ends made is gone, with every descriptor', end.nothingLeft],
  ['an address may be used again as soon as its ends are destroyed', end.atOnce, {}, NAMED],
  ['a sender that comes back waits for the receiver to open anew', end.besideTheBereft, { connected: true }, NAMED],
  ['an address serves one pair after the other', end.again, {}, NAMED],

  ['an aborted receive has taken no message, in 10,000 rounds', abort.receives],
  ['an aborted send has sent no message, in 10,000 rounds', abort.sends, { bounded: true }],
  ['a receive that is late has taken no message', abort.timeOuts],
  ['no listener stays on an AbortSignal', abort.noListenerStays],

  ['an end that is closed refuses everything', closing.useAfterClose],
  ['a receive that is pending when its end is closed learns of it', closing.pendingAtClose],
  ['an idle end does not keep its process alive, and leaves nothing behind', closing.idleDoesNotHold],
  [
    'a process that exits while it waits for the other leaves nothing behind',
    closing.exitsWhileAlone,
    { connected: true },
    NAMED,
  ],

  ['an idle sender learns of the death of the receiver at once', crash.receiverKilledWhileIdle, { connected: true }],
  [
    'a sender that waits for room learns of the death of the receiver',
    crash.receiverKilledWhileFull,
    { connected: true },
  ],
  ['a sender that is killed leaves whole messages and ECONNRESET', crash.senderKilled, { connected: true }],
  ['a receiver that waits learns of the death of the sender', crash.senderKilledWhileWaiting, { connected: true }],
  ['an idle receiver learns of the death of the sender at once', crash.senderKilledWhileIdle, { connected: true }],
  ['a sender that is destroyed is a crash to the receiver', crash.destroyedSender, { connected: true }],
  ['a receiver that closes early is EPIPE to the sender', crash.closedReceiver, { connected: true }],
  ['the next receiver gets what a killed one has not', crash.nextReceiver, { retains: true }],
  ['a sender that is killed leaves no part of a message to the next', crash.nextSender, { retains: true }],
  ['a peer that is stopped is not dead', crash.stopped],
  ['what a crash left behind is found and replaced', crash.leftBehind, {}, NAMED],

  ['eight senders share a channel, each in its own order', company.eightSenders, { multiSender: true }],
  ['several senders cannot be asked for where there is one', company.oneSenderOnly, { multiSender: false }],
  ['a second one of a kind is EBUSY and told who the first is', company.busy, {}, (way) => way.exclusive.length > 0],
  ['senders that come together are served one after the other', company.inTurn, {}, (way) => way.lines],
  ['a worker may be terminated while it waits', company.worker],
];

/** Whether a clause holds for an endpoint of these traits. */
function holds([, , needed = {}, also = () => true]: Clause, way: Way, declared: Traits): boolean {
  return Object.entries(needed).every(([trait, value]) => declared[trait as keyof Traits] === value) && also(way);
}

/** Rejects when a test is late, so that its programs do not outlive it. */
function lateness(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

/** Runs something that starts programs, and ends them before it looks at what is still open. */
export async function within(t: TestContext, run: (scope: Test) => Promise<void>): Promise<void> {
  const before = countDescriptors();
  const endings: (() => unknown)[] = [];
  const scope: Test = {
    after: ((ending: () => unknown) => endings.unshift(ending)) as Test['after'],
    diagnostic: (words) => t.diagnostic(words),
  };
  try {
    await Promise.race([run(scope), lateness(t.signal)]);
  } finally {
    for (const ending of endings) await ending();
  }
  // The first test opens what the event loop keeps for waiting.
  assert.ok(countDescriptors() <= before + 1, 'the test closed what it opened');
}

/** Runs the clauses that hold for this endpoint. */
export function conformance(way: Way): void {
  const declared = TRAITS[way.scheme] as Traits;

  test(`${way.name} is what the table says`, async () => {
    assert.deepEqual(await traits(`${way.scheme}:/x`), declared);
  });

  for (const clause of CLAUSES.filter((each) => holds(each, way, declared))) {
    const [sentence, run] = clause;
    test(`${way.name} ${sentence}`, { timeout: LIMIT_MS }, (t) => within(t, (scope) => run(scope, way)));
  }
}
