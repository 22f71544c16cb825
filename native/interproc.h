/*
 * What every file of the addon shares: how arguments are read, how results go back, and where the
 * state of one environment (the main thread or a worker) lives.
 *
 * A function here reads its arguments, makes one system call and answers with its value, or with
 * -errno. It retries nothing, chooses no default and makes no error object: that is TypeScript's
 * side. What it does check is memory: a buffer is only touched inside its bounds.
 */
#ifndef INTERPROC_H
#define INTERPROC_H

#include <errno.h>
#include <node_api.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

typedef struct {
  const char *name;
  napi_callback call;
} ip_function;

/* One table for each file; the last entry has no name. */
extern const ip_function ip_descriptor_functions[];
extern const ip_function ip_held_functions[];
extern const ip_function ip_transfer_functions[];
extern const ip_function ip_file_functions[];
extern const ip_function ip_filelock_functions[];
extern const ip_function ip_inotify_functions[];
extern const ip_function ip_pipe_functions[];
extern const ip_function ip_tap_functions[];
extern const ip_function ip_splice_functions[];
extern const ip_function ip_fifo_functions[];
extern const ip_function ip_unix_functions[];
extern const ip_function ip_mq_functions[];
extern const ip_function ip_sysv_functions[];
extern const ip_function ip_semaphore_functions[];
extern const ip_function ip_semset_functions[];
extern const ip_function ip_sem_functions[];
extern const ip_function ip_segment_functions[];
extern const ip_function ip_memory_functions[];
extern const ip_function ip_pages_functions[];
extern const ip_function ip_guard_functions[];
extern const ip_function ip_eventfd_functions[];
extern const ip_function ip_futex_functions[];
extern const ip_function ip_robust_functions[];
extern const ip_function ip_sleeping_functions[];
extern const ip_function ip_signal_functions[];
extern const ip_function ip_send_functions[];
extern const ip_function ip_catch_functions[];
extern const ip_function ip_disposition_functions[];
extern const ip_function ip_timer_functions[];
extern const ip_function ip_process_functions[];
extern const ip_function ip_peek_functions[];
extern const ip_function ip_child_functions[];
extern const ip_function ip_reaper_functions[];
extern const ip_function ip_terminal_functions[];
extern const ip_function ip_poller_functions[];
extern const ip_function ip_blocking_functions[];

/* ---- the state of one environment --------------------------------------------------------- */

struct ip_poller;
struct ip_job;
struct ip_keeper;
struct ip_timer;
struct ip_held_semaphore;
struct ip_robust;

typedef struct ip_environment {
  struct ip_poller *poller;
  struct ip_jobs *jobs;
  uint64_t *held; /* one bit for each descriptor, see held.c */
  size_t held_words;
  struct ip_transfer *transfer; /* transfer.c */
  struct ip_rooms *rooms;       /* sysv.c */
  struct ip_keeper *keeper;     /* catch.c */
  struct ip_timer *timers;      /* timer.c */
  struct ip_held_semaphore *held_semaphores; /* semaphore.c */
  struct ip_robust *robust;     /* robust.c */
  uint16_t held_signals[65];    /* how many scopes hold each, see signal.c */
} ip_environment;

ip_environment *ip_environment_of(napi_env env);

/* ---- arguments ---------------------------------------------------------------------------- */

#define IP_ARGUMENTS(count)        \
  napi_value args[count] = {NULL}; \
  ip_read_arguments(env, info, args, count)

static inline void ip_read_arguments(napi_env env, napi_callback_info info, napi_value *args,
                                     size_t wanted) {
  size_t count = wanted;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
}

/* -1 for whatever is not a number: as a descriptor that is EBADF, never descriptor 0. */
static inline int32_t ip_int32(napi_env env, napi_value value) {
  int32_t result;
  return napi_get_value_int32(env, value, &result) == napi_ok ? result : -1;
}

static inline uint32_t ip_uint32(napi_env env, napi_value value) {
  uint32_t result;
  return napi_get_value_uint32(env, value, &result) == napi_ok ? result : 0;
}

/* Sizes and offsets: JavaScript's integers reach 2^53. */
static inline int64_t ip_int64(napi_env env, napi_value value) {
  int64_t result;
  return napi_get_value_int64(env, value, &result) == napi_ok ? result : -1;
}

