/*
 * What the process does at a signal: sigaction(2), beside libuv, which does the same for process.on().
 *
 * libuv keeps a handler for each signal that somebody in the process watches, and forgets who sent it. So ours lies over libuv's,
 * and calls it (catch.c). That libuv's handler is there and stays, whoever else stops watching, is what a uv_signal_t of our own is
 * for, one for each signal and environment: libuv replaces the handler of a signal only for its first watcher and takes it away with
 * the last.
 *
 * This file holds policy, because a handler can only be C, and is there for the whole process: which of several wishes about a signal
 * (handle it, ignore it, restore its default) holds, and what comes back when one ends.
 */
#include "interproc.h"
#include "uv_abi.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SIGNALS 64
#define STANDARD 31

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

void ip_call_beneath(int number, siginfo_t *from, void *context) {
  uintptr_t handler = atomic_load(&beneath[number].handler);
  if (handler != 0 && atomic_load(&beneath[number].takes_siginfo)) {
    ((void (*)(int, siginfo_t *, void *))handler)(number, from, context);
  } else if (handler != 0) {
    ((void (*)(int))handler)(number);
  }
}

/* ---- which handler is there ---------------------------------------------------------------- */

static bool is_same(const struct sigaction *one, const struct sigaction *other) {
  return one->sa_handler == other->sa_handler && ((one->sa_flags ^ other->sa_flags) & SA_SIGINFO) == 0;
}

static bool is_ours(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == ip_caught;
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
    action.sa_sigaction = ip_caught;
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

/* ---- who wants what --------------------------------------------------------------------------- */

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

int ip_disposition_begin(napi_env env, int number) {
  pthread_mutex_lock(&wish_lock);
  int failed = begin(env, number);
  pthread_mutex_unlock(&wish_lock);
  return failed;
}

void ip_disposition_end(ip_environment *environment, int number) {
  pthread_mutex_lock(&wish_lock);
  end(environment, number);
  pthread_mutex_unlock(&wish_lock);
}

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

const ip_function ip_disposition_functions[] = {{"signalWish", signal_wish},
                                                {"signalDisposition", signal_disposition},
                                                {NULL, NULL}};
