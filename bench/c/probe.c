/*
 * Near or far? Two threads, one on each of two processors, pass one cache line back and forth for about 50 ms.
 * Virtual machines move between placements within seconds, and a cross-process figure means nothing without it.
 * Prints the median round trip in nanoseconds, over chunks, so that a preemption does not spoil it.
 *
 * Prints too how long a handful of independent additions takes (nanoseconds): when a neighbour on the host uses the
 * other half of the core, this doubles, and so does everything else.
 */
#include "common.h"
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define ROUNDS 256
#define MOST 4096

static _Alignas(128) _Atomic uint32_t ball;
static _Alignas(128) _Atomic uint32_t over;
static int cpus[2];

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

static void *answer(void *unused) {
  (void)unused;
  pin(cpus[1]);
  for (uint32_t n = 1;; n += 2) {
    while (atomic_load_explicit(&ball, memory_order_acquire) != n)
      if (atomic_load_explicit(&over, memory_order_relaxed)) return NULL;
    atomic_store_explicit(&ball, n + 1, memory_order_release);
  }
}

static double handful_ns(void) {
  const uint64_t rounds = 200000;
  double best = 1e9;
  for (int attempt = 0; attempt < 10; attempt++) {
    uint64_t start = now_ns(), a = 1, b = 1, c = 1, d = 1;
    for (uint64_t i = 0; i < rounds; i++)
      __asm__ volatile("add $1, %0\n\tadd $1, %1\n\tadd $1, %2\n\tadd $1, %3\n\t"
                       "add $1, %0\n\tadd $1, %1\n\tadd $1, %2\n\tadd $1, %3"
                       : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
    double ns = (double)(now_ns() - start) / (double)rounds;
    if (ns < best) best = ns;
  }
  return best;
}

int main(int argc, char **argv) {
  uint64_t length = option_number(argc, argv, "--ms", 50) * 1000000u;
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  int found = 0;
  for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
    if (CPU_ISSET(i, &set)) cpus[found++] = i;
  double work = handful_ns();
  if (found < 2) {
    printf("{\"ns\":null,\"work\":%.3f,\"cpus\":%d}\n", work, found);
    return 0;
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, answer, NULL) != 0) die("pthread_create");
  pin(cpus[0]);
  static uint32_t samples[MOST];
  uint32_t n = 0, count = 0;
  uint64_t begin = now_ns(), last = begin;
  while (count < MOST && last - begin < length) {
    for (int i = 0; i < ROUNDS; i++) {
      atomic_store_explicit(&ball, n + 1, memory_order_release);
      while (atomic_load_explicit(&ball, memory_order_acquire) != n + 2) {
      }
      n += 2;
    }
    uint64_t t = now_ns();
    samples[count++] = (uint32_t)(t - last);
    last = t;
  }
  atomic_store(&over, 1);
  pthread_join(thread, NULL);
  qsort(samples, count, sizeof *samples, by_value);
  printf("{\"ns\":%.1f,\"work\":%.3f,\"cpus\":2}\n", percentile(samples, count, 0.5) / ROUNDS, work);
  return 0;
}
