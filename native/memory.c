/*
 * Mapped memory: mmap(2), munmap(2), mprotect(2), mremap(2), memfd_create(2).
 *
 * An `ip_mapping` is a piece of this process's address space. Each environment that uses it has a record of its own
 * with at most one ArrayBuffer; a worker attaches to it by its id. It is unmapped when nobody can reach it any more:
 * `users` counts the open records, the buffers that are neither detached nor collected, and the threads that work on
 * it. So a view that is still alive never points to unmapped memory, whatever the order of close(), transfer(),
 * garbage collection and the end of a worker.
 */
#include "interproc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/shm.h>

struct ip_mapping {
  uint8_t *address;
  size_t length;
  ip_memory_kind kind;
  int guard;         /* slot of guard.c, negative for memory that nobody can cut */
  atomic_int users;  /* reasons to keep it mapped */
  uint64_t id;       /* what another thread attaches by */
  ip_mapping *next;  /* in `all`, under `lock` */
  ip_mapping *previous;
};

/* All mappings of this process, for who attaches. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ip_mapping *all;

/* The ArrayBuffer of a record, until the engine has told that it is gone. */
typedef struct {
  ip_mapping *mapping;
  bool done;    /* no longer a user: we have detached it */
  bool refused; /* Node 20 calls the finalizer, too, of a buffer over 4 GiB that it refuses */
} buffer_record;

typedef struct {
  ip_mapping *mapping;   /* NULL once closed */
  buffer_record *buffer; /* NULL while there is none */
} mapping_record;

static void unmap(void *address, size_t length, const ip_memory_kind *kind) {
  if (kind->segment) {
    shmdt(address);
  } else {
    munmap(address, length);
  }
}

/* One more user, unless the last has just gone. */
static bool add_user(ip_mapping *mapping) {
  int users = atomic_load(&mapping->users);
  while (users > 0) {
    if (atomic_compare_exchange_weak(&mapping->users, &users, users + 1)) return true;
  }
  return false;
}

static void drop_user(ip_mapping *mapping) {
  if (atomic_fetch_sub(&mapping->users, 1) != 1) return;
  pthread_mutex_lock(&lock);
  if (mapping->next != NULL) mapping->next->previous = mapping->previous;
  if (mapping->previous != NULL) mapping->previous->next = mapping->next;
  if (all == mapping) all = mapping->next;
  pthread_mutex_unlock(&lock);
  ip_unguard(mapping->guard);
  unmap(mapping->address, mapping->length, &mapping->kind);
  free(mapping);
}

static void record_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  mapping_record *record = data;
  if (record->mapping != NULL) drop_user(record->mapping);
  free(record);
}

static void buffer_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  buffer_record *buffer = hint;
  if (buffer->refused) return;
  if (!buffer->done) drop_user(buffer->mapping);
  free(buffer);
}

static mapping_record *record_of(napi_env env, napi_value value) {
  void *record = NULL;
  if (napi_get_value_external(env, value, &record) != napi_ok || record == NULL) return NULL;
  return ((mapping_record *)record)->mapping == NULL ? NULL : record;
}

/* A record of this environment for a mapping of which it becomes a user; takes over the caller's. */
static napi_value new_record(napi_env env, ip_mapping *mapping) {
  mapping_record *record = calloc(1, sizeof *record);
  napi_value external;
  if (record == NULL || napi_create_external(env, record, record_collected, NULL, &external) != napi_ok) {
    free(record);
    drop_user(mapping);
    return ip_result(env, -ENOMEM);
  }
  record->mapping = mapping;
  return external;
}

napi_value ip_mapping_new(napi_env env, void *address, size_t length, ip_memory_kind kind) {
  ip_mapping *mapping = calloc(1, sizeof *mapping);
  if (mapping == NULL || getrandom(&mapping->id, sizeof mapping->id, 0) != sizeof mapping->id) {
    unmap(address, length, &kind);
    free(mapping);
    return ip_result(env, -ENOMEM);
  }
  mapping->address = address;
  mapping->length = length;
  mapping->kind = kind;
  mapping->guard = kind.page == 0 ? -1 : ip_guard(address, length, kind.page);
  if (kind.page != 0 && mapping->guard < 0) {
    unmap(address, length, &kind); /* a fault in it could not be caught */
    free(mapping);
    return ip_result(env, -ENOMEM);
  }
  atomic_init(&mapping->users, 1);
  pthread_mutex_lock(&lock);
  mapping->next = all;
  if (all != NULL) all->previous = mapping;
  all = mapping;
  pthread_mutex_unlock(&lock);
  return new_record(env, mapping);
}

