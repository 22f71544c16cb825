/* The memory of another process: process_vm_readv(2), process_vm_writev(2). */
#include "interproc.h"

#include <sys/uio.h>

/* args: pid, address as bigint, bytes, offset, length. One range here, one there; false where the range here would
   leave its array. */
static bool ranges(napi_env env, const napi_value *args, struct iovec *here, struct iovec *there) {
  uint8_t *bytes;
  size_t size;
  uint64_t address;
  bool exact;
  if (!ip_bytes(env, args[2], args[3], args[4], &bytes, &size) ||
      napi_get_value_bigint_uint64(env, args[1], &address, &exact) != napi_ok || !exact) {
    return false;
  }
  *here = (struct iovec){.iov_base = bytes, .iov_len = size};
  *there = (struct iovec){.iov_base = (void *)(uintptr_t)address, .iov_len = size}; /* means nothing here */
  return true;
}

/* processVmReadv(pid, address, bytes, offset, length): how many bytes were read, fewer where the rest is not mapped. */
static napi_value peek_readv(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  struct iovec here, there;
  if (!ranges(env, args, &here, &there)) return ip_result(env, -EFAULT);
  return ip_answer(env, process_vm_readv(ip_int32(env, args[0]), &here, 1, &there, 1, 0));
}

/* processVmWritev(pid, address, bytes, offset, length), likewise. */
static napi_value peek_writev(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  struct iovec here, there;
  if (!ranges(env, args, &here, &there)) return ip_result(env, -EFAULT);
  return ip_answer(env, process_vm_writev(ip_int32(env, args[0]), &here, 1, &there, 1, 0));
}

const ip_function ip_peek_functions[] = {
    {"processVmReadv", peek_readv}, {"processVmWritev", peek_writev}, {NULL, NULL}};
