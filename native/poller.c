/*
 * How the event loop learns that a descriptor is ready or that a blocked call has returned.
 *
 * Each environment has one epoll descriptor of its own, and the loop watches only that one. So
 * interproc never competes with libuv for a descriptor, registers an edge-triggered doorbell (no
 * read to silence it), and hands JavaScript all that is ready in one call.
 *
 * The loop watches it with uv_poll_t, or, where a runtime has none (Bun) and where asked for, with
 * a thread that polls it and posts to the loop: twice the latency, the same behaviour
 * (docs/design/waiting.md has the figures).
 *
 * Policy in C, because only here it can be: an exception thrown by the callback becomes an
 * uncaughtException, and the environment's end waits for the handle to be closed.
 */
#include "interproc.h"
#include "uv_abi.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH 64
#define BLOCKING_TOKEN UINT64_MAX /* the event "a blocked call has returned" */

struct ip_poller {
  napi_env env;
  ip_environment *environment;
  int epoll;
  napi_ref callback, receiver;
  napi_async_context context;
  int32_t *ready; /* pairs of token and events, JavaScript's memory */
  size_t ready_pairs;
  napi_ref ready_array;
  napi_async_cleanup_hook_handle cleanup;

  uv_handle_t *handle; /* NULL in the form with a thread */

  napi_threadsafe_function post;
  pthread_t thread;
  sem_t handled;
  int stop_event;
  atomic_bool stopping;
  atomic_bool posted; /* a post is on its way and names this record */
  bool ended;         /* the environment ends: whoever comes last frees the record */
};

/* Tells JavaScript what is ready now. Of blocked calls it says only that some have returned:
   JavaScript collects them itself, so that where it cannot run any more (the worker is being
   terminated) their results stay, to be given back by ip_blocking_end. */
static void dispatch(struct ip_poller *poller) {
  struct epoll_event events[BATCH];
  size_t room = poller->ready_pairs < BATCH ? poller->ready_pairs : BATCH;
  int count = epoll_wait(poller->epoll, events, (int)room, 0);
  if (count <= 0) return;
  int32_t ready = 0, returned = 0;
  for (int index = 0; index < count; index++) {
    if (events[index].data.u64 == BLOCKING_TOKEN) {
      returned = 1;
    } else {
      poller->ready[2 * ready] = (int32_t)events[index].data.u64;
      poller->ready[2 * ready + 1] = (int32_t)events[index].events;
      ready++;
    }
  }
  napi_env env = poller->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback, receiver, counts[2];
  napi_get_reference_value(env, poller->callback, &callback);
  napi_get_reference_value(env, poller->receiver, &receiver);
  napi_create_int32(env, ready, &counts[0]);
  napi_create_int32(env, returned, &counts[1]);
  napi_status status = napi_make_callback(env, poller->context, receiver, callback, 2, counts, NULL);
  if (status == napi_pending_exception) {
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
  }
  napi_close_handle_scope(env, scope);
}

/* ---- the loop watches ---------------------------------------------------------------------- */

static void on_readable(uv_handle_t *handle, int status, int events) {
  (void)events;
  if (status == 0) dispatch(uv_handle_get_data(handle));
}

static void on_closed(uv_handle_t *handle) {
  struct ip_poller *poller = uv_handle_get_data(handle);
  napi_async_cleanup_hook_handle cleanup = poller->cleanup;
  close(poller->epoll);
  free(handle);
  free(poller);
  napi_remove_async_cleanup_hook(cleanup);
}

static int watch_with_loop(struct ip_poller *poller) {
  struct uv_loop_s *loop = NULL;
  if (uv_poll_init == NULL || napi_get_uv_event_loop(poller->env, &loop) != napi_ok) return -ENOSYS;
  poller->handle = calloc(1, uv_handle_size(UV_POLL_TYPE));
  if (poller->handle == NULL) return -ENOMEM;
  int failed = uv_poll_init(loop, poller->handle, poller->epoll);
  if (failed < 0) {
    free(poller->handle);
    poller->handle = NULL;
    return failed;
  }
  uv_handle_set_data(poller->handle, poller);
  uv_unref(poller->handle);
  return uv_poll_start(poller->handle, UV_READABLE_EVENT, on_readable);
}

