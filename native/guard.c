/*
 * The SIGBUS guard. Memory that a file lies behind can be cut by whoever has the file open: touching
 * a page beyond its new end is SIGBUS, which ends the process. Where the fault is inside of a mapping
 * of ours, the handler puts an anonymous page there instead, counts it, and lets the access go on:
 * it reads zeros. JavaScript sees the count change and throws before it believes what it read.
 * Each such page can split a mapping in the kernel's eyes, and it allows so many only, which the engine needs, too: what
 * faults again and again is replaced to its end. Faults elsewhere go to whoever had the signal before.
 *
 * Policy in C, because it runs in a signal handler. It touches only the table below, which is
 * written without locks and never moves, but grows by chunks: a slot is taken by a compare-exchange and given back
 * before its mapping is unmapped.
 */
#include "interproc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Mappings that lie side by side in memory and in their file are one to the kernel, so its limit (65,530, or what
   /proc/sys/vm/max_map_count says) is none for us. */
#define CHUNK 4096
#define CHUNKS 1024
#define PAGE_BY_PAGE 256 /* faults in one mapping */

typedef struct {
  _Atomic uintptr_t start; /* 0: free, 1: being filled */
  _Atomic size_t length;
  _Atomic uint32_t page; /* bytes of the pages behind it: huge ones cannot be replaced in parts */
  _Atomic uint32_t cut;  /* how often a fault was caught in it */
} guarded;

static _Atomic(guarded *) chunks[CHUNKS]; /* never freed */
static _Atomic uint32_t used;             /* no slot beyond was ever taken */
static _Atomic uint32_t lowest;           /* a guess: where the search for a free slot begins */
static atomic_int faults;
static struct sigaction previous;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Of a slot that was taken once. */
static guarded *at(uint32_t slot) { return &atomic_load(&chunks[slot / CHUNK])[slot % CHUNK]; }

static guarded *find(uintptr_t address) {
  uint32_t end = atomic_load(&used);
  for (uint32_t slot = 0; slot < end; slot++) {
    guarded *candidate = at(slot);
    uintptr_t start = atomic_load(&candidate->start);
    if (start > 1 && address >= start && address - start < atomic_load(&candidate->length)) return candidate;
  }
  return NULL;
}

static bool replace(uintptr_t start, size_t length) {
  const int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  return mmap((void *)start, length, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED;
}

/* The page that was touched; after many, also what follows it, since a file is cut to its end. If the kernel does not let
   us split the mapping any more, all of it. */
static bool replace_page(const guarded *hit, uintptr_t address) {
  uintptr_t page = atomic_load(&hit->page);
  uintptr_t start = atomic_load(&hit->start);
  uintptr_t end = (start + atomic_load(&hit->length) + page - 1) & ~(page - 1);
  uintptr_t touched = address & ~(page - 1);
  size_t length = atomic_load(&hit->cut) < PAGE_BY_PAGE ? page : end - touched;
  return replace(touched, length) || replace(start, end - start);
}

static void pass_on(int number, siginfo_t *info, void *context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  } else {
    signal(SIGBUS, SIG_DFL); /* the access is made again, and ends the process as it would have */
    if (info->si_code <= 0) raise(number); /* no access: somebody sent it */
  }
}

static void on_fault(int number, siginfo_t *info, void *context) {
  int saved = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  guarded *hit = info->si_code > 0 ? find(address) : NULL;
  if (hit == NULL || !replace_page(hit, address)) {
    pass_on(number, info, context);
  } else {
    atomic_fetch_add(&hit->cut, 1);
    atomic_fetch_add(&faults, 1);
  }
  errno = saved;
}

static void install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGBUS, &action, &previous);
}

/* The chunk of a slot, made if it is the first one there; NULL without memory. */
static guarded *chunk_of(uint32_t slot) {
  _Atomic(guarded *) *place = &chunks[slot / CHUNK];
  guarded *there = atomic_load(place);
  if (there != NULL) return there;
  guarded *made = calloc(CHUNK, sizeof *made);
  if (made == NULL || atomic_compare_exchange_strong(place, &there, made)) return made;
  free(made); /* another thread was faster */
  return there;
}

/* A free slot that is ours now, from `first` on; -ENOMEM if there is none. */
static int take_slot(uint32_t first) {
  for (uint32_t slot = first; slot < CHUNK * CHUNKS; slot++) {
    guarded *chunk = chunk_of(slot);
    if (chunk == NULL) return -ENOMEM;
    uintptr_t nobody = 0;
    if (atomic_compare_exchange_strong(&chunk[slot % CHUNK].start, &nobody, 1)) return (int)slot;
  }
  return -ENOMEM;
}

/* Whoever has taken the signal since, as process.on('SIGBUS') does, gets what is not ours from now on. */
static void stay_on_top(void) {
  struct sigaction now;
  if (sigaction(SIGBUS, NULL, &now) < 0 || now.sa_sigaction == on_fault) return;
  install();
}

int ip_guard(void *address, size_t length, uint32_t page) {
  pthread_once(&once, install);
  stay_on_top();
  uint32_t first = atomic_load(&lowest);
  int slot = take_slot(first);
  if (slot < 0) slot = take_slot(0);
  if (slot < 0) return slot;
  uint32_t next = (uint32_t)slot + 1;
  atomic_compare_exchange_strong(&lowest, &first, next);
  guarded *taken = at((uint32_t)slot);
  atomic_store(&taken->length, length);
  atomic_store(&taken->page, page);
  atomic_store(&taken->cut, 0);
  atomic_store(&taken->start, (uintptr_t)address);
  uint32_t end = atomic_load(&used);
  while (end < next && !atomic_compare_exchange_weak(&used, &end, next)) continue;
  return slot;
}

void ip_unguard(int slot) {
  if (slot < 0) return;
  atomic_store(&at((uint32_t)slot)->start, 0);
  uint32_t first = atomic_load(&lowest);
  while ((uint32_t)slot < first && !atomic_compare_exchange_weak(&lowest, &first, (uint32_t)slot)) continue;
}

bool ip_was_cut(int slot) { return slot >= 0 && atomic_load(&at((uint32_t)slot)->cut) > 0; }

static void keep(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  (void)hint;
}

/* guardFaults(): an ArrayBuffer over the 32-bit count of faults that were caught in this process. */
static napi_value guard_faults(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value buffer;
  if (napi_create_external_arraybuffer(env, &faults, sizeof faults, keep, NULL, &buffer) != napi_ok) {
    return ip_result(env, -ENOTSUP);
  }
  return buffer;
}

const ip_function ip_guard_functions[] = {{"guardFaults", guard_faults}, {NULL, NULL}};
