/*
 * read(2), write(2), mq_receive(3) and mq_send(3) with their arguments in memory.
 *
 * A call through Node-API costs 6 ns, each number 10 more, an array 20, and the result something, too: for a pipe that
 * is a third of what the kernel takes. Who transfers the same array again and again says so once, by keepBytes(); then a
 * call has no argument. The descriptor, the priority and the result stand in words that both sides see. The
 * addresses of the arrays are seen by nobody but this file.
 *
 * C has to rely on kept memory being there still. JavaScript holds the array, so it is not collected, and calls only
 * while the array has the length that it had: one that is detached has length 0 (src/sys/kept.ts).
 */
#include "interproc.h"

#include <mqueue.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DESCRIPTOR = 0, RESULT = 0, PRIORITY = 1, WORDS = 2 };
enum { INTO = 0, FROM = 1 };

typedef struct {
  uint8_t *bytes;
  size_t size;
} kept;

struct ip_transfer {
  int32_t *words;
  kept arrays[2];
};

/* keptWords(words): an Int32Array outside of V8's heap, which JavaScript never lets go of. */
static napi_value transfer_words(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  ip_environment *environment = ip_environment_of(env);
  int32_t *words = ip_array(env, args[0], napi_int32_array, WORDS, NULL);
  if (words == NULL) return ip_result(env, -EFAULT);
  if (environment->transfer == NULL) environment->transfer = calloc(1, sizeof *environment->transfer);
  if (environment->transfer == NULL) return ip_result(env, -ENOMEM);
  environment->transfer->words = words;
  return ip_result(env, 0);
}

/* keepBytes(INTO or FROM, bytes): from now on it is the array of the calls of that direction. */
static napi_value transfer_keep(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  struct ip_transfer *transfer = ip_environment_of(env)->transfer;
  if (transfer == NULL) return ip_result(env, -EFAULT);
  size_t size;
  uint8_t *bytes = ip_array(env, args[1], napi_uint8_array, 1, &size);
  if (bytes == NULL) return ip_result(env, -EFAULT);
  transfer->arrays[ip_int32(env, args[0]) == FROM ? FROM : INTO] = (kept){bytes, size};
  return ip_result(env, 0);
}

static inline void answer(struct ip_transfer *transfer, int64_t returned) {
  transfer->words[RESULT] = (int32_t)(returned < 0 ? -errno : returned);
}

/* By syscall(2), as in descriptor.c. */
static napi_value transfer_read(napi_env env, napi_callback_info info) {
  (void)info;
  struct ip_transfer *transfer = ip_environment_of(env)->transfer;
  if (transfer == NULL) return ip_result(env, -EFAULT);
  const kept *into = &transfer->arrays[INTO];
  answer(transfer, syscall(SYS_read, transfer->words[DESCRIPTOR], into->bytes, into->size));
  return NULL;
}

static napi_value transfer_write(napi_env env, napi_callback_info info) {
  (void)info;
  struct ip_transfer *transfer = ip_environment_of(env)->transfer;
  if (transfer == NULL) return ip_result(env, -EFAULT);
  const kept *from = &transfer->arrays[FROM];
  answer(transfer, syscall(SYS_write, transfer->words[DESCRIPTOR], from->bytes, from->size));
  return NULL;
}

/* With no time-out these are what libc's functions of that name call, without their cancellation point. */
static napi_value transfer_mq_receive(napi_env env, napi_callback_info info) {
  (void)info;
  struct ip_transfer *transfer = ip_environment_of(env)->transfer;
  if (transfer == NULL) return ip_result(env, -EFAULT);
  const kept *into = &transfer->arrays[INTO];
  unsigned int priority = 0;
  int32_t queue = transfer->words[DESCRIPTOR];
  answer(transfer, syscall(SYS_mq_timedreceive, queue, into->bytes, into->size, &priority, NULL));
  transfer->words[PRIORITY] = (int32_t)priority;
  return NULL;
}

static napi_value transfer_mq_send(napi_env env, napi_callback_info info) {
  (void)info;
  struct ip_transfer *transfer = ip_environment_of(env)->transfer;
  if (transfer == NULL) return ip_result(env, -EFAULT);
  const kept *from = &transfer->arrays[FROM];
  unsigned int priority = (unsigned int)transfer->words[PRIORITY];
  answer(transfer, syscall(SYS_mq_timedsend, transfer->words[DESCRIPTOR], from->bytes, from->size, priority, NULL));
  return NULL;
}

const ip_function ip_transfer_functions[] = {{"keptWords", transfer_words},
                                             {"keepBytes", transfer_keep},
                                             {"readKept", transfer_read},
                                             {"writeKept", transfer_write},
                                             {"mqReceiveKept", transfer_mq_receive},
                                             {"mqSendKept", transfer_mq_send},
                                             {NULL, NULL}};
