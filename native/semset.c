/*
 * System V semaphore sets: semget(2), semop(2), semctl(2). A set is an id, no descriptor, so nothing here can be polled.
 * Sets that serve as locks are in semaphore.c.
 *
 * This file holds policy in one place: what a thread did for a worker that has ended meanwhile is taken back.
 *
 * What is done to a set is an Int16Array: three words for each operation, as the kernel has them in struct sembuf.
 */
#include "interproc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

#define WORDS 3
_Static_assert(sizeof(struct sembuf) == WORDS * sizeof(int16_t), "an operation is three words of 16 bits");

/* What semctl(2) wants as its last argument, which no header declares. */
union argument {
  int value;
  struct semid_ds *status;
  unsigned short *values;
};

/* semget(key, count, flags): the id. What is no key is not taken for 0, which makes a set. */
static napi_value semset_get(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  uint32_t key;
  if (napi_get_value_uint32(env, args[0], &key) != napi_ok) return ip_result(env, -EINVAL);
  return ip_answer(env, semget((key_t)key, ip_int32(env, args[1]), ip_int32(env, args[2])));
}

/* semctlRemove(id) */
static napi_value semset_remove(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_answer(env, semctl(ip_int32(env, args[0]), 0, IPC_RMID));
}

/* The operations in an Int16Array; NULL if there are none. */
static struct sembuf *operations_of(napi_env env, napi_value array, size_t *count) {
  size_t words;
  struct sembuf *operations = ip_array(env, array, napi_int16_array, WORDS, &words);
  *count = operations == NULL ? 0 : words / WORDS;
  return operations;
}

/* semtimedop(id, operations, timeout in ms): waits for ever with a negative one. -EAGAIN when the time is over. */
static napi_value semset_semtimedop(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  size_t count;
  struct sembuf *operations = operations_of(env, args[1], &count);
  double milliseconds = -1;
  if (operations == NULL || napi_get_value_double(env, args[2], &milliseconds) != napi_ok) return ip_result(env, -EFAULT);
  struct timespec limit = ip_timespec(milliseconds);
  return ip_answer(env, semtimedop(ip_int32(env, args[0]), operations, count, milliseconds < 0 ? NULL : &limit));
}

/* semctl(id, index, command, value): the commands that take a number or nothing, and answer a number. */
static napi_value semset_semctl(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  int command = ip_int32(env, args[2]);
  if (command != GETVAL && command != SETVAL && command != GETPID && command != GETNCNT && command != GETZCNT) {
    return ip_result(env, -EINVAL);
  }
  union argument argument = {.value = ip_int32(env, args[3])};
  return ip_answer(env, semctl(ip_int32(env, args[0]), ip_int32(env, args[1]), command, argument));
}

/* semctlStat(id, fields): uid, gid, cuid, cgid, mode, key, semaphores, times of the last semop and of the last change in
   seconds. */
static napi_value semset_stat(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int64_t *fields = ip_array(env, args[1], napi_bigint64_array, 9, NULL);
  if (fields == NULL) return ip_result(env, -EFAULT);
  struct semid_ds found;
  union argument argument = {.status = &found};
  if (semctl(ip_int32(env, args[0]), 0, IPC_STAT, argument) < 0) return ip_result(env, -errno);
  const struct ipc_perm *who = &found.sem_perm;
  const int64_t values[9] = {who->uid,
                             who->gid,
                             who->cuid,
                             who->cgid,
                             who->mode,
                             (uint32_t)who->__key,
                             (int64_t)found.sem_nsems,
                             found.sem_otime,
                             found.sem_ctime};
  memcpy(fields, values, sizeof values);
  return ip_result(env, 0);
}

/* semctlSet(id, uid, gid, mode) */
static napi_value semset_set(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  struct semid_ds wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.sem_perm.uid = ip_uint32(env, args[1]);
  wanted.sem_perm.gid = ip_uint32(env, args[2]);
  wanted.sem_perm.mode = (unsigned short)ip_uint32(env, args[3]);
  union argument argument = {.status = &wanted};
  return ip_answer(env, semctl(ip_int32(env, args[0]), 0, IPC_SET, argument));
}

/* GETALL and SETALL touch as many words as the set has semaphores, and it has them to its end: they must fit. */
static napi_value all_values(napi_env env, napi_callback_info info, int command) {
  IP_ARGUMENTS(2);
  size_t length;
  unsigned short *values = ip_array(env, args[1], napi_uint16_array, 1, &length);
  if (values == NULL) return ip_result(env, -EFAULT);
  int id = ip_int32(env, args[0]);
  struct semid_ds found;
  union argument argument = {.status = &found};
  if (semctl(id, 0, IPC_STAT, argument) < 0) return ip_result(env, -errno);
  if (found.sem_nsems > length) return ip_result(env, -EFAULT);
  argument.values = values;
  return ip_answer(env, semctl(id, 0, command, argument));
}

/* semctlGetAll(id, values as Uint16Array) */
static napi_value semset_get_all(napi_env env, napi_callback_info info) { return all_values(env, info, GETALL); }

/* semctlSetAll(id, values as Uint16Array) */
static napi_value semset_set_all(napi_env env, napi_callback_info info) { return all_values(env, info, SETALL); }

/* ---- waiting -------------------------------------------------------------------------------- */

typedef struct {
  ip_call call;
  int id;
  size_t count;
  struct sembuf operations[];
} blocked_semop;

static int64_t run_semop(ip_call *call) {
  blocked_semop *wait = (blocked_semop *)call;
  return semop(wait->id, wait->operations, wait->count) < 0 ? -errno : 0;
}

/* Nobody is left to hear that it was done: it is taken back, as far as that does not have to wait. */
static void discard_semop(ip_call *call, int64_t result) {
  blocked_semop *wait = (blocked_semop *)call;
  if (result < 0) return;
  size_t count = 0;
  for (size_t index = 0; index < wait->count; index++) {
    struct sembuf done = wait->operations[index];
    if (done.sem_op == 0) continue;
    wait->operations[count++] = (struct sembuf){
        .sem_num = done.sem_num, .sem_op = (short)-done.sem_op, .sem_flg = (short)(done.sem_flg | IPC_NOWAIT)};
  }
  if (count > 0) semop(wait->id, wait->operations, count);
}

/* blockingSemop(token, id, operations): a thread makes a copy of them, waiting until all are possible. */
static napi_value semset_blocking_semop(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  size_t count;
  const struct sembuf *operations = operations_of(env, args[2], &count);
  if (operations == NULL) return ip_result(env, -EFAULT);
  blocked_semop *wait = malloc(sizeof *wait + count * sizeof *operations);
  if (wait == NULL) return ip_result(env, -ENOMEM);
  wait->call = (ip_call){.run = run_semop, .discard = discard_semop};
  wait->id = ip_int32(env, args[1]);
  wait->count = count;
  memcpy(wait->operations, operations, count * sizeof *operations);
  return ip_block(env, args[0], &wait->call);
}

const ip_function ip_semset_functions[] = {{"semget", semset_get},
                                           {"semctlRemove", semset_remove},
                                           {"semtimedop", semset_semtimedop},
                                           {"semctl", semset_semctl},
                                           {"semctlStat", semset_stat},
                                           {"semctlSet", semset_set},
                                           {"semctlGetAll", semset_get_all},
                                           {"semctlSetAll", semset_set_all},
                                           {"blockingSemop", semset_blocking_semop},
                                           {NULL, NULL}};
