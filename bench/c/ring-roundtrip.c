/*
 * Round trips over two framed rings, both sides spinning: the parent sends a message, the child copies it out and
 * sends it back, the parent copies it out and looks at every word. Time is taken for groups of 16 round trips, as
 * reading the clock costs a good part of one.
 */
#include "ring.h"

#define GROUP 16
#define CAPACITY (1u << 20)

static inline void put(producer *p, const void *message, uint32_t size) {
  memcpy(ring_claim(p, size), message, size);
  ring_publish(p);
}

static inline void take(consumer *c, void *message, uint32_t size) {
  while (!ring_look(c)) _mm_pause();
  uint32_t length;
  const void *place = ring_peek(c, &length);
  if (length != size) die("length");
  memcpy(message, place, length);
  ring_advance(c, length);
  ring_release(c);
}

int main(int argc, char **argv) {
  work w = read_work(argc, argv, 2000000);
  w.count = (w.count + GROUP - 1) / GROUP * GROUP;
  w.warmup = (w.warmup + GROUP - 1) / GROUP * GROUP;
  w.total = w.count + w.warmup;
  ring *there = ring_create(CAPACITY), *back = ring_create(CAPACITY);

  pid_t child = fork_sender();
  if (child == 0) {
    uint8_t *message = private_memory(w.size);
    consumer from = {.shared = there, .capacity = CAPACITY};
    producer to = {.shared = back, .capacity = CAPACITY};
    for (uint64_t n = 0; n < w.total; n++) {
      take(&from, message, w.size);
      put(&to, message, w.size);
    }
    return 0;
  }
  producer to = {.shared = there, .capacity = CAPACITY};
  consumer from = {.shared = back, .capacity = CAPACITY};
  stock messages = stock_create(w.size);
  uint32_t *message = private_memory(w.size);
  uint32_t *samples = private_memory(w.count / GROUP * sizeof *samples);
  check seen = {0};
  uint64_t start = 0, last = 0, filled = 0;
  for (uint64_t n = 0; n < w.total; n++) {
    if (n == w.warmup) start = last = now_ns();
    put(&to, stock_message(&messages, n), w.size);
    stock_renew(&messages, n);
    take(&from, message, w.size);
    check_message(&seen, message, w.size);
    if (n >= w.warmup && (n - w.warmup) % GROUP == GROUP - 1) {
      uint64_t t = now_ns();
      samples[filled++] = (uint32_t)(t - last);
      last = t;
    }
  }
  bool ok = join(child);
  return report_round_trips(w, samples, filled, GROUP, start, last, ok && check_passed(&seen, w.size, w.total));
}
