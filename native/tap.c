/*
 * A tap in a pipe: a thread moves what one process writes to the pipe that the next one reads, by splice(2) and tee(2), counts
 * it, and gives a copy to a third descriptor if asked. No byte comes into user space.
 *
 * This file holds policy, since the flow must not wait for JavaScript: the loop; that the end, and the loss of a reader, are passed
 * on at once by closing; and that a copy which nobody takes any more ends alone, while the flow goes on.
 */
#include "interproc.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST ((size_t)1 << 20) /* at a time; a pipe holds less */

/* What JavaScript reads while the thread counts: it outlives both. */
typedef struct {
  atomic_int references;
  _Atomic int64_t bytes;
  atomic_int copy_error; /* errno, once the copy has ended before the flow */
} tap_count;

typedef struct {
  ip_call call;
  tap_count *count;
  int from, to; /* ours; closed as soon as nothing flows any more */
  int copy;     /* ours, -1 without */
  size_t teed;  /* bytes that stand in `from` and have gone to `to`, but not to the copy */
  bool copied_by_hand;
  size_t held, given; /* bytes of `room` that are still to be written, behind those that were */
  uint8_t room[16384];
} tap;

static void drop_count(tap_count *count) {
  if (atomic_fetch_sub(&count->references, 1) == 1) free(count);
}

static void close_once(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static int64_t end_tap(tap *self, int64_t result) {
  close_once(&self->from);
  close_once(&self->to);
  close_once(&self->copy);
  return result;
}

/* The copy ends, and the flow goes on. */
static void end_copy(tap *self, int error) {
  atomic_store(&self->count->copy_error, error);
  close_once(&self->copy);
  self->held = 0;
}

/* What a call on the copy has failed with: waits where there is only no room now. 0, or -EINTR. */
static int copy_failed(tap *self, int error) {
  struct pollfd room = {.fd = self->copy, .events = POLLOUT};
  if (error == EINTR) return -EINTR;
  if (error != EAGAIN) end_copy(self, error);
  else if (poll(&room, 1, -1) < 0) return -EINTR;
  return 0;
}

/* Takes some of what has been teed out of `from`, into the copy: 0, or -EINTR. */
static int move_to_copy(tap *self) {
  ssize_t moved = splice(self->from, NULL, self->copy, NULL, self->teed, 0);
  if (moved > 0) {
    self->teed -= (size_t)moved;
    return 0;
  }
  if (moved < 0 && errno == EINVAL) {
    self->copied_by_hand = true; /* a file that is appended to, a terminal, a device: splice(2) knows no way into it */
    return 0;
  }
  return copy_failed(self, moved < 0 ? errno : EIO);
}

/* The same by read(2) and write(2); without a copy what is taken goes nowhere. */
static int take_by_hand(tap *self) {
  if (self->held == 0) {
    ssize_t taken = read(self->from, self->room, self->teed < sizeof self->room ? self->teed : sizeof self->room);
    if (taken < 0) return -EINTR;
    self->teed -= (size_t)taken;
    self->held = self->copy < 0 ? 0 : (size_t)taken;
    self->given = 0;
    return 0;
  }
  ssize_t written = write(self->copy, self->room + self->given, self->held);
  if (written < 0) return copy_failed(self, errno);
  self->given += (size_t)written;
  self->held -= (size_t)written;
  return 0;
}

/* All of what has been teed: 0, or -EINTR. */
static int take_out(tap *self) {
  while (self->teed > 0 || self->held > 0) {
    const bool by_hand = self->copied_by_hand || self->copy < 0;
    if ((by_hand ? take_by_hand(self) : move_to_copy(self)) < 0) return -EINTR;
  }
  return 0;
}

/* Waits until there is something, or nobody is left who would take it: a writer learns of that at once then, as it would without a tap. */
static int wait_for_bytes(const tap *self, bool *is_left) {
  struct pollfd ends[] = {{.fd = self->from, .events = POLLIN}, {.fd = self->to, .events = 0}};
  if (poll(ends, 2, -1) < 0) return -errno;
  *is_left = (ends[1].revents & POLLERR) == 0;
  return 0;
}

static int64_t run_tap(ip_call *call) {
  tap *self = (tap *)call;
  for (;;) {
    bool is_left = true;
    if (take_out(self) < 0 || wait_for_bytes(self, &is_left) < 0) return -EINTR;
    if (!is_left) return end_tap(self, 0);
    ssize_t moved = self->copy >= 0 ? tee(self->from, self->to, MOST, 0)
                                    : splice(self->from, NULL, self->to, NULL, MOST, 0);
    if (moved < 0 && errno == EINTR) return -EINTR;
    /* The next stage has gone: what it did not read is lost, as in any pipe. */
    if (moved < 0) return end_tap(self, errno == EPIPE ? 0 : -errno);
    if (moved == 0) return end_tap(self, 0);
    if (self->copy >= 0) self->teed = (size_t)moved;
    atomic_fetch_add(&self->count->bytes, moved);
  }
}

static void release_tap(ip_call *call) {
  tap *self = (tap *)call;
  end_tap(self, 0);
  drop_count(self->count);
}

static void count_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  drop_count(data);
}

/* tapCount(): what a tap counts into. */
static napi_value tap_count_create(napi_env env, napi_callback_info info) {
  (void)info;
  tap_count *count = calloc(1, sizeof *count);
  napi_value external;
  if (count == NULL) return ip_result(env, -ENOMEM);
  atomic_init(&count->references, 1);
  if (napi_create_external(env, count, count_collected, NULL, &external) == napi_ok) return external;
  free(count);
  return ip_result(env, -ENOMEM);
}

static tap_count *count_of(napi_env env, napi_value value) {
  void *count = NULL;
  return napi_get_value_external(env, value, &count) == napi_ok ? count : NULL;
}

/* tapBytes(count): bytes so far. */
static napi_value tap_bytes(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  tap_count *count = count_of(env, args[0]);
  return ip_result(env, count == NULL ? -EINVAL : atomic_load(&count->bytes));
}

/* tapCopyError(count): the errno with which the copy ended before the flow, 0 if it did not. */
static napi_value tap_copy_error(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  tap_count *count = count_of(env, args[0]);
  return ip_result(env, count == NULL ? -EINVAL : atomic_load(&count->copy_error));
}

static int duplicate(int fd) { return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0); }

/* blockingTap(token, count, from, to, copy): a thread moves everything; it has duplicates of the descriptors. `copy` is -1 without. */
static napi_value tap_blocking(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  tap_count *count = count_of(env, args[1]);
  if (count == NULL) return ip_result(env, -EINVAL);
  tap *self = calloc(1, sizeof *self);
  if (self == NULL) return ip_result(env, -ENOMEM);
  const int copy = ip_int32(env, args[4]);
  self->from = duplicate(ip_int32(env, args[2]));
  self->to = self->from < 0 ? -1 : duplicate(ip_int32(env, args[3]));
  self->copy = self->to < 0 ? -1 : duplicate(copy);
  if (self->from < 0 || self->to < 0 || (self->copy < 0 && copy >= 0)) {
    int failed = -errno;
    end_tap(self, 0);
    free(self);
    return ip_result(env, failed);
  }
  self->call = (ip_call){.run = run_tap, .release = release_tap};
  self->count = count;
  atomic_fetch_add(&count->references, 1);
  return ip_block(env, args[0], &self->call);
}

const ip_function ip_tap_functions[] = {{"tapCount", tap_count_create},
                                        {"tapBytes", tap_bytes},
                                        {"tapCopyError", tap_copy_error},
                                        {"blockingTap", tap_blocking},
                                        {NULL, NULL}};
