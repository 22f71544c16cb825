/*
 * System V message queues: sysvipc(7), msgop(2). A queue is an id, no descriptor, so nothing here can be polled.
 *
 * A message stands in memory that JavaScript and C share, as the kernel has it, struct msgbuf: its type, a C long, and
 * then its bytes. So nothing is copied here, and a call has no argument, as in transfer.c.
 */
#include "interproc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#define TYPE_SIZE sizeof(long)
_Static_assert(sizeof(long) == 8, "a type has the size of an int64_t");

/* A C long, as number or, beyond 2^53, as bigint; false for what is neither. */
static bool long_value(napi_env env, napi_value value, int64_t *result) {
  if (napi_get_value_int64(env, value, result) == napi_ok) return true;
  bool exact;
  return napi_get_value_bigint_int64(env, value, result, &exact) == napi_ok && exact;
}

/* ftok(path, id): the key, 0 to 2^32 - 1. */
static napi_value sysv_ftok(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  char path[IP_PATH_SIZE];
  int bad = ip_path(env, args[0], path);
  if (bad < 0) return ip_result(env, bad);
  errno = 0; /* -1 is a key, too */
  key_t key = ftok(path, ip_int32(env, args[1]));
  if (key == -1 && errno != 0) return ip_result(env, -errno);
  return ip_result(env, (uint32_t)key);
}

/* msgget(key, flags): the id. What is no key is not taken for 0, which makes a queue. */
static napi_value sysv_msgget(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  uint32_t key, flags;
  if (napi_get_value_uint32(env, args[0], &key) != napi_ok || napi_get_value_uint32(env, args[1], &flags) != napi_ok) {
    return ip_result(env, -EINVAL);
  }
  return ip_answer(env, msgget((key_t)key, (int)flags));
}

/* ---- messages -------------------------------------------------------------------------------- */

enum { ID = 0, LENGTH = 1, FLAGS = 2, RESULT = 3, WORDS = 4 };

typedef struct {
  void *message; /* a type, and then `size` bytes */
  size_t size;
} room;

struct ip_rooms {
  int32_t *words;
  room outgoing, incoming;
};

/* A Uint8Array that holds a type and bytes. */
static bool room_of(napi_env env, napi_value array, room *found) {
  size_t available;
  found->message = ip_array(env, array, napi_uint8_array, TYPE_SIZE, &available);
  if (found->message == NULL) return false;
  found->size = available - TYPE_SIZE;
  return true;
}

/* msgRooms(words, outgoing, incoming): JavaScript holds all three for as long as it makes the calls below. */
static napi_value sysv_rooms(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  ip_environment *environment = ip_environment_of(env);
  struct ip_rooms rooms = {.words = ip_array(env, args[0], napi_int32_array, WORDS, NULL)};
  if (rooms.words == NULL || !room_of(env, args[1], &rooms.outgoing) || !room_of(env, args[2], &rooms.incoming)) {
    return ip_result(env, -EFAULT);
  }
  if (environment->rooms == NULL) environment->rooms = malloc(sizeof rooms);
  if (environment->rooms == NULL) return ip_result(env, -ENOMEM);
  *environment->rooms = rooms;
  return ip_result(env, 0);
}

/* Whether the words ask for no more than the room has; how much, then. */
static inline bool fits(const struct ip_rooms *rooms, const room *place, size_t *length) {
  *length = (uint32_t)rooms->words[LENGTH];
  return *length <= place->size;
}

/* msgsnd() of the outgoing message, with the arguments and the result in the words. */
static napi_value sysv_msgsnd(napi_env env, napi_callback_info info) {
  (void)info;
  struct ip_rooms *rooms = ip_environment_of(env)->rooms;
  size_t length;
  if (rooms == NULL || !fits(rooms, &rooms->outgoing, &length)) return ip_result(env, -EFAULT);
  int32_t *words = rooms->words;
  words[RESULT] = msgsnd(words[ID], rooms->outgoing.message, length, words[FLAGS]) < 0 ? -errno : 0;
  return NULL;
}

