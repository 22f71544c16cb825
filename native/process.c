/* Processes: pidfd_open(2) and what a pidfd is good for, groups and sessions, prctl(2), and resource limits. */
#include "interproc.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same number on every architecture; glibc 2.34's headers may lack it */
#endif

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define MOST ((int64_t)9007199254740991)

static napi_value process_pidfd_open(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_descriptor(env, syscall(SYS_pidfd_open, ip_int32(env, args[0]), 0));
}

/* pidfdGetfd(pidfd, fd): a close-on-exec duplicate, which is the caller's own, as those that recvmsg(2) brings. */
static napi_value process_pidfd_getfd(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, syscall(SYS_pidfd_getfd, ip_int32(env, args[0]), ip_int32(env, args[1]), 0));
}

static napi_value process_getpgid(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_answer(env, getpgid(ip_int32(env, args[0])));
}

static napi_value process_setpgid(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, setpgid(ip_int32(env, args[0]), ip_int32(env, args[1])));
}

static napi_value process_getsid(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_answer(env, getsid(ip_int32(env, args[0])));
}

static napi_value process_set_subreaper(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_answer(env, prctl(PR_SET_CHILD_SUBREAPER, (long)ip_int32(env, args[0]), 0L, 0L, 0L));
}

static napi_value process_get_subreaper(napi_env env, napi_callback_info info) {
  (void)info;
  int is = 0;
  if (prctl(PR_GET_CHILD_SUBREAPER, &is, 0L, 0L, 0L) < 0) return ip_result(env, -errno);
  return ip_result(env, is);
}

/* getrlimit(resource): the soft limit; 2^53 - 1 stands for no limit. */
static napi_value process_getrlimit(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  struct rlimit limit;
  if (getrlimit((unsigned)ip_int32(env, args[0]), &limit) < 0) return ip_result(env, -errno);
  return ip_result(env, limit.rlim_cur > (rlim_t)MOST ? MOST : (int64_t)limit.rlim_cur);
}

const ip_function ip_process_functions[] = {
    {"pidfdOpen", process_pidfd_open},
    {"pidfdGetfd", process_pidfd_getfd},
    {"getpgid", process_getpgid},
    {"setpgid", process_setpgid},
    {"getsid", process_getsid},
    {"setSubreaper", process_set_subreaper},
    {"getSubreaper", process_get_subreaper},
    {"getrlimit", process_getrlimit},
    {NULL, NULL}};
