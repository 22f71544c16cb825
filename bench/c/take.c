/*
 * A lock that nobody else wants, taken and given back again and again in one process; timed by groups, for one of it is quicker than the
 * clock.
 *
 *   --mechanism mutex|sem|semset|flock|ofd   mutex is a robust pthread mutex that processes share
 */
#include "locks.h"

#define GROUP 100

static inline __attribute__((always_inline)) void group(kind k, uint32_t *counter) {
  for (int i = 0; i < GROUP; i++) {
    lock_take(k, 0);
    *(volatile uint32_t *)counter += 1;
    lock_give(k, 0);
  }
}

static void group_of(kind k, uint32_t *counter) {
  switch (k) {
    case MUTEX: group(MUTEX, counter); break;
    case SEM: group(SEM, counter); break;
    case SEMSET: group(SEMSET, counter); break;
    case FLOCK: group(FLOCK, counter); break;
    case OFD: group(OFD, counter); break;
  }
}

int main(int argc, char **argv) {
  work w = read_work(argc, argv, 1000000);
  kind k = kind_of(argc, argv);
  locks_create(k, 1);
  uint32_t *counter = shared_memory(64);
  uint64_t groups = (w.count + GROUP - 1) / GROUP, warmup = w.warmup / GROUP;
  w.count = groups * GROUP;
  uint32_t *samples = private_memory(groups * sizeof *samples);
  uint64_t start = 0, last = 0;
  for (uint64_t n = 0; n < warmup + groups; n++) {
    if (n == warmup) start = last = now_ns();
    group_of(k, counter);
    if (n >= warmup) {
      uint64_t t = now_ns();
      samples[n - warmup] = (uint32_t)(t - last);
      last = t;
    }
  }
  locks_remove(k);
  return report_samples("takes/s", w, samples, groups, GROUP, start, last, *counter == (warmup + groups) * GROUP);
}
