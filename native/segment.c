/*
 * System V shared memory: shmget(2), shmop(2), shmctl(2). A segment is an id, no descriptor; what is attached is a
 * mapping like any other (memory.c).
 */
#include "interproc.h"

#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

/* shmget(key, size, flags): the id. What is no key is not taken for 0, which makes a segment. */
static napi_value segment_shmget(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  uint32_t key, flags;
  int64_t size = ip_int64(env, args[1]);
  if (napi_get_value_uint32(env, args[0], &key) != napi_ok || napi_get_value_uint32(env, args[2], &flags) != napi_ok ||
      size < 0) {
    return ip_result(env, -EINVAL);
  }
  return ip_answer(env, shmget((key_t)key, (size_t)size, (int)flags));
}

/* shmat(id, flags): a mapping, or -errno. Its length is asked for behind that: what is attached cannot go away, so it is
   the length of this segment, and not of another that had the same id before. Nobody can cut it. `flags` has SHM_RDONLY,
   or nothing. */
static napi_value segment_shmat(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int id = ip_int32(env, args[0]);
  int flags = ip_int32(env, args[1]);
  void *address = shmat(id, NULL, flags);
  if (address == (void *)-1) return ip_result(env, -errno);
  struct shmid_ds found;
  if (shmctl(id, IPC_STAT, &found) < 0) {
    int error = errno;
    shmdt(address);
    return ip_result(env, -error);
  }
  bool read_only = (flags & SHM_RDONLY) != 0;
  ip_memory_kind kind = {.protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE, .flags = MAP_SHARED, .segment = true};
  return ip_mapping_new(env, address, found.shm_segsz, kind);
}

/* shmctlStat(id, fields): uid, gid, cuid, cgid, mode with flags, key, size, how often it is attached, pids of the
   creator and of who attached or detached last, times of the last attach, detach and change in seconds. */
static napi_value segment_shmctl_stat(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int64_t *fields = ip_array(env, args[1], napi_bigint64_array, 13, NULL);
  if (fields == NULL) return ip_result(env, -EFAULT);
  struct shmid_ds found;
  if (shmctl(ip_int32(env, args[0]), IPC_STAT, &found) < 0) return ip_result(env, -errno);
  const struct ipc_perm *who = &found.shm_perm;
  const int64_t values[13] = {who->uid,
                              who->gid,
                              who->cuid,
                              who->cgid,
                              who->mode,
                              (uint32_t)who->__key,
                              (int64_t)found.shm_segsz,
                              (int64_t)found.shm_nattch,
                              found.shm_cpid,
                              found.shm_lpid,
                              found.shm_atime,
                              found.shm_dtime,
                              found.shm_ctime};
  memcpy(fields, values, sizeof values);
  return ip_result(env, 0);
}

/* shmctlSet(id, uid, gid, mode) */
static napi_value segment_shmctl_set(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  struct shmid_ds wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.shm_perm.uid = ip_uint32(env, args[1]);
  wanted.shm_perm.gid = ip_uint32(env, args[2]);
  wanted.shm_perm.mode = (unsigned short)ip_uint32(env, args[3]);
  return ip_answer(env, shmctl(ip_int32(env, args[0]), IPC_SET, &wanted));
}

/* shmctl(id, command): for commands without a struct: IPC_RMID, SHM_LOCK, SHM_UNLOCK. */
static napi_value segment_shmctl(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, shmctl(ip_int32(env, args[0]), ip_int32(env, args[1]), NULL));
}

const ip_function ip_segment_functions[] = {{"shmget", segment_shmget},
                                            {"shmat", segment_shmat},
                                            {"shmctlStat", segment_shmctl_stat},
                                            {"shmctlSet", segment_shmctl_set},
                                            {"shmctl", segment_shmctl},
                                            {NULL, NULL}};
