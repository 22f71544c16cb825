/* futex(2) on a word of a shared mapping: the shared form, not the private one, because the other
   side is another process. */
#include "interproc.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long futex_wait_word(uint32_t *word, uint32_t expected, const struct timespec *timeout) {
  return syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout, NULL, 0);
}

/* futexWake(mapping, offset, count): how many were woken. */
static napi_value futex_wake(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  ip_mapping *held;
  uint32_t *word = ip_mapping_word(env, args[0], args[1], &held);
  if (word == NULL) return ip_result(env, -EFAULT);
  long woken = syscall(SYS_futex, word, FUTEX_WAKE, ip_int32(env, args[2]), NULL, NULL, 0);
  napi_value answer = ip_answer(env, woken);
  ip_mapping_release(held);
  return answer;
}

/* futexWait(mapping, offset, expected, timeout in ms): 0 woken, -EAGAIN if the word differs,
   -ETIMEDOUT. FUTEX_WAIT's relative time-out is measured on CLOCK_MONOTONIC. */
static napi_value futex_wait(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  ip_mapping *held;
  uint32_t *word = ip_mapping_word(env, args[0], args[1], &held);
  if (word == NULL) return ip_result(env, -EFAULT);
  int32_t milliseconds = ip_int32(env, args[3]);
  struct timespec timeout = {.tv_sec = milliseconds / 1000, .tv_nsec = (milliseconds % 1000) * 1000000L};
  long waited = futex_wait_word(word, ip_uint32(env, args[2]), &timeout);
  napi_value answer = ip_answer(env, waited);
  ip_mapping_release(held);
  return answer;
}

typedef struct {
  ip_call call;
  ip_mapping *held;
  uint32_t *word;
  uint32_t expected;
} blocked_futex;

/* A word that has changed already (EAGAIN) is the same to the waiter as being woken. */
static int64_t run_futex(ip_call *call) {
  blocked_futex *wait = (blocked_futex *)call;
  if (futex_wait_word(wait->word, wait->expected, NULL) == 0 || errno == EAGAIN) return 0;
  return -errno;
}

static void release_futex(ip_call *call) { ip_mapping_release(((blocked_futex *)call)->held); }

/* blockingFutexWait(token, mapping, offset, expected): a thread waits while the word is `expected`. */
static napi_value futex_blocking_wait(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  blocked_futex *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return ip_result(env, -ENOMEM);
  wait->word = ip_mapping_word(env, args[1], args[2], &wait->held);
  if (wait->word == NULL) {
    free(wait);
    return ip_result(env, -EFAULT);
  }
  wait->call = (ip_call){.run = run_futex, .release = release_futex};
  wait->expected = ip_uint32(env, args[3]);
  return ip_block(env, args[0], &wait->call);
}

const ip_function ip_futex_functions[] = {{"futexWake", futex_wake},
                                          {"futexWait", futex_wait},
                                          {"blockingFutexWait", futex_blocking_wait},
                                          {NULL, NULL}};
