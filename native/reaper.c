/*
 * Waiting for children with waitid(P_PIDFD), and the book of those that nobody has waited for yet.
 *
 * Only children of this book are ever waited for, each by its own pidfd: never those of child_process, or of other code
 * in this process. A child that nobody waits for stays a zombie for as long as this process lives. While the
 * environment that started it lives, its JavaScript waits for it. When that environment (a worker) ends first, nobody is
 * left to do that but this file, which therefore holds policy: one thread takes over the children that are still
 * running, and ends with the last of them.
 */
#include "interproc.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define IP_P_PIDFD ((idtype_t)3) /* P_PIDFD; glibc names it since 2.36 */

typedef struct child {
  struct child *next;
  ip_environment *environment; /* NULL: nobody's, the thread has it */
  int pidfd;
} child;

static pthread_mutex_t book_lock = PTHREAD_MUTEX_INITIALIZER;
static child *book;
static int bell = -1; /* an eventfd while the thread runs: there are more children for it */

void ip_keep_child(ip_environment *environment, int pidfd) {
  child *kept = calloc(1, sizeof *kept);
  ip_hold_descriptor(environment, pidfd);
  if (kept == NULL) return; /* only the end of a worker would miss it */
  kept->environment = environment;
  kept->pidfd = pidfd;
  pthread_mutex_lock(&book_lock);
  kept->next = book;
  book = kept;
  pthread_mutex_unlock(&book_lock);
}

static void forget_child(const ip_environment *environment, int pidfd) {
  pthread_mutex_lock(&book_lock);
  for (child **at = &book; *at != NULL; at = &(*at)->next) {
    child *found = *at;
    if (found->environment != environment || found->pidfd != pidfd) continue;
    *at = found->next;
    free(found);
    break;
  }
  pthread_mutex_unlock(&book_lock);
}

/* 1 with the code (CLD_…) and the status in `change`, 0 if there is nothing to tell, -errno. */
static int waited(int pidfd, int options, int32_t *change) {
  siginfo_t info = {.si_pid = 0};
  if (waitid(IP_P_PIDFD, (id_t)pidfd, &info, options) < 0) return -errno;
  if (info.si_pid == 0) return 0;
  change[0] = info.si_code;
  change[1] = info.si_status;
  return 1;
}

/* childKeep(pidfd): one that was not started here, but is a child. */
static napi_value child_keep(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int32_t change[2];
  int pidfd = ip_int32(env, args[0]);
  int found = waited(pidfd, WEXITED | WNOHANG | WNOWAIT, change);
  if (found < 0) return ip_result(env, found);
  ip_keep_child(ip_environment_of(env), pidfd);
  return ip_result(env, 0);
}

/* childReap(pidfd, change): how it ended, if it has; it is no zombie any more then. */
static napi_value child_reap(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int32_t *change = ip_array(env, args[1], napi_int32_array, 2, NULL);
  if (change == NULL) return ip_result(env, -EFAULT);
  int pidfd = ip_int32(env, args[0]);
  int found = waited(pidfd, WEXITED | WNOHANG, change);
  if (found != 0) forget_child(ip_environment_of(env), pidfd);
  return ip_result(env, found);
}

/* childEnd(pidfd, change): how it ended, if it has; it stays a zombie (WNOWAIT). */
static napi_value child_end(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int32_t *change = ip_array(env, args[1], napi_int32_array, 2, NULL);
  if (change == NULL) return ip_result(env, -EFAULT);
  return ip_result(env, waited(ip_int32(env, args[0]), WEXITED | WNOHANG | WNOWAIT, change));
}

/* childChange(pidfd, change): that it was stopped or continued, if it was since the last time. */
static napi_value child_change(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int32_t *change = ip_array(env, args[1], napi_int32_array, 2, NULL);
  if (change == NULL) return ip_result(env, -EFAULT);
  return ip_result(env, waited(ip_int32(env, args[0]), WSTOPPED | WCONTINUED | WNOHANG, change));
}

