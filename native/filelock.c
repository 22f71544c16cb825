/*
 * Locks of files: flock(2), and the record and open file description locks of fcntl(2).
 *
 * Record locks belong to the process: its threads do not exclude each other, and whoever closes any descriptor of the file
 * drops the locks of all of them. So this file keeps one book that JavaScript cannot, since it is the process's: which environment
 * has record locks on which file, and which descriptors wait to be closed until it has none.
 */
#include "interproc.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static napi_value filelock_flock(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, flock(ip_int32(env, args[0]), ip_int32(env, args[1])));
}

/* An offset or a length: a bigint, or a number up to 2^53. -1, which the kernel refuses, for anything else. */
static int64_t place(napi_env env, napi_value value) {
  int64_t result = -1;
  bool lossless;
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok) return -1;
  if (type != napi_bigint) return ip_int64(env, value);
  napi_get_value_bigint_int64(env, value, &result, &lossless);
  return lossless ? result : -1;
}

/* l_pid is 0, as open file description locks want it. */
static struct flock range(int type, int64_t start, int64_t length) {
  struct flock wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.l_type = (short)type;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = start;
  wanted.l_len = length;
  return wanted;
}

/* setLock(fd, command, type, start, length): takes or gives back at once (F_SETLK, F_OFD_SETLK), or EAGAIN. */
static napi_value filelock_set(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  struct flock wanted = range(ip_int32(env, args[2]), place(env, args[3]), place(env, args[4]));
  return ip_answer(env, fcntl(ip_int32(env, args[0]), ip_int32(env, args[1]), &wanted));
}

/* getLock(fd, command, fields: type, start, length, pid): a lock in the way of that of the first three (F_GETLK,
   F_OFD_GETLK), in the same fields; the type is F_UNLCK if there is none. */
static napi_value filelock_get(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  int64_t *fields = ip_array(env, args[2], napi_bigint64_array, 4, NULL);
  if (fields == NULL) return ip_result(env, -EFAULT);
  struct flock wanted = range((int)fields[0], fields[1], fields[2]);
  if (fcntl(ip_int32(env, args[0]), ip_int32(env, args[1]), &wanted) < 0) return ip_result(env, -errno);
  fields[0] = wanted.l_type;
  fields[1] = wanted.l_start;
  fields[2] = wanted.l_len;
  fields[3] = wanted.l_pid;
  return ip_result(env, 0);
}

/* ofdSetLock(fd, type, start, length): as setLock with F_OFD_SETLK. */
static napi_value filelock_ofd_set(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  struct flock wanted = range(ip_int32(env, args[1]), place(env, args[2]), place(env, args[3]));
  return ip_answer(env, fcntl(ip_int32(env, args[0]), F_OFD_SETLK, &wanted));
}

/* ofdGetLock(fd, type, start, length): the type of a lock in the way, F_UNLCK if there is none. */
static napi_value filelock_ofd_get(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  struct flock wanted = range(ip_int32(env, args[1]), place(env, args[2]), place(env, args[3]));
  if (fcntl(ip_int32(env, args[0]), F_OFD_GETLK, &wanted) < 0) return ip_result(env, -errno);
  return ip_result(env, wanted.l_type);
}

typedef struct {
  ip_call call;
  int fd;
  int command; /* F_SETLKW, F_OFD_SETLKW; or an operation of flock(2) */
  struct flock wanted;
} blocked_lock;

static int64_t run_lock(ip_call *call) {
  blocked_lock *lock = (blocked_lock *)call;
  return fcntl(lock->fd, lock->command, &lock->wanted) < 0 ? -errno : 0;
}

static void discard_lock(ip_call *call, int64_t result) {
  blocked_lock *lock = (blocked_lock *)call;
  if (result < 0) return;
  lock->wanted.l_type = F_UNLCK;
  fcntl(lock->fd, lock->command, &lock->wanted);
}

static int64_t run_flock(ip_call *call) {
  const blocked_lock *lock = (const blocked_lock *)call;
  return flock(lock->fd, lock->command) < 0 ? -errno : 0;
}

static void discard_flock(ip_call *call, int64_t result) {
  if (result >= 0) flock(((const blocked_lock *)call)->fd, LOCK_UN);
}

static void close_duplicate(ip_call *call) { close(((blocked_lock *)call)->fd); }

/* The thread works on a duplicate, so that closing `fd` meanwhile cannot lead it to another file. */
static napi_value wait_on_duplicate(napi_env env, napi_value token, napi_value of, blocked_lock wanted) {
  wanted.fd = fcntl(ip_int32(env, of), F_DUPFD_CLOEXEC, 0);
  if (wanted.fd < 0) return ip_result(env, -errno);
  blocked_lock *lock = malloc(sizeof *lock);
  if (lock == NULL) {
    close(wanted.fd);
    return ip_result(env, -ENOMEM);
  }
  *lock = wanted;
  lock->call.release = close_duplicate;
  return ip_block(env, token, &lock->call);
}

