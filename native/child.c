/*
 * Starting a program: clone(2) as vfork(2) does it, the child's side up to execve(2), and no more.
 *
 * This file holds policy, since there is no JavaScript in the child: what is put where between clone and execve,
 * and in which order, is decided here.
 *
 * The child runs on a stack of its own in the memory of its parent (CLONE_VM), whose calling thread sleeps until
 * the child has left that memory (CLONE_VFORK). So nothing is copied, however large the process is, and the child
 * says in `failure` what went wrong: it needs no pipe for that, whose descriptor could be in the way of those that are
 * handed over. Other threads of the parent go on meanwhile and may hold any lock, so the child calls only what
 * is async-signal-safe: system calls, no allocation, no stdio. All signals are blocked before clone, for a handler of the
 * parent that ran in the child would change the parent's memory; they are unblocked when all dispositions are reset.
 *
 * The pidfd comes from the same call (CLONE_PIDFD), so it means this child and nothing else, whoever waits for what.
 */
#include "interproc.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* the same number on every architecture */
#endif
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#define STACK_SIZE (64 * 1024)
#define SIGNALS 64
#define BIT(signal) (UINT64_C(1) << ((signal)-1))
#define MOST_BYTES (64 * 1024 * 1024)

/* What src/proc/spawn.ts hands over, in this order. */
enum { FLAGS, GROUP, DEATH_SIGNAL, TERMINAL, PID, STEP, ACCOUNTS, SETTINGS };
enum { NEW_SESSION = 1, NEW_GROUP = 2, FOREGROUND = 4, OWN_TERMINAL = 8, SUBREAPER = 16, WITHOUT_CLOSE_RANGE = 32, WITH_ACCOUNTS = 64 };
/* The steps, for the error's sake; STEPS in src/proc/spawn.ts names them. */
enum { CLONE, SETSID, SETPGID, PRCTL, OPEN_TERMINAL, TCSETPGRP, CHDIR, DUP, CLOSE, EXEC };

typedef struct {
  char **files; /* one after the other is tried */
  char **arguments;
  char **environment; /* after the first, which is empty: an empty array has no address */
  const char *folder;
  int32_t *descriptors; /* pairs: the number here (-1: the pseudo-terminal), the number there; ascending by the second */
  size_t pairs;
  const int32_t *settings;
  uint64_t ignored;
  uint64_t blocked;
  pid_t parent;
  int accounts[2]; /* sockets: ours and the child's; -1 where it is not to send any */
  int step;
  int failure;
} ip_plan;

/* ---- the child ---------------------------------------------------------------------------- */

static void reset_signals(uint64_t ignored) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  for (int signal = 1; signal <= SIGNALS; signal++) {
    action.sa_handler = (ignored & BIT(signal)) != 0 ? SIG_IGN : SIG_DFL;
    sigaction(signal, &action, NULL); /* refuses SIGKILL, SIGSTOP and libc's own, which are what they should be */
  }
}

static void set_mask(uint64_t blocked) {
  sigset_t mask;
  sigemptyset(&mask);
  for (int signal = 1; signal <= SIGNALS; signal++) {
    if ((blocked & BIT(signal)) != 0) sigaddset(&mask, signal);
  }
  sigprocmask(SIG_SETMASK, &mask, NULL);
}

static bool set_group(ip_plan *plan) {
  int flags = plan->settings[FLAGS];
  plan->step = SETSID;
  if ((flags & NEW_SESSION) != 0) return setsid() >= 0;
  plan->step = SETPGID;
  return (flags & NEW_GROUP) == 0 || setpgid(0, plan->settings[GROUP]) == 0;
}

/* Where the parent has died before prctl, the signal would never come. */
static bool set_ties(ip_plan *plan) {
  plan->step = PRCTL;
  if ((plan->settings[FLAGS] & SUBREAPER) != 0 && prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0) return false;
  int signal = plan->settings[DEATH_SIGNAL];
  if (signal == 0) return true;
  if (prctl(PR_SET_PDEATHSIG, (long)signal, 0L, 0L, 0L) < 0) return false;
  if (getppid() != plan->parent) kill(getpid(), signal);
  return true;
}

