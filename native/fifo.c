/* mkfifo(3) and mknod(2): names of FIFOs, sockets, devices and files in the file system. Opening one is open(2). */
#include "interproc.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

static napi_value fifo_mkfifo(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char path[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], path);
  return bad < 0 ? ip_result(env, bad) : ip_answer(env, mkfifo(path, (mode_t)ip_uint32(env, args[1])));
}

/* mknod(path, type and mode, major, minor): the last two are of devices. */
static napi_value fifo_mknod(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  char path[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], path);
  if (bad < 0) return ip_result(env, bad);
  dev_t device = makedev(ip_uint32(env, args[2]), ip_uint32(env, args[3]));
  return ip_answer(env, mknod(path, (mode_t)ip_uint32(env, args[1]), device));
}

const ip_function ip_fifo_functions[] = {{"mkfifo", fifo_mkfifo}, {"mknod", fifo_mknod}, {NULL, NULL}};