/* blockingOfdLock(token, fd, type, start, length): waits for the lock (F_OFD_SETLKW). */
static napi_value filelock_blocking_ofd(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  blocked_lock wanted = {.call = {.run = run_lock, .discard = discard_lock}, .command = F_OFD_SETLKW};
  wanted.wanted = range(ip_int32(env, args[2]), place(env, args[3]), place(env, args[4]));
  return wait_on_duplicate(env, args[0], args[1], wanted);
}

/* blockingFlock(token, fd, operation): waits for the lock. */
static napi_value filelock_blocking_flock(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  blocked_lock wanted = {.call = {.run = run_flock, .discard = discard_flock}, .command = ip_int32(env, args[2])};
  return wait_on_duplicate(env, args[0], args[1], wanted);
}

/* blockingRecordLock(token, fd, type, start, length): waits for the lock (F_SETLKW). On `fd` itself, which must stay open until
   the call is reported done: to close a duplicate would drop the lock that was just taken. */
static napi_value filelock_blocking_record(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  blocked_lock *lock = calloc(1, sizeof *lock);
  if (lock == NULL) return ip_result(env, -ENOMEM);
  lock->call = (ip_call){.run = run_lock, .discard = discard_lock};
  lock->fd = ip_int32(env, args[1]);
  lock->command = F_SETLKW;
  lock->wanted = range(ip_int32(env, args[2]), place(env, args[3]), place(env, args[4]));
  return ip_block(env, args[0], &lock->call);
}

/* ---- which environment has record locks on which file --------------------------------------- */

/* A descriptor that is closed when that drops no record lock any more. */
typedef struct late_close {
  int fd;
  struct late_close *next;
} late_close;

typedef struct record_file {
  const ip_environment *environment;
  int64_t device, inode;
  late_close *late;
  struct record_file *next;
} record_file;

static pthread_mutex_t book = PTHREAD_MUTEX_INITIALIZER;
static record_file *record_files;

/* `book` is held. */
static record_file *find(int64_t device, int64_t inode) {
  record_file *found = record_files;
  while (found != NULL && (found->device != device || found->inode != inode)) found = found->next;
  return found;
}

/* claimRecordFile(device, inode): 0, or EBUSY where another environment has it. */
static napi_value filelock_claim(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  const ip_environment *mine = ip_environment_of(env);
  record_file *fresh = calloc(1, sizeof *fresh);
  if (fresh == NULL) return ip_result(env, -ENOMEM);
  *fresh = (record_file){.environment = mine, .device = place(env, args[0]), .inode = place(env, args[1])};
  pthread_mutex_lock(&book);
  const record_file *found = find(fresh->device, fresh->inode);
  const int result = found == NULL || found->environment == mine ? 0 : -EBUSY;
  if (found == NULL) {
    fresh->next = record_files;
    record_files = fresh;
    fresh = NULL;
  }
  pthread_mutex_unlock(&book);
  free(fresh);
  return ip_result(env, result);
}

/* closeFile(fd, device, inode): closes it, now or with the last record lock of this process on that file. Under the lock, since a claim
   may come between the look and the close. */
static napi_value filelock_close(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  const int fd = ip_int32(env, args[0]);
  late_close *late = malloc(sizeof *late);
  int64_t result = 0;
  ip_let_go_descriptor(ip_environment_of(env), fd);
  pthread_mutex_lock(&book);
  record_file *found = find(place(env, args[1]), place(env, args[2]));
  if (found != NULL && late != NULL) {
    *late = (late_close){.fd = fd, .next = found->late};
    found->late = late;
    late = NULL;
  } else if (close(fd) < 0) {
    result = -errno;
  }
  pthread_mutex_unlock(&book);
  free(late);
  return ip_result(env, result);
}

static void free_file(record_file *file) {
  while (file->late != NULL) {
    late_close *late = file->late;
    file->late = late->next;
    close(late->fd);
    free(late);
  }
  free(file);
}

/* Forgets what this environment has: the file with this device and inode, or all of them. */
static void forget(const ip_environment *environment, bool all, int64_t device, int64_t inode) {
  pthread_mutex_lock(&book);
  for (record_file **link = &record_files; *link != NULL;) {
    record_file *file = *link;
    if (file->environment == environment && (all || (file->device == device && file->inode == inode))) {
      *link = file->next;
      free_file(file);
    } else {
      link = &file->next;
    }
  }
  pthread_mutex_unlock(&book);
}

/* giveRecordFile(device, inode): this environment has no record locks on it any more. */
static napi_value filelock_give(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  forget(ip_environment_of(env), false, place(env, args[0]), place(env, args[1]));
  return ip_result(env, 0);
}

void ip_record_files_end(const ip_environment *environment) { forget(environment, true, 0, 0); }

const ip_function ip_filelock_functions[] = {{"flock", filelock_flock},
                                             {"setLock", filelock_set},
                                             {"getLock", filelock_get},
                                             {"ofdSetLock", filelock_ofd_set},
                                             {"ofdGetLock", filelock_ofd_get},
                                             {"blockingOfdLock", filelock_blocking_ofd},
                                             {"blockingFlock", filelock_blocking_flock},
                                             {"blockingRecordLock", filelock_blocking_record},
                                             {"claimRecordFile", filelock_claim},
                                             {"giveRecordFile", filelock_give},
                                             {"closeFile", filelock_close},
                                             {NULL, NULL}};
