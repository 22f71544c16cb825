import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RingConsumer, ringConsumer } from '../../src/channel/ring/consumer.js';
import { HEAD, HEADER_BYTES, LEAST_CAPACITY, roundCapacity, TAIL } from '../../src/channel/ring/layout.js';
import { checkRing, formatRing, hasJoined, joinRing, ringBytes } from '../../src/channel/ring/memory.js';
import { type RingProducer, ringProducer } from '../../src/channel/ring/producer.js';
import { anonymous, type Mapping } from '../../src/mmap/index.js';

interface Ring extends Disposable {
  memory: Mapping;
  producer: RingProducer;
  consumer: RingConsumer;
}

function makeRing(capacity = LEAST_CAPACITY, start = 0): Ring {
  const memory = anonymous(ringBytes(capacity));
  formatRing(memory, capacity);
  memory.int32[HEAD] = start;
  memory.int32[TAIL] = start;
  return {
    memory,
    producer: ringProducer(memory.buffer, capacity),
    consumer: ringConsumer(memory.buffer, capacity),
    [Symbol.dispose]: () => memory.close(),
  };
}

/** A small generator of its own, so that a failing run can be repeated. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

function fill(message: Uint8Array, number: number): Uint8Array {
  for (let index = 0; index < message.length; index++) message[index] = number + index * 7;
  return message;
}

/** Sends messages of random lengths in random bursts, and checks every byte of each. */
function exchange(ring: Ring, count: number, longest: number, seed: number): void {
  const next = random(seed);
  const lengths: number[] = [];
  const into = new Uint8Array(longest);
  let sent = 0;
  let received = 0;
  while (received < count) {
    for (let burst = next() % 40; burst > 0 && sent < count; burst--) {
      const length = next() % (longest + 1);
      if (!ring.producer.push(fill(new Uint8Array(length), sent))) break;
      lengths.push(length);
      sent++;
    }
    ring.producer.publish();
    for (let burst = next() % 40; burst > 0; burst--) {
      const length = ring.consumer.popInto(into);
      if (length < 0) break;
      assert.equal(length, lengths[received], `seed ${seed}, message ${received}`);
      const expected = fill(new Uint8Array(length), received);
      assert.equal(Buffer.compare(into.subarray(0, length), expected), 0, `seed ${seed}, message ${received}`);
      received++;
    }
    ring.consumer.release();
  }
}

test('messages of every length come out as they went in, across the end of the data area', () => {
  const seed = Date.now() % 1_000_000;
  using ring = makeRing();
  exchange(ring, 50_000, ring.producer.longest, seed);
});

test('the free-running counters pass 2^31 and 2^32', () => {
  for (const start of [0x7fffff00 | 0, 0xffffff00 | 0]) {
    using ring = makeRing(LEAST_CAPACITY, start);
    exchange(ring, 500, 200, 7);
  }
});

test('one array that is used again and again gives the same as fresh ones', () => {
  using ring = makeRing();
  const message = new Uint8Array(64);
  const into = new Uint8Array(64);
  for (let number = 0; number < 10_000; number++) {
    assert.ok(ring.producer.push(fill(message, number)));
    ring.producer.publish();
    assert.equal(ring.consumer.popInto(into), 64);
    assert.equal(Buffer.compare(into, message), 0);
    ring.consumer.release();
  }
});

test('a message of a length that is no multiple of 8 keeps its last bytes when its array is used again', () => {
  using ring = makeRing();
  const message = new Uint8Array(61);
  const into = new Uint8Array(61);
  for (let number = 0; number < 100; number++) {
    ring.producer.push(fill(message, number));
    ring.producer.publish();
    ring.consumer.popInto(into);
    assert.equal(Buffer.compare(into, message), 0);
    ring.consumer.release();
  }
});

test('an array whose buffer was transferred away since its last use sends nothing of it', () => {
  using ring = makeRing();
  const message = new Uint8Array(64).fill(1);
  ring.producer.push(message);
  structuredClone(message.buffer, { transfer: [message.buffer] });
  ring.producer.push(message);
  ring.producer.publish();
  const into = new Uint8Array(64);
  assert.equal(ring.consumer.popInto(into), 64);
  assert.equal(ring.consumer.popInto(into), 0);
});

test('what is written is not seen before it is published', () => {
  using ring = makeRing();
  ring.producer.push(new Uint8Array(8));
  assert.equal(ring.consumer.peek(), -1);
  ring.producer.publish();
  assert.ok(ring.consumer.peek() >= HEADER_BYTES);
});

