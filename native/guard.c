/*
 * The SIGBUS guard. Memory that a file lies behind can be cut by whoever has the file open: touching
 * a page beyond its new end is SIGBUS, which ends the process. Where the fault is inside of a mapping
 * of ours, the handler puts an anonymous page there instead, counts it, and lets the access go on:
 * it reads zeros. JavaScript sees the count change and throws before it believes what it read.
 * Faults elsewhere go to whoever had the signal before.
 *
 * Policy in C, because it runs in a signal handler. It touches only the table below, which is
 * written without locks and never moves: a slot is taken by a compare-exchange and given back
 * before its mapping is unmapped.
 */
#include "interproc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS 65536 /* the kernel allows no more mappings: /proc/sys/vm/max_map_count */

typedef struct {
  _Atomic uintptr_t start; /* 0: free, 1: being filled */
  _Atomic size_t length;
  _Atomic uint32_t page; /* bytes of the pages behind it: huge ones cannot be replaced in parts */
  atomic_bool cut;
} guarded;

static guarded table[SLOTS];
static _Atomic uint32_t used; /* no slot beyond was ever taken */
static atomic_int faults;
static struct sigaction previous;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static guarded *find(uintptr_t address) {
  uint32_t end = atomic_load(&used);
  for (uint32_t slot = 0; slot < end; slot++) {
    uintptr_t start = atomic_load(&table[slot].start);
    if (start > 1 && address >= start && address - start < atomic_load(&table[slot].length)) return &table[slot];
  }
  return NULL;
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
  uintptr_t size = hit == NULL ? 1 : atomic_load(&hit->page);
  if (hit == NULL || mmap((void *)(address & ~(size - 1)), size, PROT_READ | PROT_WRITE,
                          MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) {
    pass_on(number, info, context);
  } else {
    atomic_store(&hit->cut, true);
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

int ip_guard(void *address, size_t length, uint32_t page) {
  pthread_once(&once, install);
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    uintptr_t nobody = 0;
    if (!atomic_compare_exchange_strong(&table[slot].start, &nobody, 1)) continue;
    atomic_store(&table[slot].length, length);
    atomic_store(&table[slot].page, page);
    atomic_store(&table[slot].cut, false);
    atomic_store(&table[slot].start, (uintptr_t)address);
    uint32_t end = atomic_load(&used);
    while (end < slot + 1 && !atomic_compare_exchange_weak(&used, &end, slot + 1)) continue;
    return (int)slot;
  }
  return -ENOMEM;
}

void ip_unguard(int slot) {
  if (slot >= 0) atomic_store(&table[slot].start, 0);
}

bool ip_was_cut(int slot) { return slot >= 0 && atomic_load(&table[slot].cut); }

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
