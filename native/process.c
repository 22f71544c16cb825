/* Processes: pidfd_open(2) and resource limits. */
#include "interproc.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same number on every architecture; glibc 2.34's headers may lack it */
#endif

#define MOST ((int64_t)9007199254740991)

static napi_value process_pidfd_open(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_descriptor(env, syscall(SYS_pidfd_open, ip_int32(env, args[0]), 0));
}

/* getrlimit(resource): the soft limit; 2^53 - 1 stands for no limit. */
static napi_value process_getrlimit(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  struct rlimit limit;
  if (getrlimit((unsigned)ip_int32(env, args[0]), &limit) < 0) return ip_result(env, -errno);
  return ip_result(env, limit.rlim_cur > (rlim_t)MOST ? MOST : (int64_t)limit.rlim_cur);
}

const ip_function ip_process_functions[] = {
    {"pidfdOpen", process_pidfd_open}, {"getrlimit", process_getrlimit}, {NULL, NULL}};
