/* The addon's entry: hands every file's functions to JavaScript, one set for each environment. */
#include "interproc.h"

#include <stdlib.h>
#include <string.h>

static const ip_function *const tables[] = {
    ip_descriptor_functions, ip_transfer_functions, ip_held_functions,    ip_file_functions,    ip_filelock_functions, ip_inotify_functions, ip_pipe_functions, ip_tap_functions, ip_splice_functions,
    ip_fifo_functions,       ip_unix_functions,    ip_mq_functions,      ip_sysv_functions,   ip_segment_functions, ip_semaphore_functions,
    ip_semset_functions,     ip_sem_functions,
    ip_memory_functions, ip_pages_functions, ip_guard_functions,
    ip_eventfd_functions,    ip_futex_functions, ip_robust_functions, ip_sleeping_functions,   ip_signal_functions,  ip_send_functions,  ip_catch_functions, ip_disposition_functions,   ip_timer_functions,
    ip_process_functions,    ip_peek_functions, ip_child_functions,   ip_reaper_functions,  ip_terminal_functions,
    ip_poller_functions,     ip_blocking_functions};

ip_environment *ip_environment_of(napi_env env) {
  void *environment = NULL;
  napi_get_instance_data(env, &environment);
  return environment;
}

int ip_path(napi_env env, napi_value value, char path[IP_PATH_SIZE]) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return -EINVAL;
  if (length >= IP_PATH_SIZE) return -ENAMETOOLONG;
  napi_get_value_string_utf8(env, value, path, IP_PATH_SIZE, &length);
  return memchr(path, '\0', length) == NULL ? 0 : -EINVAL;
}

static void forget_environment(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(((ip_environment *)data)->transfer);
  free(((ip_environment *)data)->rooms);
  free(data);
}

/* Runs after end_poller (poller.c), whose hook is younger: nothing of the environment may still be
   waited for by a thread, no signal may still be owned by it, no descriptor held. */
static void end_environment(void *data) {
  ip_environment *environment = data;
  ip_blocking_end(environment);
  ip_timers_end(environment);
  ip_catch_end(environment);
  ip_signals_release_all(environment);
  ip_children_end(environment);
  ip_semaphores_end(environment);
  ip_robust_end(environment);
  ip_close_held(environment);
  ip_record_files_end(environment); /* whose locks are gone now */
}

static napi_value start(napi_env env, napi_value exports) {
  ip_environment *environment = calloc(1, sizeof *environment);
  if (environment == NULL || napi_set_instance_data(env, environment, forget_environment, NULL) != napi_ok ||
      napi_add_env_cleanup_hook(env, end_environment, environment) != napi_ok) {
    napi_throw_error(env, "ENOMEM", "interproc: the addon could not be set up");
    return NULL;
  }
  for (size_t table = 0; table < sizeof tables / sizeof tables[0]; table++) {
    for (const ip_function *entry = tables[table]; entry->name != NULL; entry++) {
      napi_value function;
      napi_create_function(env, entry->name, NAPI_AUTO_LENGTH, entry->call, NULL, &function);
      napi_set_named_property(env, exports, entry->name, function);
    }
  }
  return exports;
}

NAPI_MODULE_INIT() { return start(env, exports); }
