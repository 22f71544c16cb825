/*
 * Memory of this process that others share: memfd_create(2), mmap(2), munmap(2).
 *
 * A mapping has one ArrayBuffer in each environment that made it. It is unmapped when nobody can
 * reach it any more: `users` counts the buffer (until it is detached by close, or collected) and
 * the threads that wait on a word of it. So a view that is still alive never points to unmapped
 * memory, whatever the order of close(), transfer() and garbage collection.
 */
#include "interproc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>

struct ip_mapping {
  void *address;
  size_t length;
  int guard;             /* slot of guard.c, negative for memory that nobody can cut */
  atomic_int users;      /* reasons to keep the memory mapped */
  atomic_int references; /* reasons to keep this record */
  bool making_buffer;
  bool buffer_made;
  bool buffer_done; /* the buffer is no longer a user */
  bool closed;
  bool segment;
};

static void unmap(void *address, size_t length, bool segment) {
  if (segment) {
    shmdt(address);
  } else {
    munmap(address, length);
  }
}

/* One more user, unless the memory is unmapped already: its buffer was moved away by transfer() and
   has been collected, though nobody has called close(). */
static bool add_user(ip_mapping *mapping) {
  int users = atomic_load(&mapping->users);
  while (users > 0) {
    if (atomic_compare_exchange_weak(&mapping->users, &users, users + 1)) return true;
  }
  return false;
}

static void drop_user(ip_mapping *mapping) {
  if (atomic_fetch_sub(&mapping->users, 1) != 1) return;
  ip_unguard(mapping->guard);
  unmap(mapping->address, mapping->length, mapping->segment);
}

static void drop_reference(ip_mapping *mapping) {
  if (atomic_fetch_sub(&mapping->references, 1) == 1) free(mapping);
}

static void external_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  ip_mapping *mapping = data;
  if (!mapping->buffer_made && !mapping->closed) drop_user(mapping);
  drop_reference(mapping);
}

static void buffer_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  ip_mapping *mapping = hint;
  if (mapping->making_buffer) return; /* Node 20 calls this, too, when it refuses a buffer over 4 GiB */
  if (!mapping->buffer_done) drop_user(mapping);
  drop_reference(mapping);
}

static ip_mapping *mapping_of(napi_env env, napi_value value) {
  void *mapping = NULL;
  return napi_get_value_external(env, value, &mapping) == napi_ok ? mapping : NULL;
}

napi_value ip_mapping_new(napi_env env, void *address, size_t length, ip_memory_kind kind) {
  ip_mapping *mapping = calloc(1, sizeof *mapping);
  napi_value external;
  if (mapping == NULL || napi_create_external(env, mapping, external_collected, NULL, &external) != napi_ok) {
    unmap(address, length, kind.segment);
    free(mapping);
    return ip_result(env, -ENOMEM);
  }
  mapping->address = address;
  mapping->length = length;
  mapping->segment = kind.segment;
  mapping->guard = kind.page == 0 ? -1 : ip_guard(address, length);
  atomic_init(&mapping->users, 1);
  atomic_init(&mapping->references, 1);
  return external;
}

/* mmap(fd, offset, length, protection, flags): a mapping, or -errno. With a file behind it, a fault
   in it is caught: see guard.c. */
static napi_value memory_mmap(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  int64_t length = ip_int64(env, args[2]);
  if (length <= 0) return ip_result(env, -EINVAL);
  void *address = mmap(NULL, (size_t)length, ip_int32(env, args[3]), ip_int32(env, args[4]),
                       ip_int32(env, args[0]), ip_int64(env, args[1]));
  if (address == MAP_FAILED) return ip_result(env, -errno);
  ip_memory_kind kind = {.page = ip_int32(env, args[0]) < 0 ? 0 : 4096};
  return ip_mapping_new(env, address, (size_t)length, kind);
}

/* mappingBuffer(mapping): its ArrayBuffer, made once. -ENOTSUP where the runtime allows none over
   memory that is not its own (Node-API's napi_no_external_buffers_allowed), -EINVAL else. */
static napi_value memory_buffer(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  ip_mapping *mapping = mapping_of(env, args[0]);
  if (mapping == NULL || mapping->closed || mapping->buffer_made) return ip_result(env, -EINVAL);
  napi_value buffer;
  mapping->making_buffer = true;
  napi_status status = napi_create_external_arraybuffer(env, mapping->address, mapping->length,
                                                        buffer_collected, mapping, &buffer);
  mapping->making_buffer = false;
  if (status != napi_ok) {
    napi_value ignored;
    bool pending = false;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) napi_get_and_clear_last_exception(env, &ignored);
    return ip_result(env, status == napi_no_external_buffers_allowed ? -ENOTSUP : -EFBIG);
  }
  mapping->buffer_made = true;
  atomic_fetch_add(&mapping->references, 1);
  return buffer;
}

/* munmap(mapping, buffer): detaches the buffer and unmaps. A buffer that the user moved elsewhere
   with transfer() keeps the memory until it is collected. */
static napi_value memory_munmap(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  ip_mapping *mapping = mapping_of(env, args[0]);
  if (mapping == NULL || mapping->closed) return ip_result(env, -EINVAL);
  mapping->closed = true;
  if (!mapping->buffer_made) {
    drop_user(mapping);
    return ip_result(env, 0);
  }
  void *address = NULL;
  size_t length = 0;
  if (napi_get_arraybuffer_info(env, args[1], &address, &length) == napi_ok && length > 0 &&
      address == mapping->address && napi_detach_arraybuffer(env, args[1]) == napi_ok) {
    mapping->buffer_done = true;
    drop_user(mapping);
  }
  return ip_result(env, 0);
}

/* mappingCut(mapping): 1 if a page of it was touched that the file behind it no longer has. */
static napi_value memory_cut(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  const ip_mapping *mapping = mapping_of(env, args[0]);
  return ip_result(env, mapping != NULL && !mapping->closed && ip_was_cut(mapping->guard));
}

void *ip_mapping_bytes(napi_env env, napi_value value, napi_value offset, size_t length, ip_mapping **held) {
  ip_mapping *mapping = mapping_of(env, value);
  int64_t start = ip_int64(env, offset);
  if (mapping == NULL || mapping->closed || start < 0 || length > mapping->length ||
      (uint64_t)start > mapping->length - length || !add_user(mapping)) {
    return NULL;
  }
  atomic_fetch_add(&mapping->references, 1);
  *held = mapping;
  return (uint8_t *)mapping->address + start;
}

uint32_t *ip_mapping_word(napi_env env, napi_value value, napi_value offset, ip_mapping **held) {
  if (ip_int64(env, offset) % 4 != 0) return NULL;
  return ip_mapping_bytes(env, value, offset, 4, held);
}

void ip_mapping_release(ip_mapping *mapping) {
  drop_user(mapping);
  drop_reference(mapping);
}

static napi_value memory_memfd_create(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char name[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], name);
  if (bad < 0) return ip_result(env, bad);
  return ip_descriptor(env, memfd_create(name, ip_uint32(env, args[1]) | MFD_CLOEXEC));
}

const ip_function ip_memory_functions[] = {{"mmap", memory_mmap},
                                           {"mappingBuffer", memory_buffer},
                                           {"munmap", memory_munmap},
                                           {"mappingCut", memory_cut},
                                           {"memfdCreate", memory_memfd_create},
                                           {NULL, NULL}};
