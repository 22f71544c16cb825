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

/* Room for whatever may come along with one message. */
typedef union {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(struct timeval)) +
             CMSG_SPACE(sizeof(int))];
} control_buffer;

/* sendmsg(fd, bytes, offset, length, descriptors as Int32Array, credentials as Int32Array: pid, uid, gid, or none, flags,
   the name of the receiver, empty for that of the connection). */
static napi_value unix_sendmsg(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(8);
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
  struct sockaddr_un receiver;
  socklen_t size;
  if (!address_of(env, args[7], &receiver, &size)) return ip_result(env, -ENAMETOOLONG);
  part.iov_base = bytes;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (size > offsetof(struct sockaddr_un, sun_path)) {
    message.msg_name = &receiver;
    message.msg_namelen = size;
  }
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

/* What is told of a message beside its bytes, as 32-bit words; its descriptors stand behind the words of all messages. */
enum { FLAGS, DESCRIPTORS, CREDENTIALS, PID, UID, GID, STAMPED, NAME, LENGTH, PIDFD, WORDS };

/* Adds the descriptors to those at `descriptors`; how many there are then. */
static size_t tell(struct msghdr *message, ssize_t length, int32_t *words, int32_t *descriptors, size_t already) {
  memset(words, 0, WORDS * sizeof *words);
  words[FLAGS] = message->msg_flags;
  words[LENGTH] = (int32_t)length;
  words[PIDFD] = -1;
  const size_t before = offsetof(struct sockaddr_un, sun_path);
  if (message->msg_namelen > before) {
    size_t name = message->msg_namelen - before; /* with the NUL that the kernel adds, one more than there is room for */
    words[NAME] = (int32_t)(name > sizeof(struct sockaddr_un) - before ? sizeof(struct sockaddr_un) - before : name);
  }
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  for (; header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) {
      size_t size = header->cmsg_len - CMSG_LEN(0);
      memcpy(descriptors + already, CMSG_DATA(header), size);
      already += size / sizeof(int);
      words[DESCRIPTORS] += (int32_t)(size / sizeof(int));
    } else if (header->cmsg_type == SCM_CREDENTIALS) {
      struct ucred sender;
      memcpy(&sender, CMSG_DATA(header), sizeof sender);
      words[CREDENTIALS] = 1;
      words[PID] = sender.pid;
      words[UID] = (int32_t)sender.uid;
      words[GID] = (int32_t)sender.gid;
    } else if (header->cmsg_type == SCM_TIMESTAMP) {
      words[STAMPED] = 1;
    } else if (header->cmsg_type == SCM_PIDFD) {
      memcpy(words + PIDFD, CMSG_DATA(header), sizeof(int));
    }
  }
  return already;
}

/* recvmsg(fd, bytes, offset, length, answer as Int32Array of at least WORDS + 253, name of at least 108 bytes, flags): the
   length. The sender's sun_path is in `name` then, its length in the answer. */
static napi_value unix_recvmsg(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(7);
  struct iovec part;
  uint8_t *bytes;
  int32_t *answer = ip_array(env, args[4], napi_int32_array, WORDS + MOST_DESCRIPTORS, NULL);
  struct sockaddr_un sender;
  uint8_t *name = ip_array(env, args[5], napi_uint8_array, sizeof sender.sun_path, NULL);
  if (answer == NULL || name == NULL || !ip_bytes(env, args[1], args[2], args[3], &bytes, &part.iov_len)) {
    return ip_result(env, -EFAULT);
  }
  part.iov_base = bytes;
  control_buffer control;
  struct msghdr message = {.msg_name = &sender,
                           .msg_namelen = sizeof sender,
                           .msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  int flags = ip_int32(env, args[6]) | MSG_CMSG_CLOEXEC;
  ssize_t received = recvmsg(ip_int32(env, args[0]), &message, flags);
  if (received < 0) return ip_result(env, -errno);
  tell(&message, received, answer, answer + WORDS, 0);
  memcpy(name, sender.sun_path, (size_t)answer[NAME]);
  return ip_result(env, received);
}

/* recv(fd, bytes, offset, length, flags) */
static napi_value unix_recv(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  uint8_t *bytes;
  size_t size;
  if (!ip_bytes(env, args[1], args[2], args[3], &bytes, &size)) return ip_result(env, -EFAULT);
  return ip_answer(env, recv(ip_int32(env, args[0]), bytes, size, ip_int32(env, args[4])));
}

/*
 * recvOrEnd(fd, bytes, offset, length, flags): as recv, of a connection with SO_TIMESTAMP; -ENODATA at its end. The end has no time.
 * There is room for the time only, which comes first: whatever else came along the kernel closes.
 */
static napi_value unix_recv_or_end(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  uint8_t *bytes;
  struct iovec part;
  if (!ip_bytes(env, args[1], args[2], args[3], &bytes, &part.iov_len)) return ip_result(env, -EFAULT);
  part.iov_base = bytes;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct timeval))];
  } control;
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t received = recvmsg(ip_int32(env, args[0]), &message, ip_int32(env, args[4]) | MSG_CMSG_CLOEXEC);
  if (received == 0 && message.msg_controllen == 0) return ip_result(env, -ENODATA);
  return ip_answer(env, received);
}

