/*
 * One way through the framed ring.
 *   --publish N   the producer publishes after every N messages (default 1)
 *   --mode copy   the payload is copied from the sender's buffer into the ring and out into the receiver's (default)
 *   --mode place  the fields are written in the ring as 32-bit integers, and all of them are read there
 *   --capacity B  bytes of ring, a power of two (default 1 MiB)
 */
#include "ring.h"

/* A copy of known size is inlined: four moves instead of a call. */
static inline void copy_message(void *to, const void *from, uint32_t size) {
  if (size == 64) memcpy(to, from, 64);
  else memcpy(to, from, size);
}

static void send_copied(producer *p, work w, uint32_t publish) {
  stock messages = stock_create(w.size);
  uint32_t left = publish;
  for (uint64_t n = 0; n < w.total; n++) {
    copy_message(ring_claim(p, w.size), stock_message(&messages, n), w.size);
    stock_renew(&messages, n);
    if (--left == 0) {
      ring_publish(p);
      left = publish;
    }
  }
  ring_publish(p);
}

static void send_in_place(producer *p, work w, uint32_t publish) {
  uint32_t left = publish, fields = w.size / 4;
  for (uint64_t n = 0; n < w.total; n++) {
    uint32_t *field = ring_claim(p, w.size);
    /* Sixteen stores fill the store buffer long before the next lines are ours, so they are asked for ahead. */
    __builtin_prefetch((char *)field + 512, 1);
    field[0] = (uint32_t)n;
    if (fields == 16) {
      for (uint32_t i = 1; i < 16; i++) field[i] = i * MIX;
    } else {
      for (uint32_t i = 1; i < fields; i++) field[i] = i * MIX;
    }
    if (--left == 0) {
      ring_publish(p);
      left = publish;
    }
  }
  ring_publish(p);
}

/*
 * Receives until `until` messages have come. Space is given back when all that was seen is read, or an eighth of the
 * ring: given back in small pieces, a producer at a full ring goes in lockstep with the consumer.
 */
static void receive(consumer *c, check *seen, work w, uint64_t from, uint64_t until, bool copied, uint32_t *message) {
  uint64_t n = from;
  while (n < until) {
    while (!ring_look(c)) _mm_pause();
    while (c->head != c->seen_tail && n < until) {
      uint32_t length;
      const void *place = ring_peek(c, &length);
      if (length != w.size) die("length");
      if (copied) {
        copy_message(message, place, w.size);
        check_message(seen, message, w.size);
      } else {
        check_small(seen, place, w.size);
      }
      ring_advance(c, w.size); /* not `length`: the next read would wait for this one's cache miss */
      n++;
      if (c->head - c->released >= c->capacity / 8) ring_release(c);
    }
    ring_release(c);
  }
}

int main(int argc, char **argv) {
  work w = read_work(argc, argv, 20000000);
  uint32_t publish = (uint32_t)option_number(argc, argv, "--publish", 1);
  uint32_t capacity = (uint32_t)option_number(argc, argv, "--capacity", 1 << 20);
  bool copied = strcmp(option(argc, argv, "--mode", "copy"), "copy") == 0;
  if (publish == 0 || (capacity & (capacity - 1)) != 0 || PADDED(w.size) > capacity / 2) die("options");
  ring *shared = ring_create(capacity);

  pid_t sender = fork_sender();
  if (sender == 0) {
    producer p = {.shared = shared, .capacity = capacity};
    if (copied) send_copied(&p, w, publish);
    else send_in_place(&p, w, publish);
    return 0;
  }
  consumer c = {.shared = shared, .capacity = capacity};
  check seen = {0};
  uint32_t *message = private_memory(w.size);
  receive(&c, &seen, w, 0, w.warmup, copied, message);
  uint64_t start = now_ns();
  receive(&c, &seen, w, w.warmup, w.total, copied, message);
  uint64_t end = now_ns();
  bool ok = join(sender);
  return report_one_way(w, start, end, ok && check_passed(&seen, w.size, w.total));
}
