/*
 * The two ways of waiting that interproc does not take, as small as they can be, for compare.ts:
 * a uv_poll_t for each descriptor, and a thread for each wait that posts to the loop.
 */
#include <node_api.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "../../native/uv_abi.h"

typedef struct {
  napi_env env;
  napi_ref callback;
  napi_async_context context;
} watcher;

static void tell(const watcher *told) {
  napi_handle_scope scope;
  napi_value callback, receiver;
  napi_open_handle_scope(told->env, &scope);
  napi_get_reference_value(told->env, told->callback, &callback);
  napi_get_global(told->env, &receiver);
  napi_make_callback(told->env, told->context, receiver, callback, 0, NULL, NULL);
  napi_close_handle_scope(told->env, scope);
}

static void on_readable(uv_handle_t *handle, int status, int events) {
  (void)events;
  if (status == 0) tell(uv_handle_get_data(handle));
}

/* watchEach(fd, callback): level-triggered, for as long as the process lives. */
static napi_value watch_each(napi_env env, napi_callback_info info) {
  napi_value args[2], name, resource;
  size_t count = 2;
  int32_t fd = -1;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  napi_get_value_int32(env, args[0], &fd);
  watcher *told = calloc(1, sizeof *told);
  struct uv_loop_s *loop = NULL;
  uv_handle_t *handle = calloc(1, uv_handle_size(UV_POLL_TYPE));
  if (told == NULL || handle == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok) abort();
  told->env = env;
  napi_create_reference(env, args[1], 1, &told->callback);
  napi_create_string_utf8(env, "each", NAPI_AUTO_LENGTH, &name);
  napi_create_object(env, &resource);
  napi_async_init(env, resource, name, &told->context);
  if (uv_poll_init(loop, handle, fd) != 0) abort();
  uv_handle_set_data(handle, told);
  uv_poll_start(handle, UV_READABLE_EVENT, on_readable);
  return NULL;
}

static napi_threadsafe_function post;

typedef struct {
  int fd;
  napi_ref callback;
} thread_wait;

static void on_posted(napi_env env, napi_value unused, void *context, void *data) {
  (void)unused;
  (void)context;
  thread_wait *wait = data;
  napi_value callback, receiver;
  napi_get_reference_value(env, wait->callback, &callback);
  napi_get_global(env, &receiver);
  napi_call_function(env, receiver, callback, 0, NULL, NULL);
  napi_delete_reference(env, wait->callback);
  free(wait);
}

static void *wait_in_thread(void *data) {
  thread_wait *wait = data;
  struct pollfd one = {.fd = wait->fd, .events = POLLIN};
  while (poll(&one, 1, -1) < 0) continue;
  napi_call_threadsafe_function(post, wait, napi_tsfn_blocking);
  return NULL;
}

/* waitInThread(fd, callback): a new thread, for this wait alone. */
static napi_value wait_thread(napi_env env, napi_callback_info info) {
  napi_value args[2], name;
  size_t count = 2;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  if (post == NULL) {
    napi_create_string_utf8(env, "thread", NAPI_AUTO_LENGTH, &name);
    napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, on_posted, &post);
  }
  thread_wait *wait = calloc(1, sizeof *wait);
  if (wait == NULL) abort();
  napi_get_value_int32(env, args[0], &wait->fd);
  napi_create_reference(env, args[1], 1, &wait->callback);
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 * 1024);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (pthread_create(&thread, &attributes, wait_in_thread, wait) != 0) abort();
  pthread_attr_destroy(&attributes);
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "watchEach", NAPI_AUTO_LENGTH, watch_each, NULL, &function);
  napi_set_named_property(env, exports, "watchEach", function);
  napi_create_function(env, "waitInThread", NAPI_AUTO_LENGTH, wait_thread, NULL, &function);
  napi_set_named_property(env, exports, "waitInThread", function);
  return exports;
}
