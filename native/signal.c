/*
 * Receiving signals: signalfd(2), and the mask of the whole process.
 *
 * Masks belong to threads, and Node has about seven. A real-time signal that is to be read from a
 * signalfd must be blocked in all of them, or its default action ends the process on the first
 * thread that has it open; and a handler that runs on several threads inverts the order of the
 * signals. So this file holds policy: it walks /proc/self/task and sends IP_MASK_SIGNAL to each
 * thread that lacks the mask; that signal's handler changes the mask that the thread returns to,
 * which is what a thread cannot do for another. New threads inherit the mask of their maker.
 *
 * Who owns a signal is the process's business: one environment at a time. Any number of scopes may
 * hold a signal besides: then it stays pending, also for its owner, whose signalfd does not show it.
 */
#include "interproc.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define SIGNALS 64
#define BIT(signal) (UINT64_C(1) << ((signal)-1))
#define ROUNDS 2000 /* of 1 ms at most: a thread that does not run for 2 s is given up */

static pthread_mutex_t owner_lock = PTHREAD_MUTEX_INITIALIZER;
static ip_environment *owners[SIGNALS + 1];
static int shown_by[SIGNALS + 1];    /* our duplicate of the owner's signalfd; 0 for none */
static unsigned scopes[SIGNALS + 1]; /* how many hold the signal */
static pthread_once_t mask_once = PTHREAD_ONCE_INIT;
static bool mask_signal_is_ours; /* false where another copy of this addon has it */
static _Atomic uint64_t held;    /* signals that are owned: blocked in every thread */
static _Atomic uint64_t managed; /* signals that ever were: the handler decides about these only */

static void take_mask(int number, siginfo_t *from, void *context) {
  (void)number;
  (void)from;
  sigset_t *mask = &((ucontext_t *)context)->uc_sigmask;
  if (sigismember(mask, IP_MASK_SIGNAL) == 1) return; /* IP_SPARE_SIGNAL on a thread that blocks everything else */
  uint64_t ours = atomic_load(&managed), blocked = atomic_load(&held);
  for (int signal = 1; signal <= SIGNALS; signal++) {
    if ((ours & BIT(signal)) == 0) continue;
    if ((blocked & BIT(signal)) != 0) {
      sigaddset(mask, signal);
    } else {
      sigdelset(mask, signal);
    }
  }
}