/* mmap(fd, offset, length, protection, flags, page): a mapping, or -errno. `page` is the size of the pages behind it
   if others can cut it, so that a fault in it is to be caught (guard.c), and 0 if nobody can. */
static napi_value memory_mmap(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(6);
  int64_t length = ip_int64(env, args[2]);
  if (length <= 0) return ip_result(env, -EINVAL);
  ip_memory_kind kind = {.protection = ip_int32(env, args[3]), .flags = ip_int32(env, args[4]), .page = ip_uint32(env, args[5])};
  void *address = mmap(NULL, (size_t)length, kind.protection, kind.flags, ip_int32(env, args[0]), ip_int64(env, args[1]));
  if (address == MAP_FAILED) return ip_result(env, -errno);
  return ip_mapping_new(env, address, (size_t)length, kind);
}

/* mappingId(mapping): by which another thread attaches to it. */
static napi_value memory_id(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  const mapping_record *record = record_of(env, args[0]);
  napi_value id;
  napi_create_bigint_uint64(env, record == NULL ? 0 : record->mapping->id, &id);
  return id;
}

/* mappingAttach(id, length, protection): a record of this environment for a mapping of the process, -ENOENT if it is
   closed everywhere, -EACCES if it is not, or no longer, of this length and protection. */
static napi_value memory_attach(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  uint64_t id = 0;
  bool lossless = false;
  napi_get_value_bigint_uint64(env, args[0], &id, &lossless);
  pthread_mutex_lock(&lock);
  ip_mapping *mapping = all;
  while (mapping != NULL && mapping->id != id) mapping = mapping->next;
  int bad = 0;
  if (mapping != NULL && (mapping->kind.protection != ip_int32(env, args[2]) || (int64_t)mapping->length != ip_int64(env, args[1]))) {
    bad = -EACCES;
  } else if (mapping == NULL || !add_user(mapping)) {
    bad = -ENOENT;
  }
  pthread_mutex_unlock(&lock);
  return bad < 0 ? ip_result(env, bad) : new_record(env, mapping);
}

/* mappingBuffer(mapping): its ArrayBuffer. -ENOTSUP where the runtime allows none over memory that is not its own
   (Node-API's napi_no_external_buffers_allowed), -EFBIG where it allows none of this size. */
static napi_value memory_buffer(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  mapping_record *record = record_of(env, args[0]);
  if (record == NULL || record->buffer != NULL || (record->mapping->kind.protection & PROT_WRITE) == 0) {
    return ip_result(env, -EINVAL);
  }
  buffer_record *made = calloc(1, sizeof *made);
  if (made == NULL) return ip_result(env, -ENOMEM);
  ip_mapping *mapping = record->mapping;
  made->mapping = mapping;
  made->refused = true;
  napi_value buffer;
  napi_status status =
      napi_create_external_arraybuffer(env, mapping->address, mapping->length, buffer_collected, made, &buffer);
  if (status != napi_ok) {
    napi_value ignored;
    bool pending = false;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) napi_get_and_clear_last_exception(env, &ignored);
    /* `made` is not freed: whether the engine still calls its finalizer depends on where it failed. */
    return ip_result(env, status == napi_no_external_buffers_allowed ? -ENOTSUP : -EFBIG);
  }
  made->refused = false;
  atomic_fetch_add(&mapping->users, 1);
  record->buffer = made;
  return buffer;
}

/* Takes the buffer away from JavaScript; false if that has moved it elsewhere with transfer(), so that it stays a
   user until it is collected. */
static bool detach(napi_env env, mapping_record *record, napi_value buffer) {
  buffer_record *made = record->buffer;
  if (made == NULL) return true;
  void *address = NULL;
  size_t length = 0;
  if (napi_get_arraybuffer_info(env, buffer, &address, &length) != napi_ok || length == 0 ||
      address != record->mapping->address || napi_detach_arraybuffer(env, buffer) != napi_ok) {
    return false;
  }
  made->done = true;
  record->buffer = NULL;
  drop_user(record->mapping);
  return true;
}

/* munmap(mapping, buffer): detaches the buffer and lets go of the memory. */
static napi_value memory_munmap(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  mapping_record *record = record_of(env, args[0]);
  if (record == NULL) return ip_result(env, -EINVAL);
  detach(env, record, args[1]);
  ip_mapping *mapping = record->mapping;
  record->mapping = NULL;
  record->buffer = NULL;
  drop_user(mapping);
  return ip_result(env, 0);
}

