/* Names and contents of files: open(2), linkat(2), unlink(2), fallocate(2), fdatasync(2). */
#include "interproc.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static napi_value file_open(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  char path[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], path);
  if (bad < 0) return ip_result(env, bad);
  return ip_descriptor(env, open(path, ip_int32(env, args[1]) | O_CLOEXEC, (mode_t)ip_uint32(env, args[2])));
}

typedef struct {
  ip_call call;
  int flags;
  mode_t mode;
  char path[IP_PATH_SIZE];
} blocked_open;

static int64_t run_open(ip_call *call) {
  const blocked_open *wanted = (const blocked_open *)call;
  int fd = open(wanted->path, wanted->flags | O_CLOEXEC, wanted->mode);
  return fd < 0 ? -errno : fd;
}

/* blockingOpen(token, path, flags, mode): the open(2) of a FIFO, which waits for the other side. */
static napi_value file_blocking_open(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  blocked_open *wanted = calloc(1, sizeof *wanted);
  if (wanted == NULL) return ip_result(env, -ENOMEM);
  int bad = ip_path(env, args[1], wanted->path);
  if (bad < 0) {
    free(wanted);
    return ip_result(env, bad);
  }
  wanted->call = (ip_call){.run = run_open, .discard = ip_discard_descriptor};
  wanted->flags = ip_int32(env, args[2]);
  wanted->mode = (mode_t)ip_uint32(env, args[3]);
  return ip_block(env, args[0], &wanted->call);
}

static napi_value file_unlink(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  char path[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], path);
  return bad < 0 ? ip_result(env, bad) : ip_answer(env, unlink(path));
}

static napi_value file_rename(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char from[IP_PATH_SIZE], to[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], from);
  if (bad == 0) bad = ip_path(env, args[1], to);
  return bad < 0 ? ip_result(env, bad) : ip_answer(env, rename(from, to));
}

/* linkDescriptor(fd, path): gives a file made with O_TMPFILE its name, or EEXIST (open(2)). */
static napi_value file_link_descriptor(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char path[IP_PATH_SIZE], source[64];
  int bad = ip_path(env, args[1], path);
  if (bad < 0) return ip_result(env, bad);
  snprintf(source, sizeof source, "/proc/self/fd/%d", ip_int32(env, args[0]));
  return ip_answer(env, linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
}

static napi_value file_ftruncate(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, ftruncate(ip_int32(env, args[0]), ip_int64(env, args[1])));
}

/* The system call itself: glibc's posix_fallocate falls back to writing into the file. */
static napi_value file_fallocate(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  return ip_answer(env, fallocate(ip_int32(env, args[0]), 0, ip_int64(env, args[1]), ip_int64(env, args[2])));
}

/* hugePageSize(fd): bytes of a page if the file is on hugetlbfs (memfd_create(2) with MFD_HUGETLB is), else 0. */
static napi_value file_huge_page_size(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  struct statfs on;
  if (fstatfs(ip_int32(env, args[0]), &on) < 0) return ip_result(env, -errno);
  return ip_result(env, on.f_type == HUGETLBFS_MAGIC ? on.f_bsize : 0);
}

static napi_value file_fdatasync(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_answer(env, fdatasync(ip_int32(env, args[0])));
}

typedef struct {
  ip_call call;
  int fd;
} blocked_descriptor;

static int64_t run_fdatasync(ip_call *call) {
  return fdatasync(((const blocked_descriptor *)call)->fd) < 0 ? -errno : 0;
}

/* blockingFdatasync(token, fd): the disk is waited for on a thread of its own. */
static napi_value file_blocking_fdatasync(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  blocked_descriptor *wanted = calloc(1, sizeof *wanted);
  if (wanted == NULL) return ip_result(env, -ENOMEM);
  wanted->call.run = run_fdatasync;
  wanted->fd = ip_int32(env, args[1]);
  return ip_block(env, args[0], &wanted->call);
}

static napi_value file_fchmod(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, fchmod(ip_int32(env, args[0]), (mode_t)ip_uint32(env, args[1])));
}

const ip_function ip_file_functions[] = {{"open", file_open},
                                         {"blockingOpen", file_blocking_open},
                                         {"unlink", file_unlink},
                                         {"rename", file_rename},
                                         {"linkDescriptor", file_link_descriptor},
                                         {"ftruncate", file_ftruncate},
                                         {"fallocate", file_fallocate},
                                         {"hugePageSize", file_huge_page_size},
                                         {"fdatasync", file_fdatasync},
                                         {"blockingFdatasync", file_blocking_fdatasync},
                                         {"fchmod", file_fchmod},
                                         {NULL, NULL}};
