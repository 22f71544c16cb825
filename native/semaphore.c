/*
 * System V semaphores as locks that end with their owner: semop(2) with SEM_UNDO.
 *
 * A semaphore of 0 is free. Who holds it has added 1, and the kernel takes that back when the process ends, however it does. A worker is no
 * process, so what an environment holds is noted here and given back when it ends.
 */
#include "interproc.h"

#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/sem.h>

struct ip_held_semaphore {
  int id;
  unsigned short index;
  struct ip_held_semaphore *next;
};

/* Waits for 0, and adds 1 in the same step, so that one of several gets it. */
static int hold(int id, unsigned short index, short flags) {
  struct sembuf steps[] = {{.sem_num = index, .sem_op = 0, .sem_flg = flags},
                           {.sem_num = index, .sem_op = 1, .sem_flg = (short)(flags | SEM_UNDO)}};
  return semop(id, steps, 2);
}

static void give_back(int id, unsigned short index) {
  struct sembuf step = {.sem_num = index, .sem_op = -1, .sem_flg = SEM_UNDO | IPC_NOWAIT};
  semop(id, &step, 1);
}

/* A blocked wait: for 0, or to hold it. */
typedef struct {
  ip_call call;
  int id;
  unsigned short index;
  struct ip_held_semaphore *note; /* of the one that holds it; NULL once the environment has it */
} blocked_semaphore;

static int64_t run_hold(ip_call *call) {
  const blocked_semaphore *wanted = (const blocked_semaphore *)call;
  return hold(wanted->id, wanted->index, 0) < 0 ? -errno : 0;
}

static void discard_hold(ip_call *call, int64_t result) {
  const blocked_semaphore *wanted = (const blocked_semaphore *)call;
  if (result >= 0) give_back(wanted->id, wanted->index);
}

/* Before JavaScript hears of it: a worker that is ended in between would have it for ever. */
static void keep_hold(ip_environment *environment, ip_call *call, int64_t result) {
  blocked_semaphore *wanted = (blocked_semaphore *)call;
  if (result < 0) return;
  *wanted->note = (struct ip_held_semaphore){.id = wanted->id, .index = wanted->index, .next = environment->held_semaphores};
  environment->held_semaphores = wanted->note;
  wanted->note = NULL;
}

static void release_note(ip_call *call) { free(((blocked_semaphore *)call)->note); }

static int64_t run_zero(ip_call *call) {
  const blocked_semaphore *wanted = (const blocked_semaphore *)call;
  struct sembuf step = {.sem_num = wanted->index};
  return semop(wanted->id, &step, 1) < 0 ? -errno : 0;
}

static napi_value block(napi_env env, napi_value *args, ip_call call) {
  blocked_semaphore *wanted = calloc(1, sizeof *wanted);
  if (wanted == NULL) return ip_result(env, -ENOMEM);
  if (call.keep != NULL && (wanted->note = malloc(sizeof *wanted->note)) == NULL) {
    free(wanted);
    return ip_result(env, -ENOMEM);
  }
  wanted->call = call;
  wanted->id = ip_int32(env, args[1]);
  wanted->index = (unsigned short)ip_uint32(env, args[2]);
  return ip_block(env, args[0], &wanted->call);
}

/* blockingSemaphoreHold(token, id, index): waits for it and holds it for this environment. */
static napi_value semaphore_blocking_hold(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  return block(env, args, (ip_call){.run = run_hold, .discard = discard_hold, .keep = keep_hold, .release = release_note});
}

/* blockingSemaphoreZero(token, id, index): waits until nobody holds it. */
static napi_value semaphore_blocking_zero(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  return block(env, args, (ip_call){.run = run_zero});
}

static bool note(ip_environment *environment, int id, unsigned short index) {
  struct ip_held_semaphore *held = malloc(sizeof *held);
  if (held == NULL) return false;
  *held = (struct ip_held_semaphore){.id = id, .index = index, .next = environment->held_semaphores};
  environment->held_semaphores = held;
  return true;
}

/* semaphoreHold(id, index): holds it at once, or -EAGAIN. */
static napi_value semaphore_hold(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int id = ip_int32(env, args[0]);
  unsigned short index = (unsigned short)ip_uint32(env, args[1]);
  if (hold(id, index, IPC_NOWAIT) < 0) return ip_result(env, -errno);
  if (note(ip_environment_of(env), id, index)) return ip_result(env, 0);
  give_back(id, index);
  return ip_result(env, -ENOMEM);
}

/* semaphoreGive(id, index): gives it back, if this environment holds it. */
static napi_value semaphore_give(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int id = ip_int32(env, args[0]);
  unsigned short index = (unsigned short)ip_uint32(env, args[1]);
  struct ip_held_semaphore **link = &ip_environment_of(env)->held_semaphores;
  while (*link != NULL && ((*link)->id != id || (*link)->index != index)) link = &(*link)->next;
  if (*link == NULL) return ip_result(env, -ENOENT);
  struct ip_held_semaphore *held = *link;
  *link = held->next;
  free(held);
  give_back(id, index);
  return ip_result(env, 0);
}

void ip_semaphores_end(ip_environment *environment) {
  while (environment->held_semaphores != NULL) {
    struct ip_held_semaphore *held = environment->held_semaphores;
    environment->held_semaphores = held->next;
    give_back(held->id, held->index);
    free(held);
  }
}

const ip_function ip_semaphore_functions[] = {{"semaphoreHold", semaphore_hold},
                                              {"semaphoreGive", semaphore_give},
                                              {"blockingSemaphoreHold", semaphore_blocking_hold},
                                              {"blockingSemaphoreZero", semaphore_blocking_zero},
                                              {NULL, NULL}};
