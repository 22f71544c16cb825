/*
 * Calls that cannot be polled, each on a thread of its own: open(2) of a FIFO, connect(2) to a
 * full backlog, F_OFD_SETLKW, futex(2).
 *
 * This file holds policy, because only a thread can: it keeps idle threads for reuse (a new one may
 * not run for milliseconds on a busy machine), and it repeats a call that a signal interrupted for
 * nothing. Cancelling interrupts the thread with IP_CANCEL_SIGNAL. One signal is not enough: it
 * can arrive just before the thread enters the kernel (seen in 12 of 12,000 aimed attempts), so
 * whoever cancels repeats it until the call is reported done. A call that had succeeded by then is
 * reported as a success: nothing it took is lost.
 *
 * Each thread has the name of the thread that it waits for, so that another process can tell who waits: src/lock/waits reads it.
 *
 * The threads block every signal but this one and IP_SPARE_SIGNAL, so that none of the process's signals is handled
 * on them.
 */
#include "interproc.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define IDLE_SECONDS 5 /* how long a thread without work is kept */
#define STACK_SIZE (64 * 1024)

typedef struct waiting_thread {
  pthread_t id;
  pthread_cond_t work;
  struct ip_job *job; /* NULL while idle */
  long named_for;     /* the thread that its name has */
  struct waiting_thread *next;
} waiting_thread;

typedef struct ip_job {
  ip_call *call;
  double token;
  int64_t result;
  atomic_bool cancelled;
  waiting_thread *thread; /* NULL once the call has returned; guarded by pool_lock */
  struct ip_jobs *owner;
  struct ip_job *next, *previous;
} ip_job;

/* The calls of one environment. `running` and `finished` are guarded by pool_lock. */
struct ip_jobs {
  long thread; /* of the environment */
  ip_job *running;
  ip_job *finished, *last_finished;
  int finished_event; /* eventfd: there is something in `finished` */
};

/* One pool for the process: the threads belong to nobody. */
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;
static waiting_thread *idle_threads;
static pthread_cond_t some_call_finished; /* told to threads that wait for one synchronously */

static void interrupted(int number) { (void)number; }

static void install_handler(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = interrupted; /* without SA_RESTART: the call returns EINTR */
  sigaction(IP_CANCEL_SIGNAL, &action, NULL);
}

static void set_up_pool(void) {
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&some_call_finished, &clock);
  pthread_condattr_destroy(&clock);
  install_handler();
}

static void link_running(ip_job *job) {
  job->next = job->owner->running;
  if (job->next != NULL) job->next->previous = job;
  job->owner->running = job;
}

static void unlink_running(ip_job *job) {
  if (job->previous != NULL) job->previous->next = job->next;
  if (job->next != NULL) job->next->previous = job->previous;
  if (job->owner->running == job) job->owner->running = job->next;
  job->next = job->previous = NULL;
}

static int64_t make_call(ip_job *job) {
  for (;;) {
    if (atomic_load(&job->cancelled)) return -ECANCELED;
    int64_t result = job->call->run(job->call);
    if (result != -EINTR) return result;
  }
}

static void finish(ip_job *job, int64_t result) {
  const uint64_t one = 1;
  job->result = result;
  unlink_running(job);
  if (job->owner->last_finished != NULL) {
    job->owner->last_finished->next = job;
  } else {
    job->owner->finished = job;
  }
  job->owner->last_finished = job;
  ssize_t told = write(job->owner->finished_event, &one, sizeof one);
  (void)told; /* fails only when the counter is full, and then the event is raised already */
  pthread_cond_broadcast(&some_call_finished);
}

static void name_for(waiting_thread *self, long thread) {
  if (self->named_for == thread) return;
  char name[16]; /* the kernel's limit */
  snprintf(name, sizeof name, "ipc-for %ld", thread);
  prctl(PR_SET_NAME, name);
  self->named_for = thread;
}

static void leave_idle(const waiting_thread *self) {
  for (waiting_thread **link = &idle_threads; *link != NULL; link = &(*link)->next) {
    if (*link == self) {
      *link = self->next;
      return;
    }
  }
}

static void *wait_for_work(void *argument) {
  waiting_thread *self = argument;
  pthread_mutex_lock(&pool_lock);
  for (;;) {
    while (self->job == NULL) {
      struct timespec until;
      clock_gettime(CLOCK_MONOTONIC, &until);
      until.tv_sec += IDLE_SECONDS;
      if (pthread_cond_timedwait(&self->work, &pool_lock, &until) == ETIMEDOUT && self->job == NULL) {
        leave_idle(self);
        pthread_mutex_unlock(&pool_lock);
        ip_robust_settled();
        pthread_cond_destroy(&self->work);
        free(self);
        return NULL;
      }
    }
    ip_job *job = self->job;
    long thread = job->owner->thread;
    pthread_mutex_unlock(&pool_lock);
    name_for(self, thread);
    ip_robust_settled();
    int64_t result = make_call(job);
    pthread_mutex_lock(&pool_lock);
    job->thread = NULL;
    self->job = NULL;
    self->next = idle_threads;
    idle_threads = self;
    finish(job, result);
  }
}

