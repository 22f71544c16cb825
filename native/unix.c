/* Unix domain sockets: unix(7). An address is the bytes of sun_path: a path, or a NUL and an
   abstract name, whose length counts. */
#include "interproc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define MOST_DESCRIPTORS 253 /* SCM_MAX_FD of the kernel */

/* False where the name leaves no room: 108 bytes, the last of a path being its NUL. */
static bool address_of(napi_env env, napi_value name, struct sockaddr_un *address, socklen_t *size) {
  size_t length;
  const uint8_t *bytes = ip_array(env, name, napi_uint8_array, 0, &length);
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (bytes == NULL || length == 0) {
    *size = offsetof(struct sockaddr_un, sun_path);
    return bytes != NULL;
  }
  bool abstract = bytes[0] == '\0';
  if (length > sizeof address->sun_path - (abstract ? 0 : 1)) return false;
  memcpy(address->sun_path, bytes, length);
  *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  return true;
}

static napi_value unix_socket(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_descriptor(env, socket(AF_UNIX, ip_int32(env, args[0]) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

static napi_value unix_socketpair(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int32_t *ends = ip_array(env, args[1], napi_int32_array, 2, NULL);
  if (ends == NULL) return ip_result(env, -EFAULT);
  int made[2];
  if (socketpair(AF_UNIX, ip_int32(env, args[0]) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, made) < 0) {
    return ip_result(env, -errno);
  }
  for (int end = 0; end < 2; end++) {
    ip_hold_descriptor(ip_environment_of(env), made[end]);
    ends[end] = made[end];
  }
  return ip_result(env, 0);
}

static napi_value unix_bind(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  struct sockaddr_un address;
  socklen_t size;
  if (!address_of(env, args[1], &address, &size)) return ip_result(env, -ENAMETOOLONG);
  return ip_answer(env, bind(ip_int32(env, args[0]), (struct sockaddr *)&address, size));
}

static napi_value unix_connect(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  struct sockaddr_un address;
  socklen_t size;
  if (!address_of(env, args[1], &address, &size)) return ip_result(env, -ENAMETOOLONG);
  return ip_answer(env, connect(ip_int32(env, args[0]), (struct sockaddr *)&address, size));
}

typedef struct {
  ip_call call;
  int type;
  struct sockaddr_un address;
  socklen_t size;
} blocked_connect;

/* A socket of its own that blocks: while the backlog is full, a connect on a non-blocking one says
   EAGAIN and poll(2) says ready, so there would be nothing to wait for. */
static int64_t run_connect(ip_call *call) {
  const blocked_connect *wanted = (const blocked_connect *)call;
  int fd = socket(AF_UNIX, wanted->type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (connect(fd, (const struct sockaddr *)&wanted->address, wanted->size) == 0) return fd;
  int failed = -errno;
  ip_discard_descriptor(call, fd);
  return failed;
}

/* blockingConnect(token, type, name): a connected, blocking socket. */
static napi_value unix_blocking_connect(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  blocked_connect *wanted = calloc(1, sizeof *wanted);
  if (wanted == NULL) return ip_result(env, -ENOMEM);
  wanted->call = (ip_call){.run = run_connect, .discard = ip_discard_descriptor};
  wanted->type = ip_int32(env, args[1]);
  if (!address_of(env, args[2], &wanted->address, &wanted->size)) {
    free(wanted);
    return ip_result(env, -ENAMETOOLONG);
  }
  return ip_block(env, args[0], &wanted->call);
}

static napi_value unix_listen(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, listen(ip_int32(env, args[0]), ip_int32(env, args[1])));
}

static napi_value unix_accept(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_descriptor(env, accept4(ip_int32(env, args[0]), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

static napi_value unix_shutdown(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  return ip_answer(env, shutdown(ip_int32(env, args[0]), ip_int32(env, args[1])));
}

static napi_value unix_getsockopt(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(ip_int32(env, args[0]), SOL_SOCKET, ip_int32(env, args[1]), &value, &size) < 0) {
    return ip_result(env, -errno);
  }
  return ip_result(env, value);
}

static napi_value unix_setsockopt(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  int value = ip_int32(env, args[2]);
  return ip_answer(env, setsockopt(ip_int32(env, args[0]), SOL_SOCKET, ip_int32(env, args[1]), &value, sizeof value));
}

/* peerCredentials(fd, [pid, uid, gid]): SO_PEERCRED, taken at connect, listen or socketpair time. */
static napi_value unix_peer_credentials(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  double *fields = ip_array(env, args[1], napi_float64_array, 3, NULL);
  if (fields == NULL) return ip_result(env, -EFAULT);
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(ip_int32(env, args[0]), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return ip_result(env, -errno);
  fields[0] = peer.pid;
  fields[1] = peer.uid;
  fields[2] = peer.gid;
  return ip_result(env, 0);
}

#ifndef SCM_PIDFD
#define SCM_PIDFD 4 /* since Linux 6.5 */
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* since Linux 6.5; the same number wherever SO_PEERCRED is 17 */
#endif

/* peerPidfd(fd): SO_PEERPIDFD, a pidfd of the process that SO_PEERCRED names. */
static napi_value unix_peer_pidfd(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  if (getsockopt(ip_int32(env, args[0]), SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0) return ip_result(env, -errno);
  return ip_descriptor(env, pidfd);
}

/* getsockname(fd, name): the length of sun_path, whose bytes are in `name` then (at least 108). */
static napi_value unix_getsockname(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  struct sockaddr_un address;
  uint8_t *name = ip_array(env, args[1], napi_uint8_array, sizeof address.sun_path, NULL);
  if (name == NULL) return ip_result(env, -EFAULT);
  socklen_t size = sizeof address;
  if (getsockname(ip_int32(env, args[0]), (struct sockaddr *)&address, &size) < 0) return ip_result(env, -errno);
  size_t length = size > sizeof address ? sizeof address : size;
  length -= offsetof(struct sockaddr_un, sun_path);
  memcpy(name, address.sun_path, length > sizeof address.sun_path ? sizeof address.sun_path : length);
  return ip_result(env, (int64_t)length);
}

typedef union {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
} control_buffer;

/* sendmsg(fd, bytes, offset, length, descriptors as Int32Array, credentials as Int32Array: pid, uid, gid, or none, flags). */
static napi_value unix_sendmsg(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(7);
  struct iovec part;
  uint8_t *bytes;
  size_t count;
  const int32_t *descriptors = ip_array(env, args[4], napi_int32_array, 0, &count);
  size_t named;
  const int32_t *credentials = ip_array(env, args[5], napi_int32_array, 0, &named);
  if (descriptors == NULL || credentials == NULL || !ip_bytes(env, args[1], args[2], args[3], &bytes, &part.iov_len)) {
    return ip_result(env, -EFAULT);
  }
  if (count > MOST_DESCRIPTORS || (named != 0 && named != 3)) return ip_result(env, -EINVAL);
  part.iov_base = bytes;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  control_buffer control;
  if (count > 0 || named > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = (count > 0 ? CMSG_SPACE(count * sizeof(int)) : 0) + (named > 0 ? CMSG_SPACE(sizeof(struct ucred)) : 0);
  }
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (count > 0) {
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    header = CMSG_NXTHDR(&message, header);
  }
  if (named > 0 && header != NULL) {
    struct ucred sender = {.pid = credentials[0], .uid = (uid_t)credentials[1], .gid = (gid_t)credentials[2]};
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof sender);
    memcpy(CMSG_DATA(header), &sender, sizeof sender);
  }
  return ip_answer(env, sendmsg(ip_int32(env, args[0]), &message, ip_int32(env, args[6]) | MSG_NOSIGNAL));
}

/* recvmsg(fd, bytes, offset, length, answer as Int32Array of at least 7 + 253): the length.
   answer: flags, number of descriptors, credentials present, pid, uid, gid, pidfd of the sender or -1, the descriptors. */
static napi_value unix_recvmsg(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  struct iovec part;
  uint8_t *bytes;
  int32_t *answer = ip_array(env, args[4], napi_int32_array, 7 + MOST_DESCRIPTORS, NULL);
  if (answer == NULL || !ip_bytes(env, args[1], args[2], args[3], &bytes, &part.iov_len)) {
    return ip_result(env, -EFAULT);
  }
  part.iov_base = bytes;
  control_buffer control;
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t received = recvmsg(ip_int32(env, args[0]), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (received < 0) return ip_result(env, -errno);
  answer[0] = message.msg_flags;
  answer[1] = 0;
  answer[2] = 0;
  answer[6] = -1;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) {
      size_t size = header->cmsg_len - CMSG_LEN(0);
      memcpy(answer + 7 + answer[1], CMSG_DATA(header), size);
      answer[1] += (int32_t)(size / sizeof(int));
    } else if (header->cmsg_type == SCM_CREDENTIALS) {
      struct ucred sender;
      memcpy(&sender, CMSG_DATA(header), sizeof sender);
      answer[2] = 1;
      answer[3] = sender.pid;
      answer[4] = (int32_t)sender.uid;
      answer[5] = (int32_t)sender.gid;
    } else if (header->cmsg_type == SCM_PIDFD) {
      memcpy(answer + 6, CMSG_DATA(header), sizeof(int));
    }
  }
  return ip_result(env, received);
}

const ip_function ip_unix_functions[] = {{"socket", unix_socket},
                                         {"socketpair", unix_socketpair},
                                         {"bind", unix_bind},
                                         {"connect", unix_connect},
                                         {"blockingConnect", unix_blocking_connect},
                                         {"listen", unix_listen},
                                         {"accept", unix_accept},
                                         {"shutdown", unix_shutdown},
                                         {"getsockopt", unix_getsockopt},
                                         {"setsockopt", unix_setsockopt},
                                         {"peerCredentials", unix_peer_credentials},
                                         {"peerPidfd", unix_peer_pidfd},
                                         {"getsockname", unix_getsockname},
                                         {"sendmsg", unix_sendmsg},
                                         {"recvmsg", unix_recvmsg},
                                         {NULL, NULL}};