/* msgrcv() into the incoming room, likewise; the type that is wanted stands where that of the message will. */
static napi_value sysv_msgrcv(napi_env env, napi_callback_info info) {
  (void)info;
  struct ip_rooms *rooms = ip_environment_of(env)->rooms;
  size_t length;
  if (rooms == NULL || !fits(rooms, &rooms->incoming, &length)) return ip_result(env, -EFAULT);
  int32_t *words = rooms->words;
  long type;
  memcpy(&type, rooms->incoming.message, sizeof type);
  ssize_t received = msgrcv(words[ID], rooms->incoming.message, length, type, words[FLAGS]);
  words[RESULT] = received < 0 ? -errno : (int32_t)received;
  return NULL;
}

/* ---- the queue ------------------------------------------------------------------------------- */

/* msgctlStat(id, fields): uid, gid, cuid, cgid, mode, key, messages, bytes, most bytes, pids of the last sender and
   receiver, times of the last send, receive and change in seconds. */
static napi_value sysv_msgctl_stat(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int64_t *fields = ip_array(env, args[1], napi_bigint64_array, 14, NULL);
  if (fields == NULL) return ip_result(env, -EFAULT);
  struct msqid_ds found;
  if (msgctl(ip_int32(env, args[0]), IPC_STAT, &found) < 0) return ip_result(env, -errno);
  const struct ipc_perm *who = &found.msg_perm;
  const int64_t values[14] = {who->uid,
                              who->gid,
                              who->cuid,
                              who->cgid,
                              who->mode,
                              (uint32_t)who->__key,
                              (int64_t)found.msg_qnum,
                              (int64_t)found.__msg_cbytes,
                              (int64_t)found.msg_qbytes,
                              found.msg_lspid,
                              found.msg_lrpid,
                              found.msg_stime,
                              found.msg_rtime,
                              found.msg_ctime};
  memcpy(fields, values, sizeof values);
  return ip_result(env, 0);
}

/* msgctlSet(id, uid, gid, mode, most bytes) */
static napi_value sysv_msgctl_set(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  struct msqid_ds wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.msg_perm.uid = ip_uint32(env, args[1]);
  wanted.msg_perm.gid = ip_uint32(env, args[2]);
  wanted.msg_perm.mode = (unsigned short)ip_uint32(env, args[3]);
  wanted.msg_qbytes = (msglen_t)ip_int64(env, args[4]);
  return ip_answer(env, msgctl(ip_int32(env, args[0]), IPC_SET, &wanted));
}

/* msgctlRemove(id) */
static napi_value sysv_msgctl_remove(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_answer(env, msgctl(ip_int32(env, args[0]), IPC_RMID, NULL));
}

/* ---- waiting -------------------------------------------------------------------------------- */

typedef struct {
  ip_call call;
  int id;
  size_t size;
  long message[]; /* its type, and `size` bytes */
} blocked_send;

static int64_t run_send(ip_call *call) {
  blocked_send *wait = (blocked_send *)call;
  return msgsnd(wait->id, wait->message, wait->size, 0) < 0 ? -errno : 0;
}

/* blockingMsgsnd(token): a thread sends a copy of the outgoing message, waiting for room. */
static napi_value sysv_blocking_msgsnd(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  const struct ip_rooms *rooms = ip_environment_of(env)->rooms;
  size_t length;
  if (rooms == NULL || !fits(rooms, &rooms->outgoing, &length)) return ip_result(env, -EFAULT);
  blocked_send *wait = malloc(sizeof *wait + TYPE_SIZE + length);
  if (wait == NULL) return ip_result(env, -ENOMEM);
  wait->call = (ip_call){.run = run_send};
  wait->id = rooms->words[ID];
  wait->size = length;
  memcpy(wait->message, rooms->outgoing.message, TYPE_SIZE + length);
  return ip_block(env, args[0], &wait->call);
}