/* Milliseconds as the kernel counts time; 0 for less. */
static inline struct timespec ip_timespec(double milliseconds) {
  if (!(milliseconds > 0)) return (struct timespec){0};
  const double most = 1e15; /* some 30,000 years, which a time_t holds */
  int64_t microseconds = (int64_t)((milliseconds < most ? milliseconds : most) * 1000);
  return (struct timespec){.tv_sec = microseconds / 1000000, .tv_nsec = (long)(microseconds % 1000000) * 1000};
}

/* The part [offset, offset + length) of a Uint8Array; false where it would leave the array. */
static inline bool ip_bytes(napi_env env, napi_value array, napi_value offset, napi_value length,
                            uint8_t **bytes, size_t *size) {
  napi_typedarray_type type;
  size_t available;
  void *data;
  uint32_t start, count;
  if (napi_get_typedarray_info(env, array, &type, &available, &data, NULL, NULL) != napi_ok ||
      type != napi_uint8_array || napi_get_value_uint32(env, offset, &start) != napi_ok ||
      napi_get_value_uint32(env, length, &count) != napi_ok || start > available ||
      count > available - start) {
    return false;
  }
  static uint8_t nothing;
  *bytes = data == NULL ? &nothing : (uint8_t *)data + start; /* libc declares NULL to be wrong, even with no bytes */
  *size = count;
  return true;
}

/* A typed array of exactly this type with at least `count` elements, or NULL. */
static inline void *ip_array(napi_env env, napi_value value, napi_typedarray_type wanted,
                             size_t count, size_t *length) {
  napi_typedarray_type type;
  size_t available;
  void *data;
  if (napi_get_typedarray_info(env, value, &type, &available, &data, NULL, NULL) != napi_ok ||
      type != wanted || available < count) {
    return NULL;
  }
  if (length != NULL) *length = available;
  return data;
}

/* A path with its NUL; -ENAMETOOLONG where it does not fit, -EINVAL where it holds a NUL itself. */
#define IP_PATH_SIZE 4096
int ip_path(napi_env env, napi_value value, char path[IP_PATH_SIZE]);

/* ---- results ------------------------------------------------------------------------------ */

static inline napi_value ip_result(napi_env env, int64_t value) {
  napi_value result;
  if (value >= INT32_MIN && value <= INT32_MAX) {
    napi_create_int32(env, (int32_t)value, &result);
  } else {
    napi_create_int64(env, value, &result);
  }
  return result;
}

/* What a system call returned: its value, or -errno. */
static inline napi_value ip_answer(napi_env env, int64_t returned) {
  return ip_result(env, returned < 0 ? -errno : returned);
}

/* ---- descriptors that end with their environment (held.c) ------------------------------------ */

/* What a system call returned that makes a descriptor: the descriptor, held from now on, or -errno. */
napi_value ip_descriptor(napi_env env, int64_t returned);
bool ip_hold_descriptor(ip_environment *environment, int32_t fd);
void ip_let_go_descriptor(ip_environment *environment, int32_t fd);
void ip_close_held(ip_environment *environment);

/* ---- children that are waited for even after their environment (reaper.c) --------------------- */

void ip_keep_child(ip_environment *environment, int pidfd);
void ip_children_end(ip_environment *environment);

/* ---- what the kernel counts of a child (accounts.c) ------------------------------------------- */

void ip_accounts_send(int socket);
int ip_accounts_receive(int socket);

/* ---- mapped memory (memory.c), for calls that work on a word of it ------------------------- */

typedef struct ip_mapping ip_mapping;

/* How memory is mapped: PROT_ and MAP_ of mmap(2), and the size of its pages if somebody else can cut the file
   behind it, 0 if nobody can. */
typedef struct {
  int protection;
  int flags;
  uint32_t page;
  bool segment; /* shmdt(2) gives it back: of huge pages munmap(2) takes whole ones only, and a segment has any size */
} ip_memory_kind;

/* A mapping for JavaScript, over memory that is mapped already and munmap(2) gives back, or -errno. */
napi_value ip_mapping_new(napi_env env, void *address, size_t length, ip_memory_kind kind);

