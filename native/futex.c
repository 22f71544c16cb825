/* futex(2) on a word of a shared mapping: the shared form, not the private one, because the other
   side is another process. */
#include "interproc.h"
#include "futex.h"

#include <stdlib.h>
#include <time.h>

static long futex_wait_word(uint32_t *word, uint32_t expected, const struct timespec *timeout) {
  return syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout, NULL, 0);
}

/* futexWake(mapping, offset, count): how many were woken. */
static napi_value futex_wake(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  ip_mapping *held;
  uint32_t *word = ip_mapping_word(env, args[0], args[1], &held);
  if (word == NULL) return ip_result(env, -EFAULT);
  long woken = ip_futex_wake(word, ip_int32(env, args[2]));
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

/* 0: woken; 1: the word has changed already (EAGAIN), which is no failure. */
static int64_t run_futex(ip_call *call) {
  blocked_futex *wait = (blocked_futex *)call;
  if (futex_wait_word(wait->word, wait->expected, NULL) == 0) return 0;
  return errno == EAGAIN ? 1 : -errno;
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

typedef struct {
  ip_call call;
  uint32_t count;
  ip_mapping *held[IP_MOST_WORDS];
  ip_waited_word words[IP_MOST_WORDS];
} blocked_futexes;

/* The index of the word that was woken; -EAGAIN if one has changed already. */
static int64_t run_futexes(ip_call *call) {
  blocked_futexes *wait = (blocked_futexes *)call;
  long woken = syscall(SYS_futex_waitv, wait->words, wait->count, 0, NULL, 0);
  return woken < 0 ? -errno : woken;
}

static void release_futexes(ip_call *call) {
  blocked_futexes *wait = (blocked_futexes *)call;
  for (uint32_t word = 0; word < wait->count; word++) ip_mapping_release(wait->held[word]);
}

/* blockingFutexWaitMany(token, mappings, offsets as Float64Array, expected as Uint32Array): a thread waits while each word is
   what is expected of it. */
static napi_value futex_blocking_wait_many(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  uint32_t count = 0;
  if (napi_get_array_length(env, args[1], &count) != napi_ok || count == 0 || count > IP_MOST_WORDS) return ip_result(env, -EINVAL);
  const double *offsets = ip_array(env, args[2], napi_float64_array, count, NULL);
  const uint32_t *expected = ip_array(env, args[3], napi_uint32_array, count, NULL);
  if (offsets == NULL || expected == NULL) return ip_result(env, -EFAULT);
  blocked_futexes *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return ip_result(env, -ENOMEM);
  wait->call = (ip_call){.run = run_futexes, .release = release_futexes};
  for (uint32_t index = 0; index < count; index++) {
    napi_value mapping, offset;
    napi_get_element(env, args[1], index, &mapping);
    napi_create_double(env, offsets[index], &offset);
    uint32_t *word = ip_mapping_word(env, mapping, offset, &wait->held[index]);
    if (word == NULL) {
      release_futexes(&wait->call);
      free(wait);
      return ip_result(env, -EFAULT);
    }
    wait->words[index] = (ip_waited_word){.expected = expected[index], .address = (uintptr_t)word, .flags = IP_WORD_IS_32_BITS};
    wait->count = index + 1;
  }
  return ip_block(env, args[0], &wait->call);
}

const ip_function ip_futex_functions[] = {{"futexWake", futex_wake},
                                          {"futexWait", futex_wait},
                                          {"blockingFutexWait", futex_blocking_wait},
                                          {"blockingFutexWaitMany", futex_blocking_wait_many},
                                          {NULL, NULL}};