/*
 * A thread waits for a message without taking it: it offers no room, so for one that has any bytes the kernel answers
 * E2BIG and leaves it in the queue, for the thread of JavaScript to take. So nothing is lost where nobody is left to
 * take it, be it that the wait is given up or that its worker ends.
 *
 * An empty message does fit, and is taken. Its type, a C long, is more than a result can tell: it stays here, under a
 * number which the result is, until JavaScript asks for it; where nobody will, it goes back into the queue.
 */
typedef struct {
  ip_call call;
  int id;
  int flags;
  long type;
} blocked_receive;

typedef struct taken {
  int64_t number;
  int id;
  long type;
  struct taken *next;
} taken;

static pthread_mutex_t taken_lock = PTHREAD_MUTEX_INITIALIZER;
static taken *all_taken;
static int64_t last_number;

static bool take_out(int64_t number, int *id, long *type) {
  pthread_mutex_lock(&taken_lock);
  taken **link = &all_taken;
  while (*link != NULL && (*link)->number != number) link = &(*link)->next;
  taken *found = *link;
  if (found != NULL) *link = found->next;
  pthread_mutex_unlock(&taken_lock);
  if (found == NULL) return false;
  *id = found->id;
  *type = found->type;
  free(found);
  return true;
}

static int64_t run_receive(ip_call *call) {
  blocked_receive *wait = (blocked_receive *)call;
  taken *empty = malloc(sizeof *empty); /* before anything is taken for which there would be no room */
  if (empty == NULL) return -ENOMEM;
  struct msgbuf message;
  if (msgrcv(wait->id, &message, 0, wait->type, wait->flags) < 0) {
    int error = errno;
    free(empty);
    return -error;
  }
  empty->id = wait->id;
  empty->type = message.mtype;
  pthread_mutex_lock(&taken_lock);
  empty->number = ++last_number;
  empty->next = all_taken;
  all_taken = empty;
  pthread_mutex_unlock(&taken_lock);
  return empty->number;
}

static void discard_receive(ip_call *call, int64_t result) {
  (void)call;
  int id;
  struct msgbuf message;
  if (result > 0 && take_out(result, &id, &message.mtype)) {
    int back = msgsnd(id, &message, 0, IPC_NOWAIT);
    (void)back; /* fails only where the queue is removed, or full */
  }
}

/* blockingMsgrcv(token, id, type, flags): -E2BIG once there is such a message, or the number of an empty one. */
static napi_value sysv_blocking_msgrcv(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  int64_t type;
  if (!long_value(env, args[2], &type)) return ip_result(env, -EFAULT);
  blocked_receive *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return ip_result(env, -ENOMEM);
  wait->call = (ip_call){.run = run_receive, .discard = discard_receive};
  wait->id = ip_int32(env, args[1]);
  wait->type = type;
  wait->flags = ip_int32(env, args[3]);
  return ip_block(env, args[0], &wait->call);
}

/* msgTaken(number): the type of an empty message that was taken, as bigint; -ENOMSG if there is none. */
static napi_value sysv_taken(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int id;
  long type;
  if (!take_out(ip_int64(env, args[0]), &id, &type)) return ip_result(env, -ENOMSG);
  napi_value answer;
  napi_create_bigint_int64(env, type, &answer);
  return answer;
}

const ip_function ip_sysv_functions[] = {{"ftok", sysv_ftok},
                                         {"msgget", sysv_msgget},
                                         {"msgRooms", sysv_rooms},
                                         {"msgsnd", sysv_msgsnd},
                                         {"msgrcv", sysv_msgrcv},
                                         {"msgctlStat", sysv_msgctl_stat},
                                         {"msgctlSet", sysv_msgctl_set},
                                         {"msgctlRemove", sysv_msgctl_remove},
                                         {"blockingMsgsnd", sysv_blocking_msgsnd},
                                         {"blockingMsgrcv", sysv_blocking_msgrcv},
                                         {"msgTaken", sysv_taken},
                                         {NULL, NULL}};
