/*
 * Standard signals, caught with what sigaction(2) tells of them, beside the handlers of libuv.
 *
 * libuv keeps a handler for each signal that somebody in the process watches, and forgets who sent
 * it. So ours lies over libuv's: it notes the siginfo for our readers and then calls libuv's, and
 * process.on() goes on as before. That libuv's handler is there and stays, whoever else stops
 * watching, is what a uv_signal_t of our own is for, one for each signal and environment: libuv
 * replaces the handler of a signal only for its first watcher and takes it away with the last.
 *
 * This file holds policy, because a signal handler can only be C: which of several wishes about a
 * signal (handle it, ignore it, restore its default) holds, and what comes back when one ends.
 *
 * The handler does only what signal-safety(7) allows. It blocks every signal, and so does whoever
 * else takes `guard`: so a thread that holds it is never interrupted by a handler that wants it.
 */
#include "interproc.h"
#include "uv_abi.h"

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

#define SIGNALS 64
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

enum wish { NONE, DEFAULT, IGNORE };

/* What the process wants of each signal; under wish_lock, but for `beneath`, which the handler reads. */
static pthread_mutex_t wish_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  int holders;                         /* who needs libuv's handler to stay: each reader, and a wish */
  int readers;
  enum wish wish, wish_before;         /* wish_before: in force again when the last reader leaves */
  bool installed;                      /* `action` is there, unless somebody replaced it */
  struct sigaction action;             /* what we have installed */
  struct sigaction base;               /* what was there before */
  struct sigaction before_libuv;       /* and before libuv's handler, if we made that come */
} state[SIGNALS + 1];
static struct {
  _Atomic uintptr_t handler; /* 0: nothing to call */
  atomic_bool takes_siginfo;
} beneath[STANDARD + 1];

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

static void caught(int number, siginfo_t *from, void *context) {
  int error = errno;
  lock_guard();
  for (reader *one = readers; one != NULL; one = one->next) {
    if ((one->wanted & BIT(number)) != 0) put(one, number, from);
  }
  unlock_guard();
  uintptr_t handler = atomic_load(&beneath[number].handler);
  if (handler != 0 && atomic_load(&beneath[number].takes_siginfo)) {
    ((void (*)(int, siginfo_t *, void *))handler)(number, from, context);
  } else if (handler != 0) {
    ((void (*)(int))handler)(number);
  }
  errno = error;
}

/* ---- which handler is there ---------------------------------------------------------------- */

static bool is_same(const struct sigaction *one, const struct sigaction *other) {
  return one->sa_handler == other->sa_handler && ((one->sa_flags ^ other->sa_flags) & SA_SIGINFO) == 0;
}

static bool is_ours(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == caught;
}

/* Node's own handler of SIGINT and SIGTERM restores the terminal and then does the default. */
static bool is_handler(const struct sigaction *action) {
  return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN &&
         (action->sa_flags & (int)SA_RESETHAND) == 0;
}

static void set_base(int number, const struct sigaction *base) {
  state[number].base = *base;
  if (number > STANDARD) return;
  atomic_store(&beneath[number].takes_siginfo, (base->sa_flags & SA_SIGINFO) != 0);
  atomic_store(&beneath[number].handler, is_handler(base) ? (uintptr_t)base->sa_handler : 0);
}

/* Looks what is there. What others put over our handler is theirs and stays: it may call ours. */
static void look(int number) {
  struct sigaction now;
  sigaction(number, NULL, &now);
  if (state[number].installed && (is_same(&now, &state[number].action) || is_ours(&state[number].action))) return;
  state[number].installed = false;
  set_base(number, &now);
}

static struct sigaction wished(int number) {
  struct sigaction action;
  if (state[number].wish == NONE && state[number].readers == 0) return state[number].base;
  memset(&action, 0, sizeof action);
  action.sa_handler = state[number].wish == IGNORE ? SIG_IGN : SIG_DFL;
  if (state[number].wish == NONE) {
    action.sa_sigaction = caught;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);
  }
  return action;
}

/* Makes it so, unless somebody else has put something over it since. */
static int apply(int number) {
  struct sigaction now, action = wished(number);
  if (sigaction(number, NULL, &now) < 0) return -errno;
  if (state[number].installed && !is_same(&now, &state[number].action)) return 0;
  if (!is_same(&now, &action) && sigaction(number, &action, NULL) < 0) return -errno;
  state[number].installed = state[number].wish != NONE || state[number].readers > 0;
  state[number].action = action;
  return 0;
}

