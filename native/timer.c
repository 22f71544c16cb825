/* Timers that send a signal with a value: timer_create(2). They belong to the process, and end with their environment. */
#include "interproc.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct ip_timer {
  int id; /* the kernel's; libc's timer_t is another thing, with threads behind it */
  struct ip_timer *next;
} ip_timer;

/* timerCreate(signal, value): on CLOCK_MONOTONIC; it is not set. Its id. */
static napi_value timer_make(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  ip_environment *environment = ip_environment_of(env);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = ip_int32(env, args[0]);
  event.sigev_value = ip_signal_value(env, args[1]);
  ip_timer *timer = malloc(sizeof *timer);
  if (timer == NULL) return ip_result(env, -ENOMEM);
  if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer->id) < 0) {
    int error = errno;
    free(timer);
    return ip_result(env, -error);
  }
  timer->next = environment->timers;
  environment->timers = timer;
  return ip_result(env, timer->id);
}

static struct timespec span(int64_t nanoseconds) {
  return (struct timespec){.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
}

/* timerSettime(id, after, every): nanoseconds; 0 and 0 stop it. */
static napi_value timer_set(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  struct itimerspec times = {.it_value = span(ip_int64(env, args[1])), .it_interval = span(ip_int64(env, args[2]))};
  return ip_answer(env, syscall(SYS_timer_settime, ip_int32(env, args[0]), 0, &times, NULL));
}

/* timerGettime(id): nanoseconds until it sends next, 0 if it is not set. */
static napi_value timer_get(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  struct itimerspec times;
  if (syscall(SYS_timer_gettime, ip_int32(env, args[0]), &times) < 0) return ip_result(env, -errno);
  return ip_result(env, (int64_t)times.it_value.tv_sec * 1000000000 + times.it_value.tv_nsec);
}

static napi_value timer_remove(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int id = ip_int32(env, args[0]);
  for (ip_timer **link = &ip_environment_of(env)->timers; *link != NULL; link = &(*link)->next) {
    ip_timer *timer = *link;
    if (timer->id != id) continue;
    *link = timer->next;
    free(timer);
    return ip_answer(env, syscall(SYS_timer_delete, id));
  }
  return ip_result(env, -EINVAL);
}

void ip_timers_end(ip_environment *environment) {
  while (environment->timers != NULL) {
    ip_timer *timer = environment->timers;
    environment->timers = timer->next;
    syscall(SYS_timer_delete, timer->id);
    free(timer);
  }
}

const ip_function ip_timer_functions[] = {{"timerCreate", timer_make},
                                          {"timerSettime", timer_set},
                                          {"timerGettime", timer_get},
                                          {"timerDelete", timer_remove},
                                          {NULL, NULL}};