/* pool_lock is held. */
static int start_thread(ip_job *job) {
  waiting_thread *thread = calloc(1, sizeof *thread);
  if (thread == NULL) return -ENOMEM;
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&thread->work, &clock);
  pthread_condattr_destroy(&clock);
  thread->job = job;
  job->thread = thread;

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_SIZE > PTHREAD_STACK_MIN ? STACK_SIZE : (size_t)PTHREAD_STACK_MIN);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigset_t all_but_ours, before;
  sigfillset(&all_but_ours);
  sigdelset(&all_but_ours, IP_CANCEL_SIGNAL);
  sigdelset(&all_but_ours, IP_SPARE_SIGNAL);
  pthread_sigmask(SIG_SETMASK, &all_but_ours, &before); /* the new thread inherits it */
  int failed = pthread_create(&thread->id, &attributes, wait_for_work, thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (failed == 0) return 0;
  job->thread = NULL;
  pthread_cond_destroy(&thread->work);
  free(thread);
  return -failed;
}

static int hand_to_thread(ip_job *job) {
  pthread_mutex_lock(&pool_lock);
  int failed = 0;
  link_running(job);
  waiting_thread *thread = idle_threads;
  if (thread != NULL) {
    idle_threads = thread->next;
    thread->job = job;
    job->thread = thread;
    pthread_cond_signal(&thread->work);
  } else {
    failed = start_thread(job);
    if (failed != 0) unlink_running(job);
  }
  pthread_mutex_unlock(&pool_lock);
  return failed;
}

static void free_job(ip_job *job) {
  if (job->call->release != NULL) job->call->release(job->call);
  free(job->call);
  free(job);
}

void ip_discard_descriptor(ip_call *call, int64_t result) {
  (void)call;
  if (result >= 0) close((int)result);
}

static struct ip_jobs *jobs_of(ip_environment *environment) {
  if (environment->jobs == NULL) {
    struct ip_jobs *jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL) return NULL;
    jobs->finished_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (jobs->finished_event < 0) {
      free(jobs);
      return NULL;
    }
    jobs->thread = syscall(SYS_gettid);
    environment->jobs = jobs;
  }
  return environment->jobs;
}

int ip_blocking_descriptor(ip_environment *environment) {
  struct ip_jobs *jobs = jobs_of(environment);
  return jobs == NULL ? -ENOMEM : jobs->finished_event;
}

napi_value ip_block(napi_env env, napi_value token, ip_call *call) {
  pthread_once(&pool_once, set_up_pool);
  struct ip_jobs *jobs = jobs_of(ip_environment_of(env));
  ip_job *job = jobs == NULL ? NULL : calloc(1, sizeof *job);
  if (job == NULL) {
    if (call->release != NULL) call->release(call);
    free(call);
    return ip_result(env, -ENOMEM);
  }
  job->call = call;
  job->owner = jobs;
  napi_get_value_double(env, token, &job->token);
  atomic_init(&job->cancelled, false);
  int failed = hand_to_thread(job);
  if (failed != 0) free_job(job);
  return ip_result(env, failed);
}

/* pool_lock is held. */
static void interrupt(ip_job *job) {
  atomic_store(&job->cancelled, true);
  if (job->thread == NULL) return;
  if (pthread_kill(job->thread->id, IP_CANCEL_SIGNAL) == EAGAIN && ip_spare_signal_is_ours()) {
    pthread_kill(job->thread->id, IP_SPARE_SIGNAL);
  }
}

/* cancelBlocking(token): interrupts the call once; to be repeated until it is reported done.
   1 while the call is running, 0 when it has returned. */
static napi_value blocking_cancel(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  double token = 0;
  int32_t running = 0;
  napi_get_value_double(env, args[0], &token);
  const struct ip_jobs *jobs = ip_environment_of(env)->jobs;
  pthread_mutex_lock(&pool_lock);
  for (ip_job *job = jobs == NULL ? NULL : jobs->running; job != NULL; job = job->next) {
    if (job->token != token) continue;
    interrupt(job);
    running = 1;
    break;
  }
  pthread_mutex_unlock(&pool_lock);
  return ip_result(env, running);
}

