/*
 * Two processes hand a turn to each other; a round trip is two hand-overs.
 *
 *   --mechanism mutex|sem|semset|flock|ofd
 *
 * With semaphores each waits for its own and posts the other's. What only its owner can give back takes three locks: who has turn n holds lock
 * n % 3; to wait for the end of a turn is to wait for its lock, and whoever does so holds that of its own next turn already. So each hand-over
 * is one release and one wait, and nothing is tried again. A count in shared memory is changed only by whoever has the turn.
 */
#include "locks.h"

typedef struct {
  _Atomic uint32_t there;
  uint32_t count;
} shared;

typedef struct {
  int side;
  uint64_t turn; /* our next one */
} player;

static inline __attribute__((always_inline)) player begin(kind k, int side, shared *s) {
  player p = {.side = side, .turn = (uint64_t)side};
  if (!hands_over(k)) {
    lock_take(k, side);
    if (side == 0) lock_take(k, 2);
  }
  s->there++;
  while (s->there < 2) sched_yield();
  return p;
}

/* Waits for our turn. The first one of side 0 has nobody to wait for. */
static inline __attribute__((always_inline)) void take(kind k, const player *p) {
  if (p->turn == 0) return;
  lock_take(k, hands_over(k) ? p->side : (int)((p->turn - 1) % LOCKS));
}

static inline __attribute__((always_inline)) void hand(kind k, player *p) {
  lock_give(k, hands_over(k) ? 1 - p->side : (int)(p->turn % LOCKS));
  p->turn += 2;
}

static inline __attribute__((always_inline)) int play(kind k, work w) {
  shared *s = shared_memory(sizeof *s);
  pid_t child = fork_sender();
  uint32_t wrong = 0;
  player p = begin(k, child == 0, s);
  if (child == 0) {
    for (uint64_t n = 0; n < w.total; n++) {
      take(k, &p);
      wrong |= s->count ^ (uint32_t)p.turn;
      s->count++;
      hand(k, &p);
    }
    _exit(wrong == 0 ? 0 : 1);
  }
  uint32_t *samples = private_memory(w.count * sizeof *samples);
  uint64_t start = 0, last = 0;
  take(k, &p);
  for (uint64_t n = 0; n < w.total; n++) {
    if (n == w.warmup) start = last = now_ns();
    wrong |= s->count ^ (uint32_t)p.turn;
    s->count++;
    hand(k, &p);
    take(k, &p);
    if (n >= w.warmup) {
      uint64_t t = now_ns();
      samples[n - w.warmup] = (uint32_t)(t - last);
      last = t;
    }
  }
  bool ok = join(child) && wrong == 0 && s->count == 2 * w.total;
  locks_remove(k);
  return report_round_trips(w, samples, w.count, 1, start, last, ok);
}

int main(int argc, char **argv) {
  work w = read_work(argc, argv, 50000);
  kind k = kind_of(argc, argv);
  locks_create(k, 0);
  switch (k) {
    case MUTEX: return play(MUTEX, w);
    case SEM: return play(SEM, w);
    case SEMSET: return play(SEMSET, w);
    case FLOCK: return play(FLOCK, w);
    case OFD: return play(OFD, w);
  }
  return 2;
}
