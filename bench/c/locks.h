/*
 * The locks that take.c and hand-over.c measure, three of each kind, between processes. `kind` is a constant wherever these are called, so
 * that nothing is left of the switches.
 *
 * A file is opened for each lock and closed after it, as our side does when it is given a path.
 */
#pragma once
#include "common.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#define LOCKS 3
typedef enum { MUTEX, SEM, SEMSET, FLOCK, OFD } kind;

/* Each in a line of the cache of its own. */
typedef union {
  pthread_mutex_t mutex;
  sem_t sem;
  char line[64];
} place;

static struct {
  place *places;
  int set;
  char files[LOCKS][64];
  int open[LOCKS];
} locks;

static inline kind kind_of(int argc, char **argv) {
  static const char *const names[] = {"mutex", "sem", "semset", "flock", "ofd"};
  const char *name = option(argc, argv, "--mechanism", "mutex");
  for (int k = MUTEX; k <= OFD; k++)
    if (strcmp(name, names[k]) == 0) return k;
  fprintf(stderr, "--mechanism is mutex, sem, semset, flock or ofd, not %s\n", name);
  exit(2);
}

static inline bool hands_over(kind k) { return k == SEM || k == SEMSET; }

static inline void locks_create(kind k, int value) {
  if (k == MUTEX || k == SEM) locks.places = shared_memory(LOCKS * sizeof(place));
  if (k == SEMSET && (locks.set = semget(IPC_PRIVATE, LOCKS, 0600)) < 0) die("semget");
  for (int i = 0; i < LOCKS; i++) {
    if (k == MUTEX) {
      pthread_mutexattr_t how;
      pthread_mutexattr_init(&how);
      pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
      pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
      if (pthread_mutex_init(&locks.places[i].mutex, &how) != 0) die("pthread_mutex_init");
    } else if (k == SEM) {
      if (sem_init(&locks.places[i].sem, 1, (unsigned)value) < 0) die("sem_init");
    } else if (k == SEMSET) {
      if (semctl(locks.set, i, SETVAL, value) < 0) die("semctl");
    } else if (k == FLOCK || i == 0) {
      strcpy(locks.files[i], "/tmp/bench-lock-XXXXXX");
      int fd = mkstemp(locks.files[i]);
      if (fd < 0) die("mkstemp");
      close(fd);
    }
  }
}

static inline void locks_remove(kind k) {
  if (k == SEMSET) semctl(locks.set, 0, IPC_RMID);
  for (int i = 0; i < LOCKS; i++)
    if (locks.files[i][0] != 0) unlink(locks.files[i]);
}

static inline void semset_change(int which, short by) {
  struct sembuf operation = {.sem_num = (unsigned short)which, .sem_op = by};
  while (semop(locks.set, &operation, 1) < 0)
    if (errno != EINTR) die("semop");
}

static inline void ofd_set(int fd, short type, int which) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = which, .l_len = 1};
  while (fcntl(fd, F_OFD_SETLKW, &range) < 0)
    if (errno != EINTR) die("fcntl");
}

static inline __attribute__((always_inline)) void lock_take(kind k, int which) {
  if (k == MUTEX) {
    if (pthread_mutex_lock(&locks.places[which].mutex) != 0) die("pthread_mutex_lock");
  } else if (k == SEM) {
    while (sem_wait(&locks.places[which].sem) < 0)
      if (errno != EINTR) die("sem_wait");
  } else if (k == SEMSET) {
    semset_change(which, -1);
  } else {
    int fd = open(locks.files[k == FLOCK ? which : 0], O_RDWR | O_CLOEXEC);
    if (fd < 0) die("open");
    if (k == OFD) ofd_set(fd, F_WRLCK, which);
    else if (flock(fd, LOCK_EX) < 0) die("flock");
    locks.open[which] = fd;
  }
}

static inline __attribute__((always_inline)) void lock_give(kind k, int which) {
  if (k == MUTEX) {
    if (pthread_mutex_unlock(&locks.places[which].mutex) != 0) die("pthread_mutex_unlock");
  } else if (k == SEM) {
    if (sem_post(&locks.places[which].sem) < 0) die("sem_post");
  } else if (k == SEMSET) {
    semset_change(which, 1);
  } else {
    if (k == OFD) ofd_set(locks.open[which], F_UNLCK, which);
    else if (flock(locks.open[which], LOCK_UN) < 0) die("flock");
    close(locks.open[which]);
  }
}
