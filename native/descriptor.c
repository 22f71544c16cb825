/* What can be done with any descriptor: read(2), write(2), fcntl(2), fstat(2), poll(2), close(2). */
#include "interproc.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The arguments of read() and write(): a descriptor, a Uint8Array, and the part of it that is meant.
   The hot paths leave the last two away and mean all of it, since each argument costs some 10 ns. */
static bool transfer_arguments(napi_env env, napi_callback_info info, int *fd, uint8_t **bytes, size_t *size) {
  napi_value args[4];
  size_t given = 4;
  napi_get_cb_info(env, info, &given, args, NULL, NULL);
  *fd = ip_int32(env, args[0]);
  if (given > 2) return ip_bytes(env, args[1], args[2], args[3], bytes, size);
  napi_typedarray_type type;
  void *data;
  if (napi_get_typedarray_info(env, args[1], &type, size, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    return false;
  }
  *bytes = data;
  return true;
}

/* read(fd, bytes, offset, length), write(fd, bytes, offset, length); without the last two, all of it.
   By syscall(2): in a process with threads the functions of that name are cancellation points, whose
   bookkeeping costs 10 ns a call, and nobody cancels a thread of Node's. */
static napi_value descriptor_read(napi_env env, napi_callback_info info) {
  int fd;
  uint8_t *bytes;
  size_t size;
  if (!transfer_arguments(env, info, &fd, &bytes, &size)) return ip_result(env, -EFAULT);
  return ip_answer(env, syscall(SYS_read, fd, bytes, size));
}

static napi_value descriptor_write(napi_env env, napi_callback_info info) {
  int fd;
  uint8_t *bytes;
  size_t size;
  if (!transfer_arguments(env, info, &fd, &bytes, &size)) return ip_result(env, -EFAULT);
  return ip_answer(env, syscall(SYS_write, fd, bytes, size));
}

static napi_value descriptor_pread(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  uint8_t *bytes;
  size_t size;
  if (!ip_bytes(env, args[1], args[2], args[3], &bytes, &size)) return ip_result(env, -EFAULT);
  return ip_answer(env, pread(ip_int32(env, args[0]), bytes, size, ip_int64(env, args[4])));
}

/* writev(fd, first, offset, length, second, offset, length): a header and its payload. */
static napi_value descriptor_writev(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(7);
  struct iovec parts[2];
  uint8_t *first, *second;
  if (!ip_bytes(env, args[1], args[2], args[3], &first, &parts[0].iov_len) ||
      !ip_bytes(env, args[4], args[5], args[6], &second, &parts[1].iov_len)) {
    return ip_result(env, -EFAULT);
  }
  parts[0].iov_base = first;
  parts[1].iov_base = second;
  return ip_answer(env, writev(ip_int32(env, args[0]), parts, 2));
}

/* EINTR included, the descriptor is gone afterwards (close(2), "Dealing with error returns"). */
static napi_value descriptor_close(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int32_t fd = ip_int32(env, args[0]);
  ip_let_go_descriptor(ip_environment_of(env), fd);
  return ip_answer(env, close(fd));
}

static napi_value descriptor_fcntl(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  int command = ip_int32(env, args[1]);
  int returned = fcntl(ip_int32(env, args[0]), command, ip_int32(env, args[2]));
  return command == F_DUPFD_CLOEXEC ? ip_descriptor(env, returned) : ip_answer(env, returned);
}

/* setOwner(fd, kind, id): who gets the signals of a descriptor that has O_ASYNC (F_SETOWN_EX). */
static napi_value descriptor_set_owner(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  struct f_owner_ex owner = {.type = ip_int32(env, args[1]), .pid = ip_int32(env, args[2])};
  return ip_answer(env, fcntl(ip_int32(env, args[0]), F_SETOWN_EX, &owner));
}

/* stat fields as 64-bit words: dev, ino, mode, nlink, uid, gid, size. */
static int64_t answer_stat(int64_t *fields, const struct stat *found) {
  fields[0] = (int64_t)found->st_dev;
  fields[1] = (int64_t)found->st_ino;
  fields[2] = found->st_mode;
  fields[3] = (int64_t)found->st_nlink;
  fields[4] = found->st_uid;
  fields[5] = found->st_gid;
  fields[6] = found->st_size;
  return 0;
}

static napi_value descriptor_fstat(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int64_t *fields = ip_array(env, args[1], napi_bigint64_array, 7, NULL);
  if (fields == NULL) return ip_result(env, -EFAULT);
  struct stat found;
  if (fstat(ip_int32(env, args[0]), &found) < 0) return ip_result(env, -errno);
  return ip_result(env, answer_stat(fields, &found));
}

/* lstat(path, fields): the thing itself, never what a symbolic link points to. */
static napi_value descriptor_lstat(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char path[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], path);
  if (bad < 0) return ip_result(env, bad);
  int64_t *fields = ip_array(env, args[1], napi_bigint64_array, 7, NULL);
  if (fields == NULL) return ip_result(env, -EFAULT);
  struct stat found;
  if (lstat(path, &found) < 0) return ip_result(env, -errno);
  return ip_result(env, answer_stat(fields, &found));
}

/* poll(fd, events, timeout in ms): the returned events of one descriptor, 0 for a time-out. */
static napi_value descriptor_poll(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  struct pollfd one = {.fd = ip_int32(env, args[0]), .events = (short)ip_int32(env, args[1])};
  int ready = poll(&one, 1, ip_int32(env, args[2]));
  if (ready < 0) return ip_result(env, -errno);
  return ip_result(env, ready == 0 ? 0 : one.revents);
}

/* pollAny(fds as Int32Array, events, timeout in ms): how many of them are ready, 0 for a time-out. */
static napi_value descriptor_poll_any(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  size_t count;
  const int32_t *fds = ip_array(env, args[0], napi_int32_array, 1, &count);
  if (fds == NULL) return ip_result(env, -EFAULT);
  struct pollfd *all = calloc(count, sizeof *all);
  if (all == NULL) return ip_result(env, -ENOMEM);
  for (size_t index = 0; index < count; index++) {
    all[index] = (struct pollfd){.fd = fds[index], .events = (short)ip_int32(env, args[1])};
  }
  int ready = poll(all, count, ip_int32(env, args[2]));
  int64_t result = ready < 0 ? -errno : ready;
  free(all);
  return ip_result(env, result);
}

/* Bytes that can be read now (FIONREAD). */
static napi_value descriptor_available(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int available = 0;
  if (ioctl(ip_int32(env, args[0]), FIONREAD, &available) < 0) return ip_result(env, -errno);
  return ip_result(env, available);
}

const ip_function ip_descriptor_functions[] = {{"read", descriptor_read},
                                               {"write", descriptor_write},
                                               {"pread", descriptor_pread},
                                               {"writev", descriptor_writev},
                                               {"close", descriptor_close},
                                               {"fcntl", descriptor_fcntl},
                                               {"setOwner", descriptor_set_owner},
                                               {"fstat", descriptor_fstat},
                                               {"lstat", descriptor_lstat},
                                               {"poll", descriptor_poll},
                                               {"pollAny", descriptor_poll_any},
                                               {"available", descriptor_available},
                                               {NULL, NULL}};