/* The address of a 32-bit word of a mapping, kept mapped until ip_mapping_release; NULL if the
   mapping is closed or the word lies outside of it. */
uint32_t *ip_mapping_word(napi_env env, napi_value mapping, napi_value offset, ip_mapping **held);
/* The same for `length` bytes, at any offset. */
void *ip_mapping_bytes(napi_env env, napi_value mapping, napi_value offset, size_t length, ip_mapping **held);
void ip_mapping_release(ip_mapping *mapping);

/* ---- mapped memory that can be cut by others (guard.c) --------------------------------------- */

/* From now on a fault in this memory is caught; a slot, or -errno. */
int ip_guard(void *address, size_t length, uint32_t page);
void ip_unguard(int slot);
bool ip_was_cut(int slot);

/* ---- semaphores that are held as locks (semaphore.c) ------------------------------------------ */

void ip_semaphores_end(ip_environment *environment);

/* ---- locks in shared memory that this thread has (robust.c) ------------------------------------ */

void ip_robust_end(ip_environment *environment);
/* The list of this thread, NULL while it has none of ours. */
struct robust_list_head;
struct robust_list_head *ip_robust_list(const ip_environment *environment);
/* This thread has waited for a lock, and what came of it has been seen to. */
void ip_robust_settled(void);

/* ---- files that have record locks (filelock.c) ------------------------------------------------ */

void ip_record_files_end(const ip_environment *environment);

/* ---- threads blocked in a system call (blocking.c) ----------------------------------------- */

/* One call that a thread of its own makes. `run` makes it; `discard` undoes a result that nobody
   will receive (closes the descriptor); `keep` notes what a result means for the environment that is about to receive it,
   which may end before its JavaScript sees it; `release` lets go of what the arguments hold. */
typedef struct ip_call {
  int64_t (*run)(struct ip_call *call);
  void (*discard)(struct ip_call *call, int64_t result);
  void (*keep)(ip_environment *environment, struct ip_call *call, int64_t result);
  void (*release)(struct ip_call *call);
} ip_call;

/* Starts `call` (made by malloc, freed here) under this token; answers 0 or -errno. */
napi_value ip_block(napi_env env, napi_value token, ip_call *call);

/* Readable while there are results to collect. */
int ip_blocking_descriptor(ip_environment *environment);
void ip_blocking_end(ip_environment *environment);

void ip_discard_descriptor(ip_call *call, int64_t result);

/* ---- signals that are ours (signal.c) ------------------------------------------------------ */

/* Two real-time signals that the addon uses inside the process. Real-time, because process.on()
   cannot register one, so libuv never replaces our handler. */
#define IP_CANCEL_SIGNAL (SIGRTMAX - 1) /* interrupts a blocked thread */
#define IP_MASK_SIGNAL (SIGRTMAX - 2)   /* makes a thread take over the process's mask */

/* A real-time signal cannot be sent once the user's signals reach RLIMIT_SIGPENDING (EAGAIN); a
   standard one always can. For that case alone this one does the work of both: the kernel never
   sends it. False if the process has a use of its own for it. */
#define IP_SPARE_SIGNAL SIGSTKFLT
bool ip_spare_signal_is_ours(void);

/* Whether this copy of the addon has IP_MASK_SIGNAL: if not, another has the process's signals. */
bool ip_signals_are_ours(void);
bool ip_signal_is_owned(int signal);

void ip_signals_release_all(ip_environment *environment);
void ip_timers_end(ip_environment *environment);

/* What goes with a signal: an int as number, or a pointer-size value as bigint. */
union sigval ip_signal_value(napi_env env, napi_value given);

/* What a signal tells, in the form in which a signalfd does, so that both are read the same way. */
struct signalfd_siginfo;
void ip_signal_record(struct signalfd_siginfo *record, int number, const siginfo_t *from);
void ip_catch_end(ip_environment *environment);

/* Our handler of standard signals (catch.c), and the one that it lies over (disposition.c). */
void ip_caught(int number, siginfo_t *from, void *context);
void ip_call_beneath(int number, siginfo_t *from, void *context);
/* A reader of this signal comes: 0 or -errno; and goes. */
int ip_disposition_begin(napi_env env, int number);
void ip_disposition_end(ip_environment *environment, int number);

#endif