/* The result, which goes to JavaScript: a descriptor belongs to the environment from now on. */
static int64_t handed_out(ip_environment *environment, const ip_job *job) {
  if (job->call->discard == ip_discard_descriptor && job->result >= 0) {
    ip_hold_descriptor(environment, (int32_t)job->result);
  }
  if (job->call->keep != NULL) job->call->keep(environment, job->call, job->result);
  return job->result;
}

/* The finished job of this token, taken out of the list; NULL if it has not finished. pool_lock is held. */
static ip_job *take_finished(struct ip_jobs *jobs, double token) {
  ip_job *before = NULL;
  for (ip_job *job = jobs->finished; job != NULL; before = job, job = job->next) {
    if (job->token != token) continue;
    if (before == NULL) {
      jobs->finished = job->next;
    } else {
      before->next = job->next;
    }
    if (jobs->last_finished == job) jobs->last_finished = before;
    return job;
  }
  return NULL;
}

/* awaitBlocking(token, timeout in ms): blocks this thread until the call has returned, and answers its
   result, which is not reported otherwise; undefined if it has not returned in time. */
static napi_value blocking_await(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  double token = 0;
  struct timespec until;
  napi_get_value_double(env, args[0], &token);
  int64_t nanoseconds = (int64_t)ip_uint32(env, args[1]) * 1000000;
  clock_gettime(CLOCK_MONOTONIC, &until);
  nanoseconds += until.tv_nsec;
  until.tv_sec += (time_t)(nanoseconds / 1000000000);
  until.tv_nsec = (long)(nanoseconds % 1000000000);
  struct ip_jobs *jobs = ip_environment_of(env)->jobs;
  if (jobs == NULL) return ip_result(env, -EINVAL);
  pthread_mutex_lock(&pool_lock);
  ip_job *job = take_finished(jobs, token);
  for (int late = 0; job == NULL && late == 0; job = take_finished(jobs, token)) {
    late = pthread_cond_timedwait(&some_call_finished, &pool_lock, &until);
  }
  pthread_mutex_unlock(&pool_lock);
  napi_value answer;
  if (job == NULL) {
    napi_get_undefined(env, &answer);
    return answer;
  }
  answer = ip_result(env, handed_out(ip_environment_of(env), job));
  free_job(job);
  return answer;
}

/* collectBlocking(done as Float64Array): fills it with pairs of token and result, answers how many.
   What does not fit raises the event again. */
static napi_value blocking_collect(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  size_t length = 0;
  double *done = ip_array(env, args[0], napi_float64_array, 2, &length);
  struct ip_jobs *jobs = ip_environment_of(env)->jobs;
  if (done == NULL) return ip_result(env, -EFAULT);
  if (jobs == NULL) return ip_result(env, 0);
  const size_t pairs = length / 2;
  uint64_t raised;
  ssize_t lowered = read(jobs->finished_event, &raised, sizeof raised);
  (void)lowered;
  size_t count = 0;
  pthread_mutex_lock(&pool_lock);
  while (jobs->finished != NULL && count < pairs) {
    ip_job *job = jobs->finished;
    jobs->finished = job->next;
    if (jobs->finished == NULL) jobs->last_finished = NULL;
    done[2 * count] = job->token;
    done[2 * count + 1] = (double)handed_out(ip_environment_of(env), job);
    count++;
    free_job(job);
  }
  if (jobs->finished != NULL) {
    const uint64_t one = 1;
    ssize_t told = write(jobs->finished_event, &one, sizeof one);
    (void)told;
  }
  pthread_mutex_unlock(&pool_lock);
  return ip_result(env, (int64_t)count);
}

/* The environment ends: every call is cancelled and waited for, and what one of them got at the
   last moment is given back. */
void ip_blocking_end(ip_environment *environment) {
  struct ip_jobs *jobs = environment->jobs;
  if (jobs == NULL) return;
  const struct timespec pause = {.tv_nsec = 50 * 1000};
  pthread_mutex_lock(&pool_lock);
  while (jobs->running != NULL) {
    for (ip_job *job = jobs->running; job != NULL; job = job->next) interrupt(job);
    pthread_mutex_unlock(&pool_lock);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&pool_lock);
  }
  ip_job *job = jobs->finished;
  jobs->finished = jobs->last_finished = NULL;
  pthread_mutex_unlock(&pool_lock);
  while (job != NULL) {
    ip_job *next = job->next;
    if (job->call->discard != NULL) job->call->discard(job->call, job->result);
    free_job(job);
    job = next;
  }
  close(jobs->finished_event);
  free(jobs);
  environment->jobs = NULL;
}

const ip_function ip_blocking_functions[] = {
    {"cancelBlocking", blocking_cancel},
    {"awaitBlocking", blocking_await},
    {"collectBlocking", blocking_collect},
    {NULL, NULL}};
