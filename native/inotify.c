/* inotify(7): what happens to a file and its folder. Events are read with read(). */
#include "interproc.h"

#include <sys/inotify.h>

static napi_value inotify_start(napi_env env, napi_callback_info info) {
  (void)info;
  return ip_descriptor(env, inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
}

static napi_value inotify_watch(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  char path[IP_PATH_SIZE];
  int bad = ip_path(env, args[1], path);
  if (bad < 0) return ip_result(env, bad);
  return ip_answer(env, inotify_add_watch(ip_int32(env, args[0]), path, ip_uint32(env, args[2])));
}

static napi_value inotify_unwatch(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, inotify_rm_watch(ip_int32(env, args[0]), ip_int32(env, args[1])));
}

const ip_function ip_inotify_functions[] = {{"inotifyInit", inotify_start},
                                            {"inotifyAddWatch", inotify_watch},
                                            {"inotifyRmWatch", inotify_unwatch},
                                            {NULL, NULL}};
