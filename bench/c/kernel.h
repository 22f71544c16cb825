/*
 * The kernel's buffers as one pair of calls: pipe, FIFO, Unix stream socket, POSIX message queue. Blocking, and one
 * system call for each message on each side (a byte stream may need more for a large block).
 */
#pragma once
#include "common.h"
#include <mqueue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

typedef enum { PIPE, FIFO, UNIX, MQ } mechanism;

/* A way is made before the fork, and each side opens its end after it. */
typedef struct {
  mechanism kind;
  int ends[2]; /* read end, write end */
  char name[96];
} kernel_way;

static inline mechanism mechanism_of(const char *name) {
  if (strcmp(name, "pipe") == 0) return PIPE;
  if (strcmp(name, "fifo") == 0) return FIFO;
  if (strcmp(name, "unix") == 0) return UNIX;
  if (strcmp(name, "mq") == 0) return MQ;
  fprintf(stderr, "--mechanism must be pipe, fifo, unix or mq\n");
  exit(2);
}

static inline kernel_way kernel_way_create(mechanism kind, uint32_t size, int number) {
  kernel_way w = {.kind = kind, .ends = {-1, -1}};
  if (kind == PIPE && pipe2(w.ends, O_CLOEXEC) < 0) die("pipe2");
  if (kind == UNIX && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w.ends) < 0) die("socketpair");
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
  return w;
}

/* Both ends of a FIFO are opened at once; the second to come removes the name. */
static inline int kernel_open_reader(kernel_way *w) {
  if (w->kind == FIFO) {
    w->ends[0] = open(w->name, O_RDONLY | O_CLOEXEC);
    if (w->ends[0] < 0) die("open");
    unlink(w->name);
  } else if (w->kind != MQ) {
    close(w->ends[1]);
  }
  return w->ends[0];
}

static inline int kernel_open_writer(kernel_way *w) {
  if (w->kind == FIFO) {
    w->ends[1] = open(w->name, O_WRONLY | O_CLOEXEC);
    if (w->ends[1] < 0) die("open");
  } else if (w->kind != MQ) {
    close(w->ends[0]);
  }
  return w->ends[1];
}

static inline void kernel_send(mechanism kind, int fd, const uint8_t *message, uint32_t size) {
  if (kind == MQ) {
    if (mq_send(fd, (const char *)message, size, 0) < 0) die("mq_send");
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
  for (uint32_t done = 0; done < size;) {
    ssize_t n = read(fd, message + done, size - done);
    if (n <= 0) die("read");
    done += (uint32_t)n;
  }
}