test('a full ring takes nothing until room was given back', () => {
  using ring = makeRing();
  const message = new Uint8Array(ring.producer.longest);
  let taken = 0;
  while (ring.producer.push(message)) taken++;
  assert.ok(taken >= 3, `${taken} messages of a quarter fit`);
  ring.producer.publish();
  ring.consumer.popInto(message);
  assert.equal(ring.producer.push(message), false);
  ring.consumer.release();
  assert.equal(ring.producer.push(message), true);
});

test('whoever sleeps is to be woken exactly once', () => {
  using ring = makeRing();
  assert.equal(ring.producer.publish(), false);
  assert.equal(ring.consumer.sleep(), true);
  ring.producer.push(new Uint8Array(8));
  assert.equal(ring.producer.publish(), true);
  ring.producer.push(new Uint8Array(8));
  assert.equal(ring.producer.publish(), false);
  assert.equal(ring.consumer.sleep(), false, 'there is a message: no sleep');
});

test('the end is seen after the last message', () => {
  using ring = makeRing();
  ring.producer.push(new Uint8Array(8));
  ring.producer.end();
  assert.equal(ring.consumer.ended(), false);
  ring.consumer.peek();
  ring.consumer.skip();
  assert.equal(ring.consumer.ended(), true);
});

test('a consumer that fell asleep before the last messages and the end came is woken by them', () => {
  using ring = makeRing();
  ring.producer.push(new Uint8Array(8));
  assert.equal(ring.consumer.sleep(), true, 'it is not published yet');
  assert.equal(ring.producer.end(), true, 'wake it');
  assert.equal(ring.consumer.popInto(new Uint8Array(8)), 8);
  assert.equal(ring.consumer.ended(), true);
});

test('garbage in any word of the header or of a record is an error or plain data, never more', () => {
  const edges = [
    0,
    1,
    -1,
    7,
    8,
    0x7fffffff,
    -0x80000000,
    0x0fffffff,
    0x10000000,
    0x40000000,
    LEAST_CAPACITY,
    LEAST_CAPACITY + 8,
    -8,
  ];
  for (let word = 0; word < (HEADER_BYTES + 256) / 4; word++) {
    for (const value of edges) {
      using ring = makeRing();
      ring.producer.push(new Uint8Array(40));
      ring.producer.push(new Uint8Array(3));
      ring.producer.publish();
      ring.memory.int32[word] = value;
      const into = new Uint8Array(LEAST_CAPACITY);
      try {
        for (let round = 0; round < 600; round++) {
          if (ring.consumer.popInto(into) < 0) break;
          assert.ok(round < 599, 'more records than fit');
        }
        ring.consumer.release();
        ring.producer.push(new Uint8Array(16));
        ring.producer.publish();
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'EBADMSG', `word ${word} = ${value}: ${String(error)}`);
      }
    }
  }
});

test('memory that is no ring, of another version, or of a size that it does not have is refused', () => {
  using memory = anonymous(ringBytes(LEAST_CAPACITY));
  assert.throws(() => checkRing(memory, '/x'), { code: 'EPROTO' });
  formatRing(memory, LEAST_CAPACITY);
  assert.equal(checkRing(memory, '/x'), LEAST_CAPACITY);
  memory.int32[2] = LEAST_CAPACITY * 2;
  assert.throws(() => checkRing(memory, '/x'), { code: 'EBADMSG' });
  memory.int32[2] = 3000;
  assert.throws(() => checkRing(memory, '/x'), { code: 'EBADMSG' });
  memory.int32[2] = LEAST_CAPACITY;
  memory.int32[1] = 2;
  assert.throws(() => checkRing(memory, '/x'), { code: 'EPROTO', message: /version 2/ });
});

test('an end can be joined once', () => {
  using memory = anonymous(ringBytes(LEAST_CAPACITY));
  assert.equal(hasJoined(memory, 'sender'), false);
  assert.equal(joinRing(memory, 'sender'), true);
  assert.equal(joinRing(memory, 'sender'), false);
  assert.equal(hasJoined(memory, 'sender'), true);
  assert.equal(joinRing(memory, 'receiver'), true);
});

test('a capacity is rounded up to a power of two in range', () => {
  assert.equal(roundCapacity(1), LEAST_CAPACITY);
  assert.equal(roundCapacity(5000), 8192);
  assert.equal(roundCapacity(8192), 8192);
});

test('claimed room becomes a message by commit, of the length that was used', () => {
  using ring = makeRing();
  const at = ring.producer.claim(64);
  ring.producer.bytes.fill(9, at, at + 10);
  ring.producer.commit(10);
  ring.producer.publish();
  const into = new Uint8Array(64);
  assert.equal(ring.consumer.popInto(into), 10);
  assert.deepEqual([...into.subarray(0, 10)], Array(10).fill(9));
  assert.throws(() => ring.producer.commit(), RangeError);
});
