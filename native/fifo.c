/* mkfifo(3): the name of a FIFO in the file system. Opening it is open(2). */
#include "interproc.h"

#include <sys/stat.h>

static napi_value fifo_mkfifo(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char path[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], path);
  return bad < 0 ? ip_result(env, bad) : ip_answer(env, mkfifo(path, (mode_t)ip_uint32(env, args[1])));
}

const ip_function ip_fifo_functions[] = {{"mkfifo", fifo_mkfifo}, {NULL, NULL}};