/* ---- libuv's handler ----------------------------------------------------------------------- */

/* The watchers of one environment, by signal; made when they are needed, closed with it. */
struct ip_keeper {
  napi_async_cleanup_hook_handle cleanup;
  int open;
  int users[STANDARD + 1];
  uv_handle_t *watchers[STANDARD + 1];
};

static void on_signal(uv_handle_t *watcher, int number) {
  (void)watcher;
  (void)number;
}

static void on_closed(uv_handle_t *watcher) {
  struct ip_keeper *keeper = uv_handle_get_data(watcher);
  free(watcher);
  if (--keeper->open > 0) return;
  napi_async_cleanup_hook_handle cleanup = keeper->cleanup;
  free(keeper);
  napi_remove_async_cleanup_hook(cleanup);
}

/* Runs before end_environment (addon.c), whose hook is older. */
static void end_keeper(napi_async_cleanup_hook_handle cleanup, void *data) {
  ip_environment *environment = data;
  struct ip_keeper *keeper = environment->keeper;
  ip_catch_end(environment);
  environment->keeper = NULL;
  if (keeper->open == 0) {
    free(keeper);
    napi_remove_async_cleanup_hook(cleanup);
    return;
  }
  for (int number = 1; number <= STANDARD; number++) {
    if (keeper->watchers[number] != NULL) uv_close(keeper->watchers[number], on_closed);
  }
}

static struct ip_keeper *keeper_of(napi_env env) {
  ip_environment *environment = ip_environment_of(env);
  if (environment->keeper == NULL) {
    struct ip_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) return NULL;
    environment->keeper = keeper;
    napi_add_async_cleanup_hook(env, end_keeper, environment, &keeper->cleanup);
  }
  return environment->keeper;
}

static int keep_handler(napi_env env, int number) {
  struct uv_loop_s *loop = NULL;
  if (uv_signal_init == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok) return 0; /* no libuv: nothing to keep */
  struct ip_keeper *keeper = keeper_of(env);
  if (keeper == NULL) return -ENOMEM;
  if (keeper->users[number] == 0) {
    uv_handle_t *watcher = keeper->watchers[number];
    if (watcher == NULL) {
      watcher = calloc(1, uv_handle_size(UV_SIGNAL_TYPE));
      if (watcher == NULL) return -ENOMEM;
      int failed = uv_signal_init(loop, watcher);
      if (failed < 0) {
        free(watcher);
        return failed;
      }
      uv_handle_set_data(watcher, keeper);
      uv_unref(watcher);
      keeper->watchers[number] = watcher;
      keeper->open++;
    }
    int failed = uv_signal_start(watcher, on_signal, number);
    if (failed < 0) return failed;
  }
  keeper->users[number]++;
  return 0;
}