#define MOST_MESSAGES 64

/* sendmmsg(fd, messages as an array of Uint8Arrays, the first of them to send, flags, the receiver's name or an empty one):
   how many of them, up to 64, are sent. */
static napi_value unix_sendmmsg(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  uint32_t length;
  uint32_t first = ip_uint32(env, args[2]);
  if (napi_get_array_length(env, args[1], &length) != napi_ok || first > length) return ip_result(env, -EFAULT);
  struct sockaddr_un receiver;
  socklen_t size;
  if (!address_of(env, args[4], &receiver, &size)) return ip_result(env, -ENAMETOOLONG);
  bool named = size > offsetof(struct sockaddr_un, sun_path);
  uint32_t count = length - first < MOST_MESSAGES ? length - first : MOST_MESSAGES;
  struct mmsghdr messages[MOST_MESSAGES];
  struct iovec parts[MOST_MESSAGES];
  static uint8_t nothing;
  for (uint32_t index = 0; index < count; index++) {
    napi_value message;
    if (napi_get_element(env, args[1], first + index, &message) != napi_ok) return ip_result(env, -EFAULT);
    size_t bytes;
    void *data = NULL;
    napi_typedarray_type type;
    if (napi_get_typedarray_info(env, message, &type, &bytes, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
      return ip_result(env, -EFAULT);
    }
    parts[index] = (struct iovec){.iov_base = data == NULL ? &nothing : data, .iov_len = bytes};
    messages[index] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[index], .msg_iovlen = 1}};
    if (!named) continue;
    messages[index].msg_hdr.msg_name = &receiver;
    messages[index].msg_hdr.msg_namelen = size;
  }
  return ip_answer(env, sendmmsg(ip_int32(env, args[0]), messages, count, ip_int32(env, args[3]) | MSG_NOSIGNAL));
}

/* recvmmsg(fd, bytes, stride, room, count up to 64, answers, names, flags): how many messages have come. The first `room`
   bytes of each stride of `bytes` are for one message, 10 words of `answers` (an Int32Array of 64 times 10 + 253) and 108
   bytes of `names` tell of it. The descriptors of all stand behind the words of 64 messages, one after the other. */
static napi_value unix_recvmmsg(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(8);
  struct sockaddr_un senders[MOST_MESSAGES];
  const size_t longest = sizeof senders[0].sun_path;
  size_t size = 0;
  uint8_t *bytes = ip_array(env, args[1], napi_uint8_array, 1, &size);
  size_t stride = ip_uint32(env, args[2]);
  size_t room = ip_uint32(env, args[3]);
  size_t count = ip_uint32(env, args[4]);
  int32_t *answers = ip_array(env, args[5], napi_int32_array, MOST_MESSAGES * (WORDS + MOST_DESCRIPTORS), NULL);
  uint8_t *names = ip_array(env, args[6], napi_uint8_array, MOST_MESSAGES * longest, NULL);
  bool fits = count > 0 && count <= MOST_MESSAGES && stride >= room && stride > 0 && count <= size / stride;
  if (bytes == NULL || answers == NULL || names == NULL || !fits) return ip_result(env, -EFAULT);
  struct mmsghdr messages[MOST_MESSAGES];
  struct iovec parts[MOST_MESSAGES];
  control_buffer controls[MOST_MESSAGES];
  for (size_t index = 0; index < count; index++) {
    parts[index] = (struct iovec){.iov_base = bytes + index * stride, .iov_len = room};
    messages[index] = (struct mmsghdr){.msg_hdr = {.msg_name = &senders[index],
                                                   .msg_namelen = sizeof senders[index],
                                                   .msg_iov = &parts[index],
                                                   .msg_iovlen = 1,
                                                   .msg_control = controls[index].bytes,
                                                   .msg_controllen = sizeof controls[index].bytes}};
  }
  int flags = ip_int32(env, args[7]) | MSG_CMSG_CLOEXEC;
  int received = recvmmsg(ip_int32(env, args[0]), messages, (unsigned int)count, flags, NULL);
  if (received < 0) return ip_result(env, -errno);
  size_t descriptors = 0;
  for (int index = 0; index < received; index++) {
    int32_t *words = answers + (size_t)index * WORDS;
    descriptors =
        tell(&messages[index].msg_hdr, messages[index].msg_len, words, answers + MOST_MESSAGES * WORDS, descriptors);
    memcpy(names + (size_t)index * longest, senders[index].sun_path, (size_t)words[NAME]);
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
                                         {"recv", unix_recv},
                                         {"recvOrEnd", unix_recv_or_end},
                                         {"sendmmsg", unix_sendmmsg},
                                         {"recvmmsg", unix_recvmmsg},
                                         {NULL, NULL}};
