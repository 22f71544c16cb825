/* eventfd(2): a 64-bit counter in the kernel that can be waited for. */
#include "interproc.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static napi_value eventfd_create(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_descriptor(env, eventfd(ip_uint32(env, args[0]), ip_int32(env, args[1]) | EFD_CLOEXEC | EFD_NONBLOCK));
}

/* eventfdWrite(fd, n as bigint): adds n. */
static napi_value eventfd_add(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  uint64_t value;
  bool lossless = false;
  if (napi_get_value_bigint_uint64(env, args[1], &value, &lossless) != napi_ok || !lossless) {
    return ip_result(env, -EINVAL);
  }
  ssize_t written = write(ip_int32(env, args[0]), &value, sizeof value);
  return ip_answer(env, written < 0 ? -1 : 0);
}

/* eventfdRead(fd): the counter as bigint, or -errno as number. */
static napi_value eventfd_take(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  uint64_t value;
  if (read(ip_int32(env, args[0]), &value, sizeof value) < 0) return ip_result(env, -errno);
  napi_value result;
  napi_create_bigint_uint64(env, value, &result);
  return result;
}

/* eventfdRing(fd): adds 1, the shortest way to wake whoever waits. */
static napi_value eventfd_ring(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  const uint64_t one = 1;
  ssize_t written = write(ip_int32(env, args[0]), &one, sizeof one);
  return ip_answer(env, written < 0 ? -1 : 0);
}

/* eventfdReads(fd): an epoll(7) instance that tells of each time the counter is read, and at once if
   it has room. poll(2) would not do: it calls a counter writable that has room for 1. */
static napi_value eventfd_reads(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int reads = epoll_create1(EPOLL_CLOEXEC);
  if (reads < 0) return ip_result(env, -errno);
  struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
  if (epoll_ctl(reads, EPOLL_CTL_ADD, ip_int32(env, args[0]), &event) == 0) return ip_descriptor(env, reads);
  int failed = -errno;
  close(reads);
  return ip_result(env, failed);
}

/* eventfdAwaitRead(reads, timeout in ms): blocks this thread until the next one; 0 if it took too long. */
static napi_value eventfd_await_read(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  struct epoll_event event;
  return ip_answer(env, epoll_wait(ip_int32(env, args[0]), &event, 1, ip_int32(env, args[1])));
}

const ip_function ip_eventfd_functions[] = {{"eventfd", eventfd_create},
                                            {"eventfdWrite", eventfd_add},
                                            {"eventfdRead", eventfd_take},
                                            {"eventfdRing", eventfd_ring},
                                            {"eventfdReads", eventfd_reads},
                                            {"eventfdAwaitRead", eventfd_await_read},
                                            {NULL, NULL}};
