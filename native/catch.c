/*
 * Standard signals, caught with what sigaction(2) tells of them. Our handler lies over that of libuv (disposition.c): it notes the
 * siginfo for our readers and then calls libuv's, and process.on() goes on as before.
 *
 * The handler does only what signal-safety(7) allows. It blocks every signal, and so does whoever
 * else takes `guard`: so a thread that holds it is never interrupted by a handler that wants it.
 */
#include "interproc.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STANDARD 31
#define BIT(signal) (UINT32_C(1) << ((signal)-1))
#define ROOM 256

/* What one receiver has not taken yet. When `records` is full, the latest of each further signal is kept
   and told after them: signals coalesce then, as standard signals do in the kernel. */
typedef struct reader {
  int32_t id;
  ip_environment *environment;
  uint32_t wanted; /* one bit for each signal */
  int bell;        /* eventfd: there is something to take */
  uint32_t first, count, coalesced;
  struct signalfd_siginfo records[ROOM], latest[STANDARD + 1];
  struct reader *next;
} reader;

static atomic_flag guard = ATOMIC_FLAG_INIT; /* of `readers` and what is in them; every signal is blocked meanwhile */
static reader *readers;

/* ---- in signal context --------------------------------------------------------------------- */

static void lock_guard(void) {
  while (atomic_flag_test_and_set_explicit(&guard, memory_order_acquire)) sched_yield();
}

static void unlock_guard(void) { atomic_flag_clear_explicit(&guard, memory_order_release); }

void ip_signal_record(struct signalfd_siginfo *record, int number, const siginfo_t *from) {
  memset(record, 0, sizeof *record);
  record->ssi_signo = (uint32_t)number;
  record->ssi_code = from->si_code;
  record->ssi_errno = from->si_errno;
  if (from->si_code == SI_KERNEL) return;
  if (from->si_code == SI_TIMER) {
    record->ssi_overrun = (uint32_t)from->si_overrun;
  } else if (from->si_code > 0 && number != SIGCHLD) {
    record->ssi_fd = from->si_fd; /* a descriptor, or a fault, where these mean nothing: there is no sender */
    record->ssi_band = (uint32_t)from->si_band;
    return;
  } else {
    record->ssi_pid = (uint32_t)from->si_pid;
    record->ssi_uid = from->si_uid;
  }
  if (from->si_code > 0) {
    record->ssi_status = from->si_status;
  } else if (from->si_code != SI_USER && from->si_code != SI_TKILL) {
    record->ssi_int = from->si_int;
    record->ssi_ptr = (uint64_t)(uintptr_t)from->si_ptr;
  }
}

static void put(reader *to, int number, const siginfo_t *from) {
  const uint64_t one = 1;
  if (to->count < ROOM && to->coalesced == 0) {
    ip_signal_record(&to->records[(to->first + to->count) % ROOM], number, from);
    to->count++;
  } else {
    ip_signal_record(&to->latest[number], number, from);
    to->coalesced |= BIT(number);
  }
  ssize_t told = write(to->bell, &one, sizeof one);
  (void)told; /* fails only when the counter is full, and then the bell rings already */
}

void ip_caught(int number, siginfo_t *from, void *context) {
  int error = errno;
  lock_guard();
  for (reader *one = readers; one != NULL; one = one->next) {
    if ((one->wanted & BIT(number)) != 0) put(one, number, from);
  }
  unlock_guard();
  ip_call_beneath(number, from, context);
  errno = error;
}

/* ---- readers ------------------------------------------------------------------------------- */

static void block_all(sigset_t *before) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, before);
  lock_guard();
}

static void unblock(const sigset_t *before) {
  unlock_guard();
  pthread_sigmask(SIG_SETMASK, before, NULL);
}

static reader *find(const ip_environment *environment, int32_t id) {
  reader *found = readers;
  while (found != NULL && (found->id != id || found->environment != environment)) found = found->next;
  return found;
}

static void discard(reader *gone) {
  sigset_t before;
  block_all(&before);
  for (reader **link = &readers; *link != NULL; link = &(*link)->next) {
    if (*link != gone) continue;
    *link = gone->next;
    break;
  }
  unblock(&before);
  for (int number = 1; number <= STANDARD; number++) {
    if ((gone->wanted & BIT(number)) != 0) ip_disposition_end(gone->environment, number);
  }
  close(gone->bell);
  free(gone);
}