/* mappingProtect(mapping, buffer, protection): mprotect(2) of all of it, after the buffer was detached. -EBUSY if
   anybody else uses it: another thread with a writable view would be killed by its next store. */
static napi_value memory_protect(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  mapping_record *record = record_of(env, args[0]);
  if (record == NULL) return ip_result(env, -EINVAL);
  ip_mapping *mapping = record->mapping;
  int protection = ip_int32(env, args[2]);
  int ours = record->buffer == NULL ? 1 : 2;
  int bad = -EBUSY;
  pthread_mutex_lock(&lock);
  if (atomic_load(&mapping->users) == ours && detach(env, record, args[1])) {
    bad = mprotect(mapping->address, mapping->length, protection) < 0 ? -errno : 0;
    if (bad == 0) mapping->kind.protection = protection;
  }
  pthread_mutex_unlock(&lock);
  return ip_result(env, bad);
}

/* mappingResized(mapping, length): a new mapping of the same shared pages with another length (mremap(2) with an old
   size of 0); the old one stays as it is. Not of a System V segment: nobody guards what lies beyond its end. */
static napi_value memory_resized(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  mapping_record *record = record_of(env, args[0]);
  int64_t length = ip_int64(env, args[1]);
  if (record == NULL || length <= 0 || record->mapping->kind.segment) return ip_result(env, -EINVAL);
  void *address = mremap(record->mapping->address, 0, (size_t)length, MREMAP_MAYMOVE);
  if (address == MAP_FAILED) return ip_result(env, -errno);
  return ip_mapping_new(env, address, (size_t)length, record->mapping->kind);
}

/* mappingTouch(mapping, offset): loads one byte, so that the guard notices if it is not there. */
static napi_value memory_touch(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  ip_mapping *held;
  const volatile uint8_t *byte = ip_mapping_bytes(env, args[0], args[1], 1, &held);
  if (byte == NULL) return ip_result(env, -EFAULT);
  int value = *byte;
  ip_mapping_release(held);
  return ip_result(env, value);
}

/* mappingRead(mapping, offset, bytes, start, length): copies out of it. */
static napi_value memory_read(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  uint8_t *into;
  size_t length;
  if (!ip_bytes(env, args[2], args[3], args[4], &into, &length)) return ip_result(env, -EFAULT);
  ip_mapping *held;
  const void *from = ip_mapping_bytes(env, args[0], args[1], length, &held);
  if (from == NULL) return ip_result(env, -EFAULT);
  memmove(into, from, length);
  ip_mapping_release(held);
  return ip_result(env, 0);
}

/* mappingCut(mapping): 1 if a page of it was touched that the file behind it no longer has. */
static napi_value memory_cut(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  const mapping_record *record = record_of(env, args[0]);
  return ip_result(env, record != NULL && ip_was_cut(record->mapping->guard));
}

void *ip_mapping_bytes(napi_env env, napi_value value, napi_value offset, size_t length, ip_mapping **held) {
  const mapping_record *record = record_of(env, value);
  int64_t start = ip_int64(env, offset);
  if (record == NULL || start < 0) return NULL;
  ip_mapping *mapping = record->mapping;
  if (length > mapping->length || (uint64_t)start > mapping->length - length) return NULL;
  atomic_fetch_add(&mapping->users, 1); /* the record is a user, so this is not the first */
  *held = mapping;
  return mapping->address + start;
}

uint32_t *ip_mapping_word(napi_env env, napi_value value, napi_value offset, ip_mapping **held) {
  if (ip_int64(env, offset) % 4 != 0) return NULL;
  return ip_mapping_bytes(env, value, offset, 4, held);
}

void ip_mapping_release(ip_mapping *mapping) { drop_user(mapping); }

static napi_value memory_memfd_create(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char name[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], name);
  if (bad < 0) return ip_result(env, bad);
  return ip_descriptor(env, memfd_create(name, ip_uint32(env, args[1]) | MFD_CLOEXEC));
}

const ip_function ip_memory_functions[] = {{"mmap", memory_mmap},
                                           {"mappingId", memory_id},
                                           {"mappingAttach", memory_attach},
                                           {"mappingBuffer", memory_buffer},
                                           {"munmap", memory_munmap},
                                           {"mappingProtect", memory_protect},
                                           {"mappingResized", memory_resized},
                                           {"mappingTouch", memory_touch},
                                           {"mappingRead", memory_read},
                                           {"mappingCut", memory_cut},
                                           {"memfdCreate", memory_memfd_create},
                                           {NULL, NULL}};