/* A pseudo-terminal becomes the controlling one of the new session; in another terminal the group comes to the front. */
static bool take_terminal(ip_plan *plan) {
  int terminal = plan->settings[TERMINAL];
  if ((plan->settings[FLAGS] & OWN_TERMINAL) != 0) {
    plan->step = OPEN_TERMINAL;
    int slave = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0) return false;
    for (size_t pair = 0; pair < plan->pairs; pair++) {
      if (plan->descriptors[2 * pair] == -1) plan->descriptors[2 * pair] = slave;
    }
  }
  plan->step = TCSETPGRP;
  return (plan->settings[FLAGS] & FOREGROUND) == 0 || tcsetpgrp(terminal, getpgrp()) == 0;
}

static bool is_target(const ip_plan *plan, int fd) {
  for (size_t pair = 0; pair < plan->pairs; pair++) {
    if (plan->descriptors[2 * pair + 1] == fd) return true;
  }
  return false;
}

/* A descriptor that stands on a number that another one gets moves out of the way first. */
static bool place_descriptors(ip_plan *plan) {
  plan->step = DUP;
  int above = plan->pairs == 0 ? 0 : plan->descriptors[2 * plan->pairs - 1] + 1;
  for (size_t pair = 0; pair < plan->pairs; pair++) {
    int32_t *from = &plan->descriptors[2 * pair];
    if (from[0] == from[1] || !is_target(plan, from[0])) continue;
    *from = fcntl(*from, F_DUPFD_CLOEXEC, above);
    if (*from >= 0) continue;
    if (errno == EINVAL) errno = EBADF; /* above RLIMIT_NOFILE, which dup2 calls EBADF */
    return false;
  }
  for (size_t pair = 0; pair < plan->pairs; pair++) {
    const int32_t *from = &plan->descriptors[2 * pair];
    int placed = from[0] == from[1] ? fcntl(from[0], F_SETFD, 0) : dup2(from[0], from[1]);
    if (placed < 0) return false;
  }
  return true;
}

struct entry { /* of getdents64(2), which readdir(3) uses, but that allocates */
  uint64_t inode;
  int64_t next;
  uint16_t size;
  uint8_t type;
  char name[];
};

/* Closes what /proc/self/fd lists; closing while reading can skip some, so it is read until there is none. */
static bool close_listed(const ip_plan *plan) {
  _Alignas(struct entry) char entries[4096];
  for (bool found = true; found;) {
    found = false;
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return false;
    for (long size; (size = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0;) {
      for (long at = 0; at < size; at += ((const struct entry *)(const void *)(entries + at))->size) {
        const struct entry *entry = (const struct entry *)(const void *)(entries + at);
        int fd = 0;
        for (const char *digit = entry->name; *digit != '\0'; digit++) fd = *digit == '.' ? -1 : fd * 10 + *digit - '0';
        if (fd < 0 || fd == folder || is_target(plan, fd)) continue;
        close(fd);
        found = true;
      }
    }
    close(folder);
  }
  return true;
}

static bool close_counted(const ip_plan *plan) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return false;
  for (int fd = 0; (rlim_t)fd < limit.rlim_cur; fd++) {
    if (!is_target(plan, fd)) close(fd);
  }
  return true;
}

static bool close_between(unsigned first, unsigned last) {
  return first > last || syscall(SYS_close_range, first, last, 0) == 0;
}

/* Nothing but what was asked for: close_range(2), and where that is missing (Linux 5.8), /proc, and where that is, too, one by one. */
static bool close_rest(ip_plan *plan) {
  plan->step = CLOSE;
  if ((plan->settings[FLAGS] & WITHOUT_CLOSE_RANGE) == 0) {
    unsigned next = 0;
    bool closed = true;
    for (size_t pair = 0; pair < plan->pairs && closed; pair++) {
      unsigned kept = (unsigned)plan->descriptors[2 * pair + 1];
      closed = kept == 0 || close_between(next, kept - 1);
      next = kept + 1;
    }
    if (closed && close_between(next, ~0U)) return true;
    if (errno != ENOSYS && errno != EPERM) return false; /* EPERM: from a seccomp filter that does not know it */
  }
  return close_listed(plan) || close_counted(plan);
}

/* As execvp(3) goes through PATH: what is not there is passed over, what may not be run is remembered. */
static void execute(ip_plan *plan) {
  plan->step = EXEC;
  int refused = 0;
  for (char **file = plan->files; *file != NULL; file++) {
    execve(*file, plan->arguments, plan->environment + 1);
    if (errno == EACCES) refused = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG) return;
  }
  if (refused != 0) errno = refused;
}