static reader *any_of(const ip_environment *environment) {
  sigset_t before;
  block_all(&before);
  reader *found = readers;
  while (found != NULL && found->environment != environment) found = found->next;
  unblock(&before);
  return found;
}

void ip_catch_end(ip_environment *environment) {
  for (reader *one = any_of(environment); one != NULL; one = any_of(environment)) discard(one);
}

/* catchOpen(answer as Int32Array): a reader of no signal yet; its bell (an eventfd) and its id. */
static napi_value catch_open(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  static _Atomic int32_t ids;
  int32_t *answer = ip_array(env, args[0], napi_int32_array, 2, NULL);
  if (answer == NULL) return ip_result(env, -EFAULT);
  if (!ip_signals_are_ours()) return ip_result(env, -EBUSY);
  reader *made = calloc(1, sizeof *made);
  if (made == NULL) return ip_result(env, -ENOMEM);
  made->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int fd = made->bell < 0 ? -1 : fcntl(made->bell, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) {
    int error = errno;
    if (made->bell >= 0) close(made->bell);
    free(made);
    return ip_result(env, -error);
  }
  made->id = answer[1] = atomic_fetch_add(&ids, 1) + 1;
  made->environment = ip_environment_of(env);
  answer[0] = fd;
  ip_hold_descriptor(made->environment, fd);
  sigset_t before;
  block_all(&before);
  made->next = readers;
  readers = made;
  unblock(&before);
  return ip_result(env, 0);
}

/* catchSignal(id, signal). */
static napi_value catch_signal(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int number = ip_int32(env, args[1]);
  sigset_t before;
  block_all(&before);
  reader *to = find(ip_environment_of(env), ip_int32(env, args[0]));
  unblock(&before);
  if (to == NULL) return ip_result(env, -EBADF);
  if (number < 1 || number > STANDARD) return ip_result(env, -EINVAL);
  if ((to->wanted & BIT(number)) != 0) return ip_result(env, 0);
  block_all(&before);
  to->wanted |= BIT(number); /* first: none is missed from the moment the handler is there */
  unblock(&before);
  int failed = ip_disposition_begin(env, number);
  if (failed != 0) {
    block_all(&before);
    to->wanted &= ~BIT(number);
    unblock(&before);
  }
  return ip_result(env, failed);
}

/* guard is held. */
static size_t take(reader *from, struct signalfd_siginfo *records, size_t room) {
  size_t taken = 0;
  for (; taken < room && from->count > 0; taken++, from->count--) {
    records[taken] = from->records[from->first];
    from->first = (from->first + 1) % ROOM;
  }
  for (int number = 1; taken < room && from->coalesced != 0; number++) {
    if ((from->coalesced & BIT(number)) == 0) continue;
    from->coalesced &= ~BIT(number);
    records[taken++] = from->latest[number];
  }
  uint64_t rung;
  if (from->count == 0 && from->coalesced == 0) {
    ssize_t silenced = read(from->bell, &rung, sizeof rung);
    (void)silenced;
  }
  return taken;
}

/* catchTake(id, bytes): records of struct signalfd_siginfo, as many as fit; their length, -EAGAIN if there are none. */
static napi_value catch_take(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  size_t length = 0;
  uint8_t *bytes = ip_array(env, args[1], napi_uint8_array, sizeof(struct signalfd_siginfo), &length);
  if (bytes == NULL) return ip_result(env, -EFAULT);
  struct signalfd_siginfo records[64];
  size_t room = length / sizeof records[0], taken = 0;
  sigset_t before;
  block_all(&before);
  reader *from = find(ip_environment_of(env), ip_int32(env, args[0]));
  if (from != NULL) taken = take(from, records, room < 64 ? room : 64);
  unblock(&before);
  if (from == NULL) return ip_result(env, -EBADF);
  if (taken == 0) return ip_result(env, -EAGAIN);
  memcpy(bytes, records, taken * sizeof records[0]);
  return ip_result(env, (int64_t)(taken * sizeof records[0]));
}

/* catchClose(id): what it has not taken is forgotten. */
static napi_value catch_close(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  sigset_t before;
  block_all(&before);
  reader *gone = find(ip_environment_of(env), ip_int32(env, args[0]));
  unblock(&before);
  if (gone == NULL) return ip_result(env, -EBADF);
  discard(gone);
  return ip_result(env, 0);
}

const ip_function ip_catch_functions[] = {{"catchOpen", catch_open},
                                          {"catchSignal", catch_signal},
                                          {"catchTake", catch_take},
                                          {"catchClose", catch_close},
                                          {NULL, NULL}};
