/* Moving bytes from descriptor to descriptor inside the kernel: splice(2), tee(2); and from mapped memory into a pipe: vmsplice(2). */
#include "interproc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct {
  ip_call call;
  int from, to; /* duplicates */
  int64_t from_offset, to_offset; /* -1: where the descriptor is */
  size_t length;
  unsigned flags;
} moving;

static int64_t move(const moving *what) {
  loff_t from = what->from_offset, to = what->to_offset;
  ssize_t moved = splice(what->from, from < 0 ? NULL : &from, what->to, to < 0 ? NULL : &to, what->length, what->flags);
  return moved < 0 ? -errno : moved;
}

static moving read_moving(napi_env env, const napi_value *args) {
  return (moving){.from = ip_int32(env, args[0]),
                  .from_offset = ip_int64(env, args[1]),
                  .to = ip_int32(env, args[2]),
                  .to_offset = ip_int64(env, args[3]),
                  .length = ip_uint32(env, args[4]),
                  .flags = ip_uint32(env, args[5])};
}

/* splice(from, offset or -1, to, offset or -1, length, flags) */
static napi_value splice_splice(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(6);
  moving what = read_moving(env, args);
  return ip_result(env, move(&what));
}

static int64_t run_moving(ip_call *call) { return move((const moving *)call); }

static void release_moving(ip_call *call) {
  moving *what = (moving *)call;
  if (what->from >= 0) close(what->from);
  if (what->to >= 0) close(what->to);
}

/* blockingSplice(token, from, offset or -1, to, offset or -1, length, flags): on a thread, for files, which cannot be polled. On
   duplicates, so that closing one meanwhile cannot lead it to another file. */
static napi_value splice_blocking(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(7);
  moving *what = calloc(1, sizeof *what);
  if (what == NULL) return ip_result(env, -ENOMEM);
  *what = read_moving(env, args + 1);
  what->call = (ip_call){.run = run_moving, .release = release_moving};
  what->from = fcntl(what->from, F_DUPFD_CLOEXEC, 0);
  int failed = what->from < 0 ? -errno : 0;
  what->to = failed < 0 ? -1 : fcntl(what->to, F_DUPFD_CLOEXEC, 0);
  if (failed == 0 && what->to < 0) failed = -errno;
  if (failed == 0) return ip_block(env, args[0], &what->call);
  release_moving(&what->call);
  free(what);
  return ip_result(env, failed);
}

/* tee(from, to, length, flags): both are pipes, and what is in the first stays there. */
static napi_value splice_tee(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  return ip_answer(env, tee(ip_int32(env, args[0]), ip_int32(env, args[1]), ip_uint32(env, args[2]), ip_uint32(env, args[3])));
}

/* vmsplice(pipe, mapping, offset, length, flags): the pages themselves go into the pipe. */
static napi_value splice_vmsplice(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  ip_mapping *held;
  size_t length = ip_uint32(env, args[3]);
  void *bytes = ip_mapping_bytes(env, args[1], args[2], length, &held);
  if (bytes == NULL) return ip_result(env, -EFAULT);
  const struct iovec part = {.iov_base = bytes, .iov_len = length};
  napi_value answer = ip_answer(env, vmsplice(ip_int32(env, args[0]), &part, 1, ip_uint32(env, args[4])));
  ip_mapping_release(held);
  return answer;
}

const ip_function ip_splice_functions[] = {{"splice", splice_splice},
                                           {"blockingSplice", splice_blocking},
                                           {"tee", splice_tee},
                                           {"vmsplice", splice_vmsplice},
                                           {NULL, NULL}};