/* ---- a thread watches ---------------------------------------------------------------------- */

static void on_posted(napi_env env, napi_value unused, void *context, void *data) {
  (void)unused;
  (void)data;
  struct ip_poller *poller = context;
  if (poller->ended) {
    free(poller);
    return;
  }
  atomic_store(&poller->posted, false);
  if (env != NULL) dispatch(poller);
  sem_post(&poller->handled);
}

static void *watch(void *argument) {
  struct ip_poller *poller = argument;
  struct pollfd watched[2] = {{.fd = poller->epoll, .events = POLLIN}, {.fd = poller->stop_event, .events = POLLIN}};
  while (!atomic_load(&poller->stopping)) {
    if (poll(watched, 2, -1) < 0 || (watched[0].revents & POLLIN) == 0) continue;
    atomic_store(&poller->posted, true);
    if (napi_call_threadsafe_function(poller->post, NULL, napi_tsfn_blocking) != napi_ok) {
      atomic_store(&poller->posted, false);
      break;
    }
    while (sem_wait(&poller->handled) < 0 && errno == EINTR) continue;
  }
  return NULL;
}

static int watch_with_thread(struct ip_poller *poller) {
  napi_value name;
  napi_create_string_utf8(poller->env, "interproc", NAPI_AUTO_LENGTH, &name);
  poller->stop_event = eventfd(0, EFD_CLOEXEC);
  if (poller->stop_event < 0) return -errno;
  sem_init(&poller->handled, 0, 0);
  int failed = ENOMEM;
  if (napi_create_threadsafe_function(poller->env, NULL, NULL, name, 0, 1, NULL, NULL, poller, on_posted,
                                      &poller->post) == napi_ok) {
    napi_unref_threadsafe_function(poller->env, poller->post);
    failed = pthread_create(&poller->thread, NULL, watch, poller);
    if (failed != 0) napi_release_threadsafe_function(poller->post, napi_tsfn_abort);
  }
  if (failed != 0) close(poller->stop_event);
  return -failed;
}

static void stop_thread(struct ip_poller *poller) {
  const uint64_t one = 1;
  atomic_store(&poller->stopping, true);
  ssize_t told = write(poller->stop_event, &one, sizeof one);
  (void)told;
  sem_post(&poller->handled);
  pthread_join(poller->thread, NULL);
  napi_release_threadsafe_function(poller->post, napi_tsfn_abort);
  close(poller->stop_event);
  close(poller->epoll);
}

/* ---- both ---------------------------------------------------------------------------------- */

static void let_go_of_callback(struct ip_poller *poller) {
  napi_ref references[] = {poller->callback, poller->receiver, poller->ready_array};
  for (size_t index = 0; index < sizeof references / sizeof references[0]; index++) {
    if (references[index] != NULL) napi_delete_reference(poller->env, references[index]);
  }
  if (poller->context != NULL) napi_async_destroy(poller->env, poller->context);
}

/* Runs before end_environment (addon.c), whose hook is older: the last is called first. */
static void end_poller(napi_async_cleanup_hook_handle cleanup, void *data) {
  struct ip_poller *poller = data;
  poller->environment->poller = NULL;
  let_go_of_callback(poller);
  if (poller->handle != NULL) {
    uv_poll_stop(poller->handle);
    uv_close(poller->handle, on_closed);
    return;
  }
  stop_thread(poller);
  if (atomic_load(&poller->posted)) {
    poller->ended = true; /* the post comes yet, without an environment, and frees the record */
  } else {
    free(poller);
  }
  napi_remove_async_cleanup_hook(cleanup);
}