static void let_go_of_handler(ip_environment *environment, int number) {
  struct ip_keeper *keeper = environment->keeper;
  if (keeper == NULL || keeper->users[number] == 0 || --keeper->users[number] > 0) return;
  uv_signal_stop(keeper->watchers[number]);
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

/* wish_lock is held. From now on libuv's handler is beneath ours and stays, whoever else stops watching. */
static int hold_handler(napi_env env, int number) {
  look(number);
  struct sigaction before = state[number].base;
  int failed = keep_handler(env, number);
  if (failed != 0) return failed;
  look(number);
  if (state[number].holders++ == 0) state[number].before_libuv = before;
  return 0;
}

/* wish_lock is held. libuv takes its handler away with its last watcher and leaves the default, whatever
   was there before it; that comes back. */
static void leave_handler(ip_environment *environment, int number) {
  if (--state[number].holders > 0) {
    let_go_of_handler(environment, number);
    apply(number);
    return;
  }
  struct sigaction now;
  sigaction(number, NULL, &now);
  bool is_there = is_same(&now, &state[number].action);
  if (is_there) sigaction(number, &state[number].base, NULL);
  let_go_of_handler(environment, number);
  sigaction(number, NULL, &now);
  if (is_there && now.sa_handler == SIG_DFL) {
    /* If libuv's handler was there before us, whoever watched then has left meanwhile: the default is libuv's word. */
    bool was_there = is_same(&state[number].before_libuv, &state[number].base);
    set_base(number, was_there ? &now : &state[number].before_libuv);
    sigaction(number, &state[number].base, NULL);
  }
  state[number].installed = false;
  if (!is_there) return;
  look(number);
  apply(number);
}

/* wish_lock is held. */
static int begin(napi_env env, int number) {
  int failed = hold_handler(env, number);
  if (failed != 0) return failed;
  if (state[number].readers++ == 0) {
    state[number].wish_before = state[number].wish;
    state[number].wish = NONE;
  }
  failed = apply(number);
  if (failed == 0) return 0;
  state[number].readers--;
  leave_handler(ip_environment_of(env), number);
  return failed;
}

/* wish_lock is held. */
static void end(ip_environment *environment, int number) {
  if (--state[number].readers == 0 && state[number].wish == NONE) state[number].wish = state[number].wish_before;
  leave_handler(environment, number);
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
  pthread_mutex_lock(&wish_lock);
  for (int number = 1; number <= STANDARD; number++) {
    if ((gone->wanted & BIT(number)) != 0) end(gone->environment, number);
  }
  pthread_mutex_unlock(&wish_lock);
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
  pthread_mutex_lock(&wish_lock);
  block_all(&before);
  to->wanted |= BIT(number); /* first: none is missed from the moment the handler is there */
  unblock(&before);
  int failed = begin(env, number);
  if (failed != 0) {
    block_all(&before);
    to->wanted &= ~BIT(number);
    unblock(&before);
  }
  pthread_mutex_unlock(&wish_lock);
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

/* ---- dispositions -------------------------------------------------------------------------- */

/* wish_lock is held. Of a standard signal a wish needs libuv's handler beneath it: it would be gone with the first or the last
   watcher of somebody else otherwise, when libuv sets the handler or takes it away. */
static int set_wish(napi_env env, int number, enum wish *place, enum wish wish) {
  const enum wish before = *place;
  const bool begins = number <= STANDARD && before == NONE && wish != NONE;
  int failed = begins ? hold_handler(env, number) : 0;
  if (failed != 0) return failed;
  *place = wish;
  failed = apply(number);
  if (failed != 0) *place = before;
  if (failed != 0 ? begins : number <= STANDARD && before != NONE && wish == NONE) {
    leave_handler(ip_environment_of(env), number);
  }
  return failed;
}

/* signalWish(signal, wish): 0 none, 1 the default, 2 ignored, over whatever is there; answers the wish before. What is taken back
   while a reader covers it does not come again after that. */
static napi_value signal_wish(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int number = ip_int32(env, args[0]), wish = ip_int32(env, args[1]);
  if (number < 1 || number > SIGNALS || wish < NONE || wish > IGNORE) return ip_result(env, -EINVAL);
  if (!ip_signals_are_ours()) return ip_result(env, -EBUSY);
  pthread_mutex_lock(&wish_lock);
  look(number);
  bool is_covered = wish == NONE && state[number].readers > 0 && state[number].wish == NONE;
  enum wish *place = is_covered ? &state[number].wish_before : &state[number].wish;
  enum wish before = *place;
  int failed = set_wish(env, number, place, (enum wish)wish);
  pthread_mutex_unlock(&wish_lock);
  return ip_result(env, failed != 0 ? failed : (int)before);
}

/* signalDisposition(signal): 0 the default, 1 ignored, 2 a handler, or a receiver of the real-time signal. */
static napi_value signal_disposition(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  struct sigaction now;
  int number = ip_int32(env, args[0]);
  if (sigaction(number, NULL, &now) < 0) return ip_result(env, -errno);
  if (ip_signal_is_owned(number)) return ip_result(env, 2);
  return ip_result(env, now.sa_handler == SIG_IGN ? 1 : is_handler(&now) ? 2 : 0);
}

const ip_function ip_catch_functions[] = {{"catchOpen", catch_open},
                                          {"catchSignal", catch_signal},
                                          {"catchTake", catch_take},
                                          {"catchClose", catch_close},
                                          {"signalWish", signal_wish},
                                          {"signalDisposition", signal_disposition},
                                          {NULL, NULL}};
