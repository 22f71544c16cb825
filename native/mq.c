/* POSIX message queues: mq_overview(7). A queue is a descriptor. */
#include "interproc.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdlib.h>

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

const ip_function ip_mq_functions[] = {{"mqOpen", mq_open_queue},
                                       {"mqSend", mq_send_message},
                                       {"mqReceive", mq_receive_message},
                                       {"mqAttributes", mq_attributes},
                                       {"mqUnlink", mq_unlink_queue},
                                       {NULL, NULL}};