static bool set_up_callback(struct ip_poller *poller, napi_value *args) {
  napi_env env = poller->env;
  napi_value name, receiver;
  size_t ready_length = 0;
  poller->ready = ip_array(env, args[2], napi_int32_array, 2, &ready_length);
  if (poller->ready == NULL) return false;
  poller->ready_pairs = ready_length / 2;
  napi_create_string_utf8(env, "INTERPROC", NAPI_AUTO_LENGTH, &name);
  napi_create_object(env, &receiver);
  return napi_create_reference(env, args[1], 1, &poller->callback) == napi_ok &&
         napi_create_reference(env, receiver, 1, &poller->receiver) == napi_ok &&
         napi_create_reference(env, args[2], 1, &poller->ready_array) == napi_ok &&
         napi_async_init(env, receiver, name, &poller->context) == napi_ok;
}

/* pollerOpen(withThread, callback, ready as Int32Array): once for each environment. The callback
   gets the number of pairs in `ready`, and 1 if there are results for collectBlocking. */
static napi_value poller_open(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  ip_environment *environment = ip_environment_of(env);
  if (environment->poller != NULL) return ip_result(env, -EBUSY);
  struct ip_poller *poller = calloc(1, sizeof *poller);
  if (poller == NULL) return ip_result(env, -ENOMEM);
  poller->env = env;
  poller->environment = environment;
  poller->epoll = epoll_create1(EPOLL_CLOEXEC);
  int failed = poller->epoll < 0 ? -errno : 0;
  if (failed == 0 && !set_up_callback(poller, args)) failed = -EINVAL;
  if (failed == 0) {
    struct epoll_event blocking = {.events = EPOLLIN, .data.u64 = BLOCKING_TOKEN};
    int event = ip_blocking_descriptor(environment);
    failed = event < 0 ? event : epoll_ctl(poller->epoll, EPOLL_CTL_ADD, event, &blocking) < 0 ? -errno : 0;
  }
  bool with_thread = false;
  napi_get_value_bool(env, args[0], &with_thread);
  if (failed == 0) failed = with_thread ? watch_with_thread(poller) : watch_with_loop(poller);
  if (failed != 0) {
    if (poller->epoll >= 0) close(poller->epoll);
    let_go_of_callback(poller);
    free(poller);
    return ip_result(env, failed);
  }
  environment->poller = poller;
  napi_add_async_cleanup_hook(env, end_poller, poller, &poller->cleanup);
  return ip_result(env, 0);
}

static napi_value control(napi_env env, int operation, int32_t fd, int32_t token, uint32_t events) {
  const struct ip_poller *poller = ip_environment_of(env)->poller;
  if (poller == NULL) return ip_result(env, -EBADF);
  struct epoll_event event = {.events = events, .data.u64 = (uint32_t)token};
  return ip_answer(env, epoll_ctl(poller->epoll, operation, fd, &event));
}

/* pollerAdd(fd, token, events), pollerModify(fd, token, events), pollerRemove(fd): epoll_ctl(2). */
static napi_value poller_add(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  return control(env, EPOLL_CTL_ADD, ip_int32(env, args[0]), ip_int32(env, args[1]), ip_uint32(env, args[2]));
}

static napi_value poller_modify(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  return control(env, EPOLL_CTL_MOD, ip_int32(env, args[0]), ip_int32(env, args[1]), ip_uint32(env, args[2]));
}

static napi_value poller_remove(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return control(env, EPOLL_CTL_DEL, ip_int32(env, args[0]), 0, 0);
}

/* pollerRef(keep): whether the poller keeps the process alive. */
static napi_value poller_ref(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  bool keep = false;
  napi_get_value_bool(env, args[0], &keep);
  const struct ip_poller *poller = ip_environment_of(env)->poller;
  if (poller == NULL) return ip_result(env, -EBADF);
  if (poller->handle != NULL) {
    (keep ? uv_ref : uv_unref)(poller->handle);
  } else if (keep) {
    napi_ref_threadsafe_function(env, poller->post);
  } else {
    napi_unref_threadsafe_function(env, poller->post);
  }
  return ip_result(env, 0);
}

const ip_function ip_poller_functions[] = {{"pollerOpen", poller_open},     {"pollerAdd", poller_add},
                                           {"pollerModify", poller_modify}, {"pollerRemove", poller_remove},
                                           {"pollerRef", poller_ref},       {NULL, NULL}};
