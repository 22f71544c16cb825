/* Sending signals: kill(2), tgkill(2), raise(3), sigqueue(3), pidfd_send_signal(2). */
#include "interproc.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424 /* the same number on every architecture */
#endif

union sigval ip_signal_value(napi_env env, napi_value given) {
  union sigval value = {.sival_ptr = NULL};
  int64_t wide;
  bool lossless;
  if (napi_get_value_bigint_int64(env, given, &wide, &lossless) == napi_ok) {
    value.sival_ptr = (void *)(intptr_t)wide;
  } else {
    value.sival_int = ip_int32(env, given);
  }
  return value;
}

static napi_value send_kill(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, kill(ip_int32(env, args[0]), ip_int32(env, args[1])));
}

/* tgkill(pid, thread, signal). */
static napi_value send_tgkill(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  return ip_answer(env, syscall(SYS_tgkill, ip_int32(env, args[0]), ip_int32(env, args[1]), ip_int32(env, args[2])));
}

static napi_value send_raise(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_answer(env, syscall(SYS_tgkill, getpid(), gettid(), ip_int32(env, args[0])));
}

static napi_value send_sigqueue(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  return ip_answer(env, sigqueue(ip_int32(env, args[0]), ip_int32(env, args[1]), ip_signal_value(env, args[2])));
}

/* pidfdSendSignal(pidfd, signal) as kill does, pidfdSendSignal(pidfd, signal, value) as sigqueue does. */
static napi_value send_pidfd(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  siginfo_t from;
  napi_valuetype given = napi_undefined;
  napi_typeof(env, args[2], &given);
  memset(&from, 0, sizeof from);
  from.si_signo = ip_int32(env, args[1]);
  from.si_code = SI_QUEUE;
  from.si_pid = getpid();
  from.si_uid = getuid();
  if (given != napi_undefined) from.si_value = ip_signal_value(env, args[2]);
  return ip_answer(env, syscall(SYS_pidfd_send_signal, ip_int32(env, args[0]), from.si_signo,
                                given == napi_undefined ? NULL : &from, 0));
}

const ip_function ip_send_functions[] = {{"kill", send_kill},         {"tgkill", send_tgkill},
                                         {"raise", send_raise},       {"sigqueue", send_sigqueue},
                                         {"pidfdSendSignal", send_pidfd}, {NULL, NULL}};