static void install_handler(void) {
  struct sigaction action;
  if (sigaction(IP_MASK_SIGNAL, NULL, &action) != 0) return;
  mask_signal_is_ours = (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
  if (!mask_signal_is_ours) return;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = take_mask;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigfillset(&action.sa_mask);
  sigaction(IP_MASK_SIGNAL, &action, NULL);
}

bool ip_signals_are_ours(void) {
  pthread_once(&mask_once, install_handler);
  return mask_signal_is_ours;
}

bool ip_spare_signal_is_ours(void) {
  struct sigaction action;
  if (sigaction(IP_SPARE_SIGNAL, NULL, &action) != 0) return false;
  if ((action.sa_flags & SA_SIGINFO) != 0) return action.sa_sigaction == take_mask;
  if (action.sa_handler != SIG_DFL) return false;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = take_mask;
  action.sa_flags = SA_SIGINFO; /* without SA_RESTART: a blocked call returns EINTR */
  sigfillset(&action.sa_mask);
  return sigaction(IP_SPARE_SIGNAL, &action, NULL) == 0;
}

static void tell_thread(int thread) {
  if (syscall(SYS_tgkill, getpid(), thread, IP_MASK_SIGNAL) == 0 || errno != EAGAIN) return;
  if (ip_spare_signal_is_ours()) syscall(SYS_tgkill, getpid(), thread, IP_SPARE_SIGNAL);
}

/* The signals that a thread blocks, and those that wait for it alone; false if it is gone. */
static bool signals_of(const char *thread, uint64_t *blocked, uint64_t *pending) {
  char path[64], line[128];
  snprintf(path, sizeof path, "/proc/self/task/%.20s/status", thread);
  FILE *status = fopen(path, "re");
  if (status == NULL) return false;
  bool found = false;
  while (!found && fgets(line, sizeof line, status) != NULL) {
    if (sscanf(line, "SigPnd: %" SCNx64, pending) == 1) continue;
    found = sscanf(line, "SigBlk: %" SCNx64, blocked) == 1;
  }
  fclose(status);
  return found;
}

/* Tells every thread whose mask differs; answers how many that were, or -errno. A thread that
   blocks IP_MASK_SIGNAL blocks everything, for ever (ours that wait in a system call) or for a
   moment (libuv's and libc's, while they start a process or a thread): it is not waited for, but
   finds one signal as soon as it blocks everything no more. */
static int tell_threads(uint64_t changed, uint64_t wanted) {
  DIR *tasks = opendir("/proc/self/task");
  if (tasks == NULL) return -errno;
  int told = 0;
  for (const struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
    uint64_t blocked, pending = 0;
    if (entry->d_name[0] == '.' || !signals_of(entry->d_name, &blocked, &pending)) continue;
    bool deaf = (blocked & BIT(IP_MASK_SIGNAL)) != 0;
    if (deaf ? (pending & BIT(IP_MASK_SIGNAL)) != 0 : (blocked & changed) == wanted) continue;
    tell_thread(atoi(entry->d_name));
    if (!deaf) told++;
  }
  closedir(tasks);
  return told;
}

/* Two rounds that find nothing to tell: a thread that was started during the first by one that
   had not been told yet is seen in the second. */
static int apply_mask(uint64_t changed) {
  if (!ip_signals_are_ours()) return -EBUSY;
  const struct timespec pause = {.tv_nsec = 1000 * 1000};
  uint64_t wanted = atomic_load(&held) & changed;
  for (int round = 0, quiet = 0; round < ROUNDS; round++) {
    int told = tell_threads(changed, wanted);
    if (told < 0) return told;
    quiet = told == 0 ? quiet + 1 : 0;
    if (quiet == 2) return 0;
    if (round > 2) nanosleep(&pause, NULL);
  }
  return -EAGAIN;
}

static bool is_ours_to_own(int signal) {
  return signal >= SIGRTMIN && signal <= SIGRTMAX && signal != IP_CANCEL_SIGNAL && signal != IP_MASK_SIGNAL;
}

/* owner_lock is held. Whether the signal is blocked follows from its owner and its holders. */
static int settle(uint64_t changed) {
  uint64_t wanted = 0;
  for (int signal = 1; signal <= SIGNALS; signal++) {
    if (owners[signal] != NULL || scopes[signal] > 0) wanted |= BIT(signal);
  }
  changed &= atomic_load(&held) ^ wanted;
  if (changed == 0) return 0;
  atomic_fetch_or(&managed, changed);
  atomic_store(&held, wanted);
  return apply_mask(changed);
}

/* owner_lock is held. A signalfd shows what its owner has and nobody holds. */
static void show(int signal) {
  int fd = shown_by[signal];
  if (fd == 0) return;
  sigset_t set;
  sigemptyset(&set);
  for (int other = 1; other <= SIGNALS; other++) {
    if (shown_by[other] == fd && scopes[other] == 0) sigaddset(&set, other);
  }
  signalfd(fd, &set, 0);
}

/* owner_lock is held. */
static void show_no_more(int signal) {
  int fd = shown_by[signal];
  shown_by[signal] = 0;
  if (fd == 0) return;
  for (int other = 1; other <= SIGNALS; other++) {
    if (shown_by[other] == fd) return;
  }
  close(fd);
}

/* signalOwn(signal): from now on it is blocked in every thread, to be read from a signalfd.
   -EINVAL unless it is a real-time signal, -EBUSY if another environment owns it. */
static napi_value signal_own(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int signal = ip_int32(env, args[0]);
  if (!is_ours_to_own(signal)) return ip_result(env, -EINVAL);
  pthread_mutex_lock(&owner_lock);
  int failed = owners[signal] != NULL ? -EBUSY : 0;
  if (failed == 0) {
    owners[signal] = ip_environment_of(env);
    failed = settle(BIT(signal));
    if (failed != 0) {
      owners[signal] = NULL;
      settle(BIT(signal));
    }
  }
  pthread_mutex_unlock(&owner_lock);
  return ip_result(env, failed);
}

bool ip_signal_is_owned(int signal) {
  pthread_mutex_lock(&owner_lock);
  bool owned = signal >= 1 && signal <= SIGNALS && owners[signal] != NULL;
  pthread_mutex_unlock(&owner_lock);
  return owned;
}

/* owner_lock is held. What is still pending is taken out first: unblocking would deliver it. */
static int disown(int signal) {
  sigset_t only;
  const struct timespec now = {0};
  sigemptyset(&only);
  sigaddset(&only, signal);
  while (sigtimedwait(&only, NULL, &now) == signal || errno == EINTR) continue;
  owners[signal] = NULL;
  show_no_more(signal);
  return settle(BIT(signal));
}

static napi_value signal_disown(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int signal = ip_int32(env, args[0]);
  if (!is_ours_to_own(signal)) return ip_result(env, -EINVAL);
  pthread_mutex_lock(&owner_lock);
  int failed = owners[signal] == ip_environment_of(env) ? disown(signal) : -EPERM;
  pthread_mutex_unlock(&owner_lock);
  return ip_result(env, failed);
}

/* Whether a scope can hold it: not what this file and blocking.c need, and not what cannot be blocked. */
static bool can_be_held(int signal) {
  return signal >= 1 && signal <= SIGNALS && signal != SIGKILL && signal != SIGSTOP && signal != IP_CANCEL_SIGNAL &&
         signal != IP_MASK_SIGNAL && (signal < 32 || signal >= SIGRTMIN);
}

/* owner_lock is held. */
static uint64_t change_scopes(ip_environment *environment, const int32_t *signals, size_t count, int by) {
  uint64_t changed = 0;
  for (size_t index = 0; index < count; index++) {
    int signal = signals[index];
    if (!can_be_held(signal) || (by < 0 && environment->held_signals[signal] == 0)) continue;
    environment->held_signals[signal] = (uint16_t)(environment->held_signals[signal] + by);
    scopes[signal] += (unsigned)by;
    changed |= BIT(signal);
    show(signal);
  }
  return changed;
}

/* signalHold(signals as Int32Array): they stay pending, whoever handles them, until signalRelease(signals) came as often. */
static napi_value signal_hold(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  size_t count;
  ip_environment *environment = ip_environment_of(env);
  const int32_t *signals = ip_array(env, args[0], napi_int32_array, 0, &count);
  if (signals == NULL) return ip_result(env, -EFAULT);
  pthread_mutex_lock(&owner_lock);
  int failed = settle(change_scopes(environment, signals, count, 1));
  if (failed != 0) settle(change_scopes(environment, signals, count, -1));
  pthread_mutex_unlock(&owner_lock);
  return ip_result(env, failed);
}

static napi_value signal_release(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  size_t count;
  const int32_t *signals = ip_array(env, args[0], napi_int32_array, 0, &count);
  if (signals == NULL) return ip_result(env, -EFAULT);
  pthread_mutex_lock(&owner_lock);
  int failed = settle(change_scopes(ip_environment_of(env), signals, count, -1));
  pthread_mutex_unlock(&owner_lock);
  return ip_result(env, failed);
}

void ip_signals_release_all(ip_environment *environment) {
  pthread_mutex_lock(&owner_lock);
  for (int32_t signal = 1; signal <= SIGNALS; signal++) {
    if (owners[signal] == environment) disown(signal);
    while (environment->held_signals[signal] > 0) settle(change_scopes(environment, &signal, 1, -1));
  }
  pthread_mutex_unlock(&owner_lock);
}

/* sigpending(pending as Int32Array of 65): 1 at each signal that waits, for this thread or the process. */
static napi_value signal_pending(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  sigset_t set;
  int32_t *pending = ip_array(env, args[0], napi_int32_array, SIGNALS + 1, NULL);
  if (pending == NULL) return ip_result(env, -EFAULT);
  if (sigpending(&set) < 0) return ip_result(env, -errno);
  for (int signal = 1; signal <= SIGNALS; signal++) pending[signal] = sigismember(&set, signal) == 1;
  return ip_result(env, 0);
}

/* sigtimedwait(signals as Int32Array, timeout in ms, bytes): takes one of those that nobody holds, as a record of
   struct signalfd_siginfo; its length. Blocks this thread. */
static napi_value signal_sigtimedwait(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  size_t count = 0;
  struct signalfd_siginfo record;
  siginfo_t from;
  sigset_t set;
  const int32_t *signals = ip_array(env, args[0], napi_int32_array, 0, &count);
  uint8_t *bytes = ip_array(env, args[2], napi_uint8_array, sizeof record, NULL);
  if (signals == NULL || bytes == NULL) return ip_result(env, -EFAULT);
  uint32_t milliseconds = ip_uint32(env, args[1]);
  const struct timespec most = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
  sigemptyset(&set);
  pthread_mutex_lock(&owner_lock);
  for (size_t index = 0; index < count; index++) {
    if (is_ours_to_own(signals[index]) && scopes[signals[index]] == 0) sigaddset(&set, signals[index]);
  }
  pthread_mutex_unlock(&owner_lock);
  /* Not libc's function: that tells SI_TKILL as SI_USER. */
  int number = (int)syscall(SYS_rt_sigtimedwait, &set, &from, &most, SIGNALS / 8);
  if (number < 0) return ip_result(env, -errno);
  ip_signal_record(&record, number, &from);
  memcpy(bytes, &record, sizeof record);
  return ip_result(env, sizeof record);
}

/* signalfd(signals as Int32Array, owned): a descriptor that shows them. To the owner it does not show what a scope holds. */
static napi_value signal_signalfd(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  size_t count;
  bool owned = false;
  const int32_t *signals = ip_array(env, args[0], napi_int32_array, 1, &count);
  if (signals == NULL) return ip_result(env, -EFAULT);
  napi_get_value_bool(env, args[1], &owned);
  sigset_t set;
  sigemptyset(&set);
  for (size_t index = 0; index < count; index++) sigaddset(&set, signals[index]);
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0 || !owned) return ip_descriptor(env, fd);
  int ours = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* the owner closes its own before it disowns */
  if (ours < 0) {
    int error = errno;
    close(fd);
    return ip_result(env, -error);
  }
  bool used = false;
  pthread_mutex_lock(&owner_lock);
  for (size_t index = 0; index < count; index++) {
    int signal = signals[index];
    if (!is_ours_to_own(signal) || owners[signal] != ip_environment_of(env) || shown_by[signal] != 0) continue;
    shown_by[signal] = ours;
    used = true;
  }
  if (used) show(signals[0]);
  pthread_mutex_unlock(&owner_lock);
  if (!used) close(ours);
  return ip_descriptor(env, fd);
}

