/* What can be asked of, and told about, the pages of a mapping: msync(2), madvise(2), mlock(2), mincore(2). */
#include "interproc.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The part of a mapping that (mapping, offset, length) at args[0] mean, kept mapped until ip_mapping_release. */
static void *part(napi_env env, napi_value *args, size_t *length, ip_mapping **held) {
  int64_t wanted = ip_int64(env, args[2]);
  if (wanted <= 0) return NULL;
  *length = (size_t)wanted;
  return ip_mapping_bytes(env, args[0], args[1], *length, held);
}

/* Makes one of these calls on the part, with one more argument. */
static napi_value call_on_part(napi_env env, napi_callback_info info, int (*call)(void *start, size_t length, int argument)) {
  IP_ARGUMENTS(4);
  size_t length;
  ip_mapping *held;
  void *start = part(env, args, &length, &held);
  if (start == NULL) return ip_result(env, -EFAULT);
  napi_value answer = ip_answer(env, call(start, length, ip_int32(env, args[3])));
  ip_mapping_release(held);
  return answer;
}

static int call_mlock(void *start, size_t length, int flags) { return mlock2(start, length, (unsigned)flags); }

static int call_munlock(void *start, size_t length, int unused) {
  (void)unused;
  return munlock(start, length);
}

/* msync(mapping, offset, length, flags) */
static napi_value pages_msync(napi_env env, napi_callback_info info) { return call_on_part(env, info, msync); }

/* madvise(mapping, offset, length, advice) */
static napi_value pages_madvise(napi_env env, napi_callback_info info) { return call_on_part(env, info, madvise); }

/* mlock(mapping, offset, length, flags): mlock2(2) */
static napi_value pages_mlock(napi_env env, napi_callback_info info) { return call_on_part(env, info, call_mlock); }

/* munlock(mapping, offset, length) */
static napi_value pages_munlock(napi_env env, napi_callback_info info) { return call_on_part(env, info, call_munlock); }

typedef struct {
  ip_call call;
  ip_mapping *held;
  void *start;
  size_t length;
  int flags;
} blocked_msync;

static int64_t run_msync(ip_call *call) {
  const blocked_msync *wanted = (const blocked_msync *)call;
  return msync(wanted->start, wanted->length, wanted->flags) < 0 ? -errno : 0;
}

static void release_msync(ip_call *call) { ip_mapping_release(((blocked_msync *)call)->held); }

/* blockingMsync(token, mapping, offset, length, flags): the disk is waited for on a thread of its own. */
static napi_value pages_blocking_msync(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  blocked_msync *wanted = calloc(1, sizeof *wanted);
  if (wanted == NULL) return ip_result(env, -ENOMEM);
  wanted->start = part(env, args + 1, &wanted->length, &wanted->held);
  if (wanted->start == NULL) {
    free(wanted);
    return ip_result(env, -EFAULT);
  }
  wanted->call = (ip_call){.run = run_msync, .release = release_msync};
  wanted->flags = ip_int32(env, args[4]);
  return ip_block(env, args[0], &wanted->call);
}

/* mincore(mapping, offset, length, pages): one byte of the array for each page, its lowest bit says whether it is in memory. */
static napi_value pages_mincore(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  size_t length;
  ip_mapping *held;
  void *start = part(env, args, &length, &held);
  if (start == NULL) return ip_result(env, -EFAULT);
  size_t page = (size_t)getpagesize();
  uint8_t *pages = ip_array(env, args[3], napi_uint8_array, (length + page - 1) / page, NULL);
  napi_value answer = pages == NULL ? ip_result(env, -EFAULT) : ip_answer(env, mincore(start, length, pages));
  ip_mapping_release(held);
  return answer;
}

/* pageSize(): bytes of an ordinary page, see sysconf(3). */
static napi_value pages_size(napi_env env, napi_callback_info info) {
  (void)info;
  return ip_result(env, getpagesize());
}

const ip_function ip_pages_functions[] = {{"msync", pages_msync},
                                          {"blockingMsync", pages_blocking_msync},
                                          {"madvise", pages_madvise},
                                          {"mlock", pages_mlock},
                                          {"munlock", pages_munlock},
                                          {"mincore", pages_mincore},
                                          {"pageSize", pages_size},
                                          {NULL, NULL}};