static int child_side(void *data) {
  ip_plan *plan = data;
  reset_signals(plan->ignored);
  if (plan->accounts[1] >= 0) ip_accounts_send(plan->accounts[1]);
  if (set_group(plan) && set_ties(plan) && take_terminal(plan)) {
    plan->step = CHDIR;
    if ((plan->folder == NULL || chdir(plan->folder) == 0) && place_descriptors(plan) && close_rest(plan)) {
      set_mask(plan->blocked);
      execute(plan);
    }
  }
  plan->failure = errno;
  _exit(127);
}

/* ---- the parent --------------------------------------------------------------------------- */

/* Strings that end with a NUL each, one after the other, as a list that ends with NULL; to be freed. */
static char **strings(napi_env env, napi_value value) {
  size_t size;
  char *bytes = ip_array(env, value, napi_uint8_array, 1, &size);
  if (bytes == NULL || size > MOST_BYTES || bytes[size - 1] != '\0') return NULL;
  size_t count = 0;
  for (size_t at = 0; at < size; at++) count += bytes[at] == '\0';
  char **list = calloc(count + 1, sizeof *list);
  if (list == NULL) return NULL;
  for (size_t index = 0; index < count; index++) {
    list[index] = bytes;
    bytes += strlen(bytes) + 1;
  }
  return list;
}

static pid_t start(ip_plan *plan, int *pidfd) {
  void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -1;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  plan->parent = getpid();
  pid_t pid = clone(child_side, (char *)stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, plan, pidfd);
  int failed = errno;
  if (pid > 0 && plan->failure != 0) {
    siginfo_t ended;
    waitid(P_PID, (id_t)pid, &ended, WEXITED);
    close(*pidfd);
    pid = -1;
    failed = plan->failure;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  munmap(stack, STACK_SIZE);
  errno = failed;
  return pid;
}

/* What the child has sent, -1 if nothing, or if it does not run: then the descriptor is gone with the sockets. */
static int take_accounts(const ip_plan *plan, bool runs) {
  if (plan->accounts[0] < 0) return -1;
  int accounts = runs ? ip_accounts_receive(plan->accounts[0]) : -1;
  close(plan->accounts[0]);
  close(plan->accounts[1]);
  return accounts;
}

/* childSpawn(files, arguments, environment, folder or undefined, descriptors, settings, [ignored, blocked]): a pidfd, or
   -errno, with the step that failed in settings[STEP]; the pid stands in settings[PID], the descriptor of its accounts, or -1, in
   settings[ACCOUNTS]. */
static napi_value child_spawn(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(7);
  char folder[IP_PATH_SIZE];
  napi_valuetype type = napi_undefined;
  napi_typeof(env, args[3], &type);
  if (type != napi_undefined) {
    int bad = ip_path(env, args[3], folder);
    if (bad < 0) return ip_result(env, bad);
  }
  size_t numbers = 0;
  int32_t *settings = ip_array(env, args[5], napi_int32_array, SETTINGS, NULL);
  ip_plan plan = {.accounts = {-1, -1}};
  plan.descriptors = ip_array(env, args[4], napi_int32_array, 0, &numbers);
  const uint64_t *masks = ip_array(env, args[6], napi_biguint64_array, 2, NULL);
  if (settings == NULL || masks == NULL || (plan.descriptors == NULL && numbers > 0)) return ip_result(env, -EFAULT);
  plan.files = strings(env, args[0]);
  plan.arguments = strings(env, args[1]);
  plan.environment = strings(env, args[2]);
  plan.folder = type == napi_undefined ? NULL : folder;
  plan.pairs = numbers / 2;
  plan.settings = settings;
  plan.ignored = masks[0];
  plan.blocked = masks[1];
  int pidfd = -1, answer = -EFAULT;
  if (plan.files != NULL && plan.arguments != NULL && plan.environment != NULL) {
    if ((settings[FLAGS] & WITH_ACCOUNTS) != 0 &&
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, plan.accounts) < 0) {
      plan.accounts[0] = plan.accounts[1] = -1; /* then it has none */
    }
    pid_t pid = start(&plan, &pidfd);
    answer = pid < 0 ? -errno : pidfd;
    settings[PID] = pid;
    settings[STEP] = plan.step;
    settings[ACCOUNTS] = take_accounts(&plan, pid > 0);
  }
  free(plan.files);
  free(plan.arguments);
  free(plan.environment);
  if (answer >= 0) ip_keep_child(ip_environment_of(env), answer);
  if (settings[ACCOUNTS] >= 0) ip_hold_descriptor(ip_environment_of(env), settings[ACCOUNTS]);
  return ip_result(env, answer);
}

const ip_function ip_child_functions[] = {{"childSpawn", child_spawn}, {NULL, NULL}};
