import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as mq from '../../src/mq/index.js';
import * as signal from '../../src/signal/index.js';
import { attempt } from '../support/elsewhere.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { SEED, seeded } from '../core/support.js';
import { syscallOf, until } from '../support/proc.js';
import { start } from '../support/program.js';
import { peer } from '../support/skips.js';
import { bytes, newQueue, text } from './support.js';

const BUSY = { code: 'EBUSY', syscall: 'mq_notify', hint: /one process at a time/ };

/** Whether the kernel has told within this turn and the next ones in which it could. */
async function isTold(notice: Promise<void>): Promise<boolean> {
  let told = false;
  void notice.then(
    () => {
      told = true;
    },
    () => {},
  );
  // What the kernel has told is on the socket when the send returns; the loop sees it in its next turn.
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  return told;
}

test('notify() resolves once a message comes into the empty queue, which keeps it', async (t) => {
  const queue = newQueue(t);
  for (const word of ['first', 'second']) {
    const told = queue.notify();
    queue.sendSync(bytes(word), { priority: 3 });
    assert.equal(await told, undefined);
    const { data, priority } = await queue.receive();
    assert.deepEqual([text(data), priority], [word, 3]);
  }
  queue.sendSync(bytes('nobody is registered any more'));
});

test('in a queue that is not empty the next message tells nobody, until it has been empty', async (t) => {
  const queue = newQueue(t);
  queue.sendSync(bytes('before'));
  const told = queue.notify();
  queue.sendSync(bytes('next'));
  assert.equal(await isTold(told), false);
  while (queue.tryReceive() !== undefined);
  queue.sendSync(bytes('into the empty queue'));
  await told;
});

test('a receiver that blocks wins: nobody is told, and the registration stays', async (t) => {
  if (!peer(t, 'python3')) return;
  const queue = newQueue(t);
  const code = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.mq_open(sys.argv[1].encode(), os.O_RDWR)
buffer, priority = ctypes.create_string_buffer(64), ctypes.c_uint()
length = libc.mq_receive(queue, buffer, 64, ctypes.byref(priority))
print(buffer.raw[:length].decode(), flush=True)
`;
  const python = start(t, 'python3', ['-c', code, queue.name]);
  const told = queue.notify();
  const RECEIVE = { x64: 243, arm64: 183 }[process.arch as string];
  await until('python blocks in mq_receive', () => syscallOf(python.pid) === RECEIVE);
  queue.sendSync(bytes('for who waits'));
  assert.equal(await python.line(), 'for who waits');
  assert.equal(await isTold(told), false);
  queue.sendSync(bytes('for nobody yet'));
  await told;
});

test('one is told: a second registration is EBUSY, in this process and in another', async (t) => {
  const queue = newQueue(t);
  const told = queue.notify();
  await assert.rejects(queue.notify(), BUSY);
  assert.throws(() => queue.notifyBySignal('SIGUSR2'), BUSY);
  using again = mq.open(queue.name);
  await assert.rejects(again.notify(), BUSY);
  const [, other] = (await attempt(t, {}, [['mq.open', queue.name], ['$0.notify']])) as {
    code: string;
    hint: string;
  }[];
  assert.equal(other?.code, 'EBUSY');
  queue.sendSync(bytes('x'));
  await told;
});

test('abort, time-out and close take the registration back', async (t) => {
  const queue = newQueue(t);
  openPoller();
  const before = countDescriptors();
  const controller = new AbortController();
  const aborted = queue.notify({ signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  await assert.rejects(queue.notify({ timeoutMs: 5 }), { code: 'ETIMEDOUT', syscall: 'mq_notify' });
  await assert.rejects(queue.notify({ signal: controller.signal }), { name: 'AbortError' });
  await assert.rejects(queue.notify({ timeoutMs: -1 }), { code: 'ERR_INTERPROC_RANGE' });
  const closing = mq.open(queue.name);
  const closed = closing.notify();
  closing.close();
  await assert.rejects(closed, { code: 'ERR_INTERPROC_CLOSED' });
  await assert.rejects(closing.notify(), { code: 'ERR_INTERPROC_CLOSED' });
  assert.equal(countDescriptors(), before);
  const told = queue.notify();
  queue.sendSync(bytes('x'));
  await told;
});

test('aborts aimed at the moment of the message: told or not, the queue has it and somebody else may register', async (t) => {
  const queue = newQueue(t);
  openPoller();
  const before = countDescriptors();
  const random = seeded(SEED);
  t.diagnostic(`seed ${SEED}`);
  let told = 0;
  for (let round = 0; round < 3000; round++) {
    const controller = new AbortController();
    const notice = queue.notify({ signal: controller.signal }).then(
      () => true,
      (why: Error) => {
        assert.equal(why.name, 'AbortError');
        return false;
      },
    );
    const turns = Math.floor(random() * 3);
    if (random() < 0.5) queue.sendSync(bytes(String(round)));
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    controller.abort();
    if (queue.attributes.messages === 0) queue.sendSync(bytes(String(round)));
    if (await notice) told++;
    assert.equal(text((await queue.receive()).data), String(round));
  }
  assert.ok(told > 100 && told < 2900, `told in ${told} rounds`);
  assert.equal(countDescriptors(), before);
  const last = queue.notify();
  queue.sendSync(bytes('x'));
  await last;
});

test('endNotify(), and closing another descriptor of the queue, end a registration with ECANCELED', async (t) => {
  const queue = newQueue(t);
  queue.endNotify();
  const ended = queue.notify();
  queue.endNotify();
  await assert.rejects(ended, { code: 'ECANCELED', syscall: 'mq_notify', hint: /closes any of its descriptors/ });
  const another = mq.open(queue.name);
  const lost = queue.notify();
  another.close();
  await assert.rejects(lost, { code: 'ECANCELED' });
});

test('notifyBySignal() sends a signal with its value and the sender of the message, once', async (t) => {
  const queue = newQueue(t);
  using receiver = signal.open(['SIGRTMIN+5']);
  queue.notifyBySignal('SIGRTMIN+5', { value: -7 });
  queue.sendSync(bytes('one'));
  queue.sendSync(bytes('two'));
  const { code, value, pid, uid } = await receiver.receive();
  assert.deepEqual([code, value, pid, uid], ['SI_MESGQ', -7, process.pid, process.getuid?.()]);
  assert.equal(receiver.tryReceive(), undefined);
  queue.notifyBySignal('SIGRTMIN+5');
  queue.endNotify();
  while (queue.tryReceive() !== undefined);
  queue.sendSync(bytes('three'));
  assert.equal(receiver.tryReceive(), undefined);
});

test('a signal or value that cannot be is refused before anything is registered', (t) => {
  const queue = newQueue(t);
  assert.throws(() => queue.notifyBySignal('SIGNONE' as 'SIGINT'), { code: 'ERR_INTERPROC_NAME' });
  assert.throws(() => queue.notifyBySignal('SIGUSR2', { value: 2 ** 40 }), { code: 'ERR_INTERPROC_RANGE' });
  assert.throws(() => queue.notifyBySignal('SIGUSR2', { valeu: 1 } as object), /did you mean value/i);
  queue.notifyBySignal('SIGUSR2');
  queue.endNotify();
});