/* signalGate(first, second): a descriptor that is readable while one of two is. */
static napi_value signal_gate(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int gate = epoll_create1(EPOLL_CLOEXEC), failed = gate < 0 ? -1 : 0;
  for (int index = 0; index < 2 && failed == 0; index++) {
    struct epoll_event event = {.events = EPOLLIN};
    failed = epoll_ctl(gate, EPOLL_CTL_ADD, ip_int32(env, args[index]), &event);
  }
  if (failed == 0) return ip_descriptor(env, gate);
  int error = errno;
  if (gate >= 0) close(gate);
  return ip_result(env, -error);
}

/* signalRange([first, last]): SIGRTMIN and SIGRTMAX as this libc has them. */
static napi_value signal_range(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int32_t *range = ip_array(env, args[0], napi_int32_array, 2, NULL);
  if (range == NULL) return ip_result(env, -EFAULT);
  range[0] = SIGRTMIN;
  range[1] = SIGRTMAX;
  return ip_result(env, 0);
}

const ip_function ip_signal_functions[] = {{"signalOwn", signal_own},
                                           {"signalDisown", signal_disown},
                                           {"signalfd", signal_signalfd},
                                           {"signalHold", signal_hold},
                                           {"signalRelease", signal_release},
                                           {"sigpending", signal_pending},
                                           {"sigtimedwait", signal_sigtimedwait},
                                           {"signalGate", signal_gate},
                                           {"signalRange", signal_range},
                                           {NULL, NULL}};
