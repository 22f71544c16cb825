/*
 * What every baseline program shares: options, the clock, the payload and its check, the one line of JSON.
 *
 * Each program is one parent command. It forks: the child sends, the parent receives and prints. Neither is pinned to
 * a processor, as the JavaScript side is not: V8's helper threads need room, and a policy must be the same for both.
 *
 * Timing starts when the last warm-up message has arrived and ends when the last message has. What was already in
 * flight at the start is at most one ring or pipe full, under 0.2 % of a run.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LARGE 4096 /* from this payload size on, the copy is what costs: rates are in bytes, checks are sampled */

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "failed");
  exit(1);
}

static inline const char *option(int argc, char **argv, const char *name, const char *fallback) {
  for (int i = 1; i + 1 < argc; i++)
    if (strcmp(argv[i], name) == 0) return argv[i + 1];
  return fallback;
}

static inline uint64_t option_number(int argc, char **argv, const char *name, uint64_t fallback) {
  const char *text = option(argc, argv, name, NULL);
  return text ? strtoull(text, NULL, 10) : fallback;
}

/* The counts of a run: `total` = warm-up + counted. */
typedef struct {
  uint64_t count, warmup, total;
  uint32_t size;
} work;

static inline work read_work(int argc, char **argv, uint64_t count) {
  work w;
  w.count = option_number(argc, argv, "--count", count);
  w.warmup = option_number(argc, argv, "--warmup", w.count / 10);
  w.total = w.count + w.warmup;
  w.size = (uint32_t)option_number(argc, argv, "--size", 64);
  if (w.size < 4 || w.size % 4 != 0 || w.count == 0) {
    fprintf(stderr, "--size must be a multiple of 4, --count at least 1\n");
    exit(2);
  }
  return w;
}

/* Shared, zeroed and touched, so that no page fault falls into the timed part. */
static inline void *shared_memory(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) die("mmap");
  memset(memory, 0, size);
  return memory;
}

static inline void *private_memory(size_t size) {
  void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
  if (!memory) die("aligned_alloc");
  memset(memory, 0, size);
  return memory;
}

/* The sender dies with the receiver: no run leaves a process behind. */
static inline pid_t fork_sender(void) {
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
  }
  return pid;
}

static inline bool join(pid_t pid) {
  int status;
  if (waitpid(pid, &status, 0) < 0) die("waitpid");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/*
 * The payload of message n, in 32-bit words: word 0 is n; word i is i * MIX, and the first word of each further page
 * has n added, so that a page of another block cannot pass for this one.
 */
#define MIX 0x9E3779B1u

static inline void payload_fill(uint32_t *words, uint32_t size) {
  for (uint32_t i = 0; i < size / 4; i++) words[i] = i * MIX;
}

static inline void payload_stamp(uint32_t *words, uint32_t size, uint32_t n) {
  words[0] = n;
  for (uint32_t i = 1024; i < size / 4; i += 1024) words[i] = i * MIX + n;
}

/*
 * What the sender has to send: a stock of messages, each made a whole round before it leaves. A message stamped just
 * before it is copied makes the copy wait for the store (a failed store-to-load forwarding, 3 ns of 5).
 */
#define STOCK 32
typedef struct {
  uint8_t *bytes;
  uint32_t size, slots;
} stock;

static inline stock stock_create(uint32_t size) {
  stock s = {.size = size, .slots = size < LARGE ? STOCK : 1};
  s.bytes = private_memory((size_t)size * s.slots);
  for (uint32_t i = 0; i < s.slots; i++) {
    uint32_t *words = (uint32_t *)(s.bytes + (size_t)i * size);
    payload_fill(words, size);
    payload_stamp(words, size, i);
  }
  return s;
}

static inline void *stock_message(const stock *s, uint64_t n) {
  return s->slots == 1 ? s->bytes : s->bytes + (size_t)(n % STOCK) * s->size;
}

/* Message n has left: its place becomes that of message n + slots. */
static inline void stock_renew(const stock *s, uint64_t n) {
  payload_stamp(stock_message(s, n), s->size, (uint32_t)n + s->slots);
}

/* What the receiver has found so far; `wrong` becomes non-zero at the first message out of order. */
typedef struct {
  uint32_t sum, wrong, next;
} check;

/* Every word of a small message. Order is seen in word 0, content in the sum. */
static inline void check_small(check *c, const uint32_t *words, uint32_t size) {
  uint32_t sum = 0;
  if (size == 64) {
    for (int i = 0; i < 16; i++) sum += words[i];
  } else {
    for (uint32_t i = 0; i < size / 4; i++) sum += words[i];
  }
  c->sum += sum;
  c->wrong |= words[0] ^ c->next++;
}

/* A large block has been read as a whole by the copy out; of the copy we look at one word in each page. */
static inline void check_pages(check *c, const uint32_t *words, uint32_t size) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < size / 4; i += 1024) sum += words[i];
  c->sum += sum;
  c->wrong |= words[0] ^ c->next++;
}

