/*
 * The kernel's buffers as one pair of calls: pipe, FIFO, Unix sockets of all three types, message queues of POSIX and of System V.
 * Blocking, and one system call for each message on each side (a byte stream may need more for a large block).
 */
#pragma once
#include "common.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

typedef enum { PIPE, FIFO, UNIX, UNIXGRAM, UNIXPACKET, MQ, MSGQ } mechanism;

static const char *const MECHANISMS[] = {"pipe", "fifo", "unix", "unixgram", "unixpacket", "mq", "msgq"};

/* A way is made before the fork, and each side opens its end after it. */
typedef struct {
  mechanism kind;
  int ends[2]; /* read end, write end; the id of a System V queue is both */
  char name[96];
} kernel_way;

static inline mechanism mechanism_of(const char *name) {
  for (int kind = PIPE; kind <= MSGQ; kind++)
    if (strcmp(name, MECHANISMS[kind]) == 0) return (mechanism)kind;
  fprintf(stderr, "--mechanism must be pipe, fifo, unix, unixgram, unixpacket, mq or msgq\n");
  exit(2);
}

static inline kernel_way kernel_way_create(mechanism kind, uint32_t size, int number) {
  kernel_way w = {.kind = kind, .ends = {-1, -1}};
  if (kind == PIPE && pipe2(w.ends, O_CLOEXEC) < 0) die("pipe2");
  int type = kind == UNIX ? SOCK_STREAM : kind == UNIXGRAM ? SOCK_DGRAM : kind == UNIXPACKET ? SOCK_SEQPACKET : 0;
  if (type != 0 && socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, w.ends) < 0) die("socketpair");
  if (kind == FIFO) {
    const char *directory = getenv("TMPDIR");
    snprintf(w.name, sizeof w.name, "%s/bench-%d-%d", directory ? directory : "/tmp", getpid(), number);
    if (mkfifo(w.name, 0600) < 0) die("mkfifo");
  }
  if (kind == MQ) {
    snprintf(w.name, sizeof w.name, "/bench-%d-%d", getpid(), number);
    struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = size}; /* 10 is what every system allows */
    w.ends[0] = mq_open(w.name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (w.ends[0] < 0) die("mq_open");
    mq_unlink(w.name);
    w.ends[1] = w.ends[0];
  }
  if (kind == MSGQ) {
    w.ends[0] = w.ends[1] = msgget(IPC_PRIVATE, 0600);
    if (w.ends[0] < 0) die("msgget");
  }
  return w;
}

/* Both ends of a FIFO are opened at once; the second to come removes the name. */
static inline int kernel_open_reader(kernel_way *w) {
  if (w->kind == FIFO) {
    w->ends[0] = open(w->name, O_RDONLY | O_CLOEXEC);
    if (w->ends[0] < 0) die("open");
    unlink(w->name);
  } else if (w->kind < MQ) {
    close(w->ends[1]);
  }
  return w->ends[0];
}

static inline int kernel_open_writer(kernel_way *w) {
  if (w->kind == FIFO) {
    w->ends[1] = open(w->name, O_WRONLY | O_CLOEXEC);
    if (w->ends[1] < 0) die("open");
  } else if (w->kind < MQ) {
    close(w->ends[0]);
  }
  return w->ends[1];
}

/* What no process holds open has to be removed. */
static inline void kernel_way_end(kernel_way *w) {
  if (w->kind == MSGQ && msgctl(w->ends[0], IPC_RMID, NULL) < 0) die("msgctl");
}

/* A message of System V stands behind its type. */
static struct {
  long type;
  uint8_t bytes[65536];
} kernel_message = {.type = 1};

static inline void kernel_send(mechanism kind, int fd, const uint8_t *message, uint32_t size) {
  if (kind == MQ) {
    if (mq_send(fd, (const char *)message, size, 0) < 0) die("mq_send");
    return;
  }
  if (kind == MSGQ) {
    memcpy(kernel_message.bytes, message, size);
    if (msgsnd(fd, &kernel_message, size, 0) < 0) die("msgsnd");
    return;
  }
  for (uint32_t done = 0; done < size;) {
    ssize_t n = write(fd, message + done, size - done);
    if (n <= 0) die("write");
    done += (uint32_t)n;
  }
}

static inline void kernel_receive(mechanism kind, int fd, uint8_t *message, uint32_t size) {
  if (kind == MQ) {
    if (mq_receive(fd, (char *)message, size, NULL) != (ssize_t)size) die("mq_receive");
    return;
  }
  if (kind == MSGQ) {
    if (msgrcv(fd, &kernel_message, size, 0, 0) != (ssize_t)size) die("msgrcv");
    memcpy(message, kernel_message.bytes, size);
    return;
  }
  for (uint32_t done = 0; done < size;) {
    ssize_t n = read(fd, message + done, size - done);
    if (n <= 0) die("read");
    done += (uint32_t)n;
  }
}
