/* pipe2(2). Capacity is F_GETPIPE_SZ and F_SETPIPE_SZ, through fcntl(). */
#include "interproc.h"

#include <fcntl.h>
#include <unistd.h>

/* pipe2(ends, flags): the read end goes to ends[0], the write end to ends[1]. */
static napi_value pipe_pipe2(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int32_t *ends = ip_array(env, args[0], napi_int32_array, 2, NULL);
  if (ends == NULL) return ip_result(env, -EFAULT);
  int made[2];
  if (pipe2(made, ip_int32(env, args[1]) | O_CLOEXEC) < 0) return ip_result(env, -errno);
  for (int end = 0; end < 2; end++) {
    ip_hold_descriptor(ip_environment_of(env), made[end]);
    ends[end] = made[end];
  }
  return ip_result(env, 0);
}

const ip_function ip_pipe_functions[] = {{"pipe2", pipe_pipe2}, {NULL, NULL}};