static inline void check_message(check *c, const uint32_t *words, uint32_t size) {
  if (size < LARGE) check_small(c, words, size);
  else check_pages(c, words, size);
}

static inline bool check_passed(const check *c, uint32_t size, uint64_t total) {
  uint32_t one = 0, stamped = 1, step = size < LARGE ? 1 : 1024;
  for (uint32_t i = 1; i < size / 4; i++) {
    if (i % step != 0) continue;
    one += i * MIX;
    if (i % 1024 == 0) stamped++;
  }
  uint64_t sequence = total % 2 ? (total - 1) / 2 * total : total / 2 * (total - 1);
  uint32_t expected = (uint32_t)((uint64_t)one * total + (uint64_t)stamped * sequence);
  return c->wrong == 0 && c->next == (uint32_t)total && c->sum == expected;
}

static inline int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static inline double percentile(const uint32_t *sorted, uint64_t n, double part) {
  uint64_t i = (uint64_t)(part * (double)n);
  return (double)sorted[i < n ? i : n - 1];
}

/* One way: messages per second, or bytes per second from LARGE on. */
static inline int report_one_way(work w, uint64_t start, uint64_t end, bool ok) {
  double seconds = (double)(end - start) / 1e9;
  bool bytes = w.size >= LARGE;
  double rate = (double)w.count * (bytes ? (double)w.size : 1.0) / seconds;
  printf("{\"rate\":%.1f,\"unit\":\"%s\",\"seconds\":%.6f,\"messages\":%llu,\"bytes\":%llu,\"p50\":null,\"p99\":null,"
         "\"checksumOk\":%s}\n",
         rate, bytes ? "bytes/s" : "messages/s", seconds, (unsigned long long)w.count,
         (unsigned long long)w.count * w.size, ok ? "true" : "false");
  return ok ? 0 : 1;
}

/* What is done again and again: `samples` are nanoseconds for each `group` of it; p50 and p99 in microseconds. */
static inline int report_samples(const char *unit, work w, uint32_t *samples, uint64_t n, uint32_t group, uint64_t start,
                                 uint64_t end, bool ok) {
  double seconds = (double)(end - start) / 1e9;
  qsort(samples, n, sizeof *samples, by_value);
  printf("{\"rate\":%.1f,\"unit\":\"%s\",\"seconds\":%.6f,\"messages\":%llu,\"bytes\":%llu,\"p50\":%.4f,"
         "\"p99\":%.4f,\"checksumOk\":%s}\n",
         (double)w.count / seconds, unit, seconds, (unsigned long long)w.count, (unsigned long long)w.count * w.size,
         percentile(samples, n, 0.5) / group / 1e3, percentile(samples, n, 0.99) / group / 1e3, ok ? "true" : "false");
  return ok ? 0 : 1;
}

static inline int report_round_trips(work w, uint32_t *samples, uint64_t n, uint32_t group, uint64_t start,
                                     uint64_t end, bool ok) {
  return report_samples("round trips/s", w, samples, n, group, start, end, ok);
}