typedef struct {
  ip_call call;
  int pidfd;
} blocked_change;

/* WNOWAIT: who asked collects it in its own thread, so a cancelled wait has taken nothing. */
static int64_t run_change(ip_call *call) {
  int32_t change[2];
  return waited(((const blocked_change *)call)->pidfd, WSTOPPED | WCONTINUED | WEXITED | WNOWAIT, change);
}

static void release_change(ip_call *call) { close(((blocked_change *)call)->pidfd); }

/* blockingChildChange(token, pidfd): until it is stopped, continued, or has ended. On a duplicate, so that closing
   `pidfd` meanwhile cannot lead it to another child. */
static napi_value blocking_child_change(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int pidfd = fcntl(ip_int32(env, args[1]), F_DUPFD_CLOEXEC, 0);
  if (pidfd < 0) return ip_result(env, -errno);
  blocked_change *wait = calloc(1, sizeof *wait);
  if (wait == NULL) {
    close(pidfd);
    return ip_result(env, -ENOMEM);
  }
  wait->call = (ip_call){.run = run_change, .release = release_change};
  wait->pidfd = pidfd;
  return ip_block(env, args[0], &wait->call);
}

/* ---- children whose worker has ended --------------------------------------------------------- */

/* Waits for those of nobody that have ended; answers how many are left. book_lock is held. */
static size_t reap_nobodys(void) {
  size_t left = 0;
  for (child **at = &book; *at != NULL;) {
    child *found = *at;
    int32_t change[2];
    if (found->environment != NULL || waited(found->pidfd, WEXITED | WNOHANG, change) == 0) {
      left += found->environment == NULL;
      at = &found->next;
      continue;
    }
    *at = found->next;
    close(found->pidfd);
    free(found);
  }
  return left;
}

/* One descriptor for each of those, and the bell; NULL without memory. book_lock is held. */
static struct pollfd *watched(size_t count) {
  struct pollfd *watch = calloc(count + 1, sizeof *watch);
  if (watch == NULL) return NULL;
  watch[count] = (struct pollfd){.fd = bell, .events = POLLIN};
  for (const child *at = book; at != NULL && count > 0; at = at->next) {
    if (at->environment == NULL) watch[--count] = (struct pollfd){.fd = at->pidfd, .events = POLLIN};
  }
  return watch;
}

static void *reap_all(void *unused) {
  pthread_mutex_lock(&book_lock);
  for (size_t left; (left = reap_nobodys()) > 0;) {
    struct pollfd *watch = watched(left);
    pthread_mutex_unlock(&book_lock);
    poll(watch, watch == NULL ? 0 : left + 1, watch == NULL ? 1000 : -1);
    eventfd_t rung;
    if (watch != NULL && (watch[left].revents & POLLIN) != 0) eventfd_read(watch[left].fd, &rung);
    free(watch);
    pthread_mutex_lock(&book_lock);
  }
  close(bell);
  bell = -1;
  pthread_mutex_unlock(&book_lock);
  return unused;
}

/* Starts the thread, or tells it that there are more. book_lock is held. */
static void call_thread(void) {
  if (bell >= 0) {
    eventfd_write(bell, 1);
    return;
  }
  bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (bell < 0) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 64 * 1024);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, reap_all, NULL) != 0) {
    close(bell);
    bell = -1;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
}

void ip_children_end(ip_environment *environment) {
  pthread_mutex_lock(&book_lock);
  for (child *at = book; at != NULL; at = at->next) {
    if (at->environment != environment) continue;
    at->environment = NULL;
    ip_let_go_descriptor(environment, at->pidfd);
  }
  if (reap_nobodys() > 0) call_thread();
  pthread_mutex_unlock(&book_lock);
}

const ip_function ip_reaper_functions[] = {{"childKeep", child_keep},
                                           {"childReap", child_reap},
                                           {"childEnd", child_end},
                                           {"childChange", child_change},
                                           {"blockingChildChange", blocking_child_change},
                                           {NULL, NULL}};
