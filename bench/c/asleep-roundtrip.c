/*
 * Round trips over two framed rings, both sides asleep in an epoll loop until an eventfd wakes them.
 *
 * Each direction has an `armed` word beside its ring. The receiver sets it, looks at the ring once more and sleeps;
 * the sender publishes, then takes the word away, and only if it was set writes the eventfd. Both are sequentially
 * consistent: either the receiver sees the message or the sender sees that it must wake.
 */
#include "ring.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define CAPACITY (1u << 20)

typedef struct {
  ring *ring;
  _Atomic uint32_t *armed;
  int event;
} way;

static way way_create(void) {
  way w = {.ring = ring_create(CAPACITY), .armed = shared_memory(4096)};
  w.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (w.event < 0) die("eventfd");
  return w;
}

typedef struct {
  way there, back;
  producer to;
  consumer from;
  int epoll;
} side;

static side side_create(way out, way in) {
  side s = {.there = out, .back = in, .epoll = epoll_create1(EPOLL_CLOEXEC)};
  s.to = (producer){.shared = out.ring, .capacity = CAPACITY};
  s.from = (consumer){.shared = in.ring, .capacity = CAPACITY};
  struct epoll_event interest = {.events = EPOLLIN};
  if (s.epoll < 0 || epoll_ctl(s.epoll, EPOLL_CTL_ADD, in.event, &interest) < 0) die("epoll");
  return s;
}

static void put(side *s, const void *message, uint32_t size) {
  memcpy(ring_claim(&s->to, size), message, size);
  ring_publish(&s->to);
  atomic_thread_fence(memory_order_seq_cst);
  if (atomic_load(s->there.armed) != 0 && atomic_exchange(s->there.armed, 0) != 0) {
    uint64_t one = 1;
    if (write(s->there.event, &one, sizeof one) != sizeof one) die("write");
  }
}

static void sleep_until_woken(side *s) {
  atomic_store(s->back.armed, 1);
  if (ring_look(&s->from) && atomic_exchange(s->back.armed, 0) != 0) return;
  struct epoll_event ready;
  while (epoll_wait(s->epoll, &ready, 1, -1) < 1)
    if (errno != EINTR) die("epoll_wait");
  uint64_t value;
  if (read(s->back.event, &value, sizeof value) < 0 && errno != EAGAIN) die("read");
}

static void take(side *s, void *message, uint32_t size) {
  while (!ring_look(&s->from)) sleep_until_woken(s);
  uint32_t length;
  const void *place = ring_peek(&s->from, &length);
  if (length != size) die("length");
  memcpy(message, place, length);
  ring_advance(&s->from, length);
  ring_release(&s->from);
}

int main(int argc, char **argv) {
  work w = read_work(argc, argv, 100000);
  way there = way_create(), back = way_create();

  pid_t child = fork_sender();
  if (child == 0) {
    side s = side_create(back, there);
    uint8_t *message = private_memory(w.size);
    for (uint64_t n = 0; n < w.total; n++) {
      take(&s, message, w.size);
      put(&s, message, w.size);
    }
    return 0;
  }
  side s = side_create(there, back);
  stock messages = stock_create(w.size);
  uint32_t *message = private_memory(w.size);
  uint32_t *samples = private_memory(w.count * sizeof *samples);
  check seen = {0};
  uint64_t start = 0, last = 0;
  for (uint64_t n = 0; n < w.total; n++) {
    if (n == w.warmup) start = last = now_ns();
    put(&s, stock_message(&messages, n), w.size);
    stock_renew(&messages, n);
    take(&s, message, w.size);
    check_message(&seen, message, w.size);
    if (n >= w.warmup) {
      uint64_t t = now_ns();
      samples[n - w.warmup] = (uint32_t)(t - last);
      last = t;
    }
  }
  bool ok = join(child);
  return report_round_trips(w, samples, w.count, 1, start, last, ok && check_passed(&seen, w.size, w.total));
}
