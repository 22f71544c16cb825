/*
 * POSIX semaphores: sem_overview(7), those of libc, so that every program that links it can take part. A semaphore is 32
 * bytes of mapped memory; a named one is a file of just those bytes in /dev/shm, which is opened and mapped as any other.
 *
 * This file holds policy in two places: what a thread took for a worker that has ended meanwhile goes back, and a release of many
 * permits, which libc gives one by one, is one call.
 */
#include "interproc.h"

#include <semaphore.h>
#include <stdalign.h>
#include <stdlib.h>
#include <time.h>

_Static_assert(sizeof(sem_t) == 32 && alignof(sem_t) == 8, "src/sem says so");

/* The semaphore of a mapping at an offset, kept mapped until ip_mapping_release; NULL outside of it. */
static sem_t *semaphore_at(napi_env env, napi_value mapping, napi_value offset, ip_mapping **held) {
  if (ip_int64(env, offset) % (int64_t)alignof(sem_t) != 0) return NULL;
  return ip_mapping_bytes(env, mapping, offset, sizeof(sem_t), held);
}

/* semInit(mapping, offset, value): between processes. */
static napi_value sem_initialise(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  ip_mapping *held;
  sem_t *semaphore = semaphore_at(env, args[0], args[1], &held);
  if (semaphore == NULL) return ip_result(env, -EFAULT);
  napi_value answer = ip_answer(env, sem_init(semaphore, 1, ip_uint32(env, args[2])));
  ip_mapping_release(held);
  return answer;
}

/* semTrywait(mapping, offset): -EAGAIN if its value is 0. */
static napi_value sem_try(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  ip_mapping *held;
  sem_t *semaphore = semaphore_at(env, args[0], args[1], &held);
  if (semaphore == NULL) return ip_result(env, -EFAULT);
  napi_value answer = ip_answer(env, sem_trywait(semaphore));
  ip_mapping_release(held);
  return answer;
}

/* semClockwait(mapping, offset, timeout in ms): on the monotonic clock; waits for ever with a negative one. */
static napi_value sem_wait_here(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  double milliseconds = -1;
  napi_get_value_double(env, args[2], &milliseconds);
  ip_mapping *held;
  sem_t *semaphore = semaphore_at(env, args[0], args[1], &held);
  if (semaphore == NULL) return ip_result(env, -EFAULT);
  int waited;
  if (milliseconds < 0) {
    waited = sem_wait(semaphore);
  } else {
    const struct timespec time = ip_timespec(milliseconds);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += time.tv_sec + (until.tv_nsec + time.tv_nsec) / 1000000000;
    until.tv_nsec = (until.tv_nsec + time.tv_nsec) % 1000000000;
    waited = sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
  }
  napi_value answer = ip_answer(env, waited);
  ip_mapping_release(held);
  return answer;
}

/* semPost(mapping, offset, count): posts so often; how often before one failed, or -errno if the first did. */
static napi_value sem_release(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  ip_mapping *held;
  sem_t *semaphore = semaphore_at(env, args[0], args[1], &held);
  if (semaphore == NULL) return ip_result(env, -EFAULT);
  uint32_t wanted = ip_uint32(env, args[2]), posted = 0;
  int64_t result = 0;
  while (posted < wanted && result == 0) {
    if (sem_post(semaphore) < 0) result = -errno;
    else posted++;
  }
  ip_mapping_release(held);
  return ip_result(env, posted > 0 ? posted : result);
}

/* semGetvalue(mapping, offset) */
static napi_value sem_value(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  ip_mapping *held;
  sem_t *semaphore = semaphore_at(env, args[0], args[1], &held);
  if (semaphore == NULL) return ip_result(env, -EFAULT);
  int value = 0;
  int got = sem_getvalue(semaphore, &value);
  napi_value answer = ip_answer(env, got < 0 ? got : value);
  ip_mapping_release(held);
  return answer;
}

typedef struct {
  ip_call call;
  ip_mapping *held;
  sem_t *semaphore;
} blocked_wait;

static int64_t run_wait(ip_call *call) {
  return sem_wait(((blocked_wait *)call)->semaphore) < 0 ? -errno : 0;
}

/* Nobody is left to take it: it goes back. */
static void discard_wait(ip_call *call, int64_t result) {
  if (result >= 0) sem_post(((blocked_wait *)call)->semaphore);
}

static void release_wait(ip_call *call) { ip_mapping_release(((blocked_wait *)call)->held); }

/* blockingSemWait(token, mapping, offset): a thread waits until it has taken one. */
static napi_value sem_blocking_wait(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  blocked_wait *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return ip_result(env, -ENOMEM);
  wait->semaphore = semaphore_at(env, args[1], args[2], &wait->held);
  if (wait->semaphore == NULL) {
    free(wait);
    return ip_result(env, -EFAULT);
  }
  wait->call = (ip_call){.run = run_wait, .discard = discard_wait, .release = release_wait};
  return ip_block(env, args[0], &wait->call);
}

const ip_function ip_sem_functions[] = {{"semInit", sem_initialise},
                                        {"semTrywait", sem_try},
                                        {"semClockwait", sem_wait_here},
                                        {"semPost", sem_release},
                                        {"semGetvalue", sem_value},
                                        {"blockingSemWait", sem_blocking_wait},
                                        {NULL, NULL}};
