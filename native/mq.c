/* POSIX message queues: mq_overview(7). A queue is a descriptor. */
#include "interproc.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* mqOpen(name, flags, mode, maxMessages, messageSize); maxMessages 0 leaves both to the system. */
static napi_value mq_open_queue(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  char name[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], name);
  if (bad < 0) return ip_result(env, bad);
  struct mq_attr attributes = {.mq_maxmsg = ip_int64(env, args[3]), .mq_msgsize = ip_int64(env, args[4])};
  int flags = ip_int32(env, args[1]) | O_CLOEXEC;
  return ip_descriptor(env, mq_open(name, flags, (mode_t)ip_uint32(env, args[2]),
                                attributes.mq_maxmsg == 0 ? NULL : &attributes));
}

/* A Uint8Array, all of it: no other argument is needed, and each costs some 10 ns. */
static bool whole_array(napi_env env, napi_value array, char **bytes, size_t *size) {
  napi_typedarray_type type;
  void *data;
  if (napi_get_typedarray_info(env, array, &type, size, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    return false;
  }
  static char nothing;
  *bytes = data == NULL ? &nothing : data; /* libc declares NULL to be wrong, even with no bytes */
  return true;
}

/* mqSend(mq, bytes, priority) */
static napi_value mq_send_message(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  char *bytes;
  size_t size;
  if (!whole_array(env, args[1], &bytes, &size)) return ip_result(env, -EFAULT);
  return ip_answer(env, mq_send(ip_int32(env, args[0]), bytes, size, ip_uint32(env, args[2])));
}

/* mqReceive(mq, bytes): the length, and 2^32 for each unit of the priority. */
static napi_value mq_receive_message(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char *bytes;
  size_t size;
  if (!whole_array(env, args[1], &bytes, &size)) return ip_result(env, -EFAULT);
  unsigned int priority = 0;
  ssize_t received = mq_receive(ip_int32(env, args[0]), bytes, size, &priority);
  if (received < 0) return ip_result(env, -errno);
  return ip_result(env, ((int64_t)priority << 32) + received);
}

/* mqAttributes(mq, fields): maxMessages, messageSize, messages waiting. */
static napi_value mq_attributes(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  double *fields = ip_array(env, args[1], napi_float64_array, 3, NULL);
  if (fields == NULL) return ip_result(env, -EFAULT);
  struct mq_attr found;
  if (mq_getattr(ip_int32(env, args[0]), &found) < 0) return ip_result(env, -errno);
  fields[0] = (double)found.mq_maxmsg;
  fields[1] = (double)found.mq_msgsize;
  fields[2] = (double)found.mq_curmsgs;
  return ip_result(env, 0);
}

static napi_value mq_unlink_queue(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  char name[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], name);
  return bad < 0 ? ip_result(env, bad) : ip_answer(env, mq_unlink(name));
}

/* mqNotice(): a socket on which the kernel tells what became of a registration. */
static napi_value mq_notice(napi_env env, napi_callback_info info) {
  (void)info;
  return ip_descriptor(env, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
}

/* mq_notify(2) as the kernel has it; libc's puts a thread behind what is told on a socket. */
static napi_value notify(napi_env env, napi_value mq, const struct sigevent *event) {
  return ip_answer(env, syscall(SYS_mq_notify, ip_int32(env, mq), event));
}

/* mqNotifySocket(mq, socket, cookie): the kernel sends the cookie's 32 bytes, the last of them replaced by 1 when a message
   came, by 2 when the registration was removed. */
static napi_value mq_notify_socket(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  uint8_t *cookie = ip_array(env, args[2], napi_uint8_array, 32, NULL);
  if (cookie == NULL) return ip_result(env, -EFAULT);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_signo = ip_int32(env, args[1]);
  event.sigev_value.sival_ptr = cookie;
  return notify(env, args[0], &event);
}

/* mqNotifySignal(mq, signal, value) */
static napi_value mq_notify_signal(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = ip_int32(env, args[1]);
  event.sigev_value = ip_signal_value(env, args[2]);
  return notify(env, args[0], &event);
}

/* mqNotifyEnd(mq): removes the registration of this process, if it has one. */
static napi_value mq_notify_end(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return notify(env, args[0], NULL);
}

/* mqFileSystem(): the queues of this IPC namespace as a folder that is mounted nowhere (fsopen(2), fsmount(2); Linux 5.2). */
static napi_value mq_file_system(napi_env env, napi_callback_info info) {
  (void)info;
  int context = (int)syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC);
  if (context < 0) return ip_result(env, -errno);
  long mounted = syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
  if (mounted == 0) mounted = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
  int error = errno;
  close(context);
  errno = error;
  return ip_descriptor(env, mounted);
}

const ip_function ip_mq_functions[] = {{"mqOpen", mq_open_queue},
                                       {"mqSend", mq_send_message},
                                       {"mqReceive", mq_receive_message},
                                       {"mqAttributes", mq_attributes},
                                       {"mqUnlink", mq_unlink_queue},
                                       {"mqNotice", mq_notice},
                                       {"mqNotifySocket", mq_notify_socket},
                                       {"mqNotifySignal", mq_notify_signal},
                                       {"mqNotifyEnd", mq_notify_end},
                                       {"mqFileSystem", mq_file_system},
                                       {NULL, NULL}};
