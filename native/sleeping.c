/*
 * Sleeping for a lock in shared memory: for a robust mutex, and at a seat of a table (src/lock). Whoever sleeps takes nothing; that is for
 * the thread of JavaScript for which it does (robust.c).
 *
 * This file holds policy, because only who sleeps can: it says in the words that it waits for that somebody sleeps, and looks up after a while,
 * since who was to wake it may have been killed before he did.
 */
#include "interproc.h"
#include "futex.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_AGAIN_NS 250000000L

static struct timespec at_most(int64_t nanoseconds) {
  if (nanoseconds > LOOK_AGAIN_NS) nanoseconds = LOOK_AGAIN_NS;
  return (struct timespec){.tv_sec = 0, .tv_nsec = (long)nanoseconds};
}

/* Whoever was woken may be killed before he has taken it, and then nobody would wake those who still sleep, of whom C's never look by
   themselves. So he has said beforehand which word he expects: at his death the kernel finds it free, and wakes another one. */
static _Thread_local struct robust_list_head *expecting; /* of a thread that only sleeps */

static void expect(struct robust_list_head *head, _Atomic uint32_t *word) {
  head->list_op_pending = (struct robust_list *)((uintptr_t)word - (uintptr_t)head->futex_offset);
  atomic_signal_fence(memory_order_seq_cst);
}

void ip_robust_settled(void) { /* [settled] */
  if (expecting == NULL) return;
  expecting->list_op_pending = NULL;
  expecting = NULL;
}

/* Once: until the word is free or its owner dead, until woken, or for so long. 0: look; -ETIMEDOUT: nothing has happened; -EINTR. */
static int sleep_on_word(_Atomic uint32_t *word, int64_t nanoseconds) {
  uint32_t seen = atomic_load(word);
  for (;;) {
    if ((seen & FUTEX_TID_MASK) == 0) return 0;
    if ((seen & FUTEX_WAITERS) != 0 || atomic_compare_exchange_strong(word, &seen, seen | FUTEX_WAITERS)) break; /* [announce] */
  }
  struct timespec timeout = at_most(nanoseconds);
  if (syscall(SYS_futex, word, FUTEX_WAIT, seen | FUTEX_WAITERS, &timeout, NULL, 0) == 0) return 0; /* [sleep] */
  return errno == EAGAIN ? 0 : -errno;
}

typedef struct {
  ip_call call;
  ip_mapping *held;
  _Atomic uint32_t *word;
} blocked_lock;

static int64_t run_lock(ip_call *call) {
  blocked_lock *wait = (blocked_lock *)call;
  size_t length = 0;
  if (expecting == NULL && syscall(SYS_get_robust_list, 0, &expecting, &length) < 0) expecting = NULL;
  if (expecting != NULL) expect(expecting, wait->word);
  int result;
  do {
    result = sleep_on_word(wait->word, LOOK_AGAIN_NS);
  } while (result == -ETIMEDOUT); /* [look] */
  if (result != 0) ip_robust_settled(); /* else once another call is made on this thread: then this one has been seen to */
  return result;
}

/* Who was to take it has gone: another one is woken for it. */
static void discard_lock(ip_call *call, int64_t result) {
  if (result == 0) ip_futex_wake(((blocked_lock *)call)->word, 1);
}

static void release_lock(ip_call *call) { ip_mapping_release(((blocked_lock *)call)->held); }

/* blockingLockWait(token, mapping, offset): a thread sleeps until the word at the offset may be had. It does not take it. */
static napi_value sleeping_blocking_lock(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  blocked_lock *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return ip_result(env, -ENOMEM);
  wait->word = (_Atomic uint32_t *)(void *)ip_mapping_word(env, args[1], args[2], &wait->held);
  if (wait->word == NULL) {
    free(wait);
    return ip_result(env, -EFAULT);
  }
  wait->call = (ip_call){.run = run_lock, .discard = discard_lock, .release = release_lock};
  return ip_block(env, args[0], &wait->call);
}

/* lockWait(mapping, offset, milliseconds): the same for this thread, once, at most so long and at most a quarter of a second. The next thing
   must be to take it: until then the thread's list says that it is expected. */
static napi_value sleeping_lock(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  ip_mapping *held;
  uint32_t *word = ip_mapping_word(env, args[0], args[1], &held);
  if (word == NULL) return ip_result(env, -EFAULT);
  double milliseconds = 0;
  napi_get_value_double(env, args[2], &milliseconds);
  struct timespec limit = ip_timespec(milliseconds < 1000 ? milliseconds : 1000);
  struct robust_list_head *list = ip_robust_list(ip_environment_of(env));
  if (list != NULL) expect(list, (_Atomic uint32_t *)(void *)word);
  int result = sleep_on_word((_Atomic uint32_t *)(void *)word, (int64_t)limit.tv_sec * 1000000000 + limit.tv_nsec);
  ip_mapping_release(held);
  return ip_result(env, result);
}

/* ---- sleeping at a seat of a table, on whatever thread ------------------------------------------- */

/* Until the first word is not `expected`, somebody is found dead in one of the others, or so long. 0: look; -ETIMEDOUT: nothing has
   happened; -EINTR. The second word is the door, which changes all the time: it is only looked at. The rest are the lives of those who are in
   the way: each tells one sleeper of a death, and the others see it when they look again. */
static int sleep_at_seat(_Atomic uint32_t *const *words, uint32_t count, uint32_t expected, int64_t nanoseconds) {
  ip_waited_word waited[IP_MOST_WORDS];
  uint32_t of = 0;
  for (uint32_t index = 0; index < count; index++) {
    uint32_t seen = atomic_load(words[index]);
    if (index == 0) {
      if (seen != expected) return 0;
    } else if (index == 1) {
      if ((seen & FUTEX_OWNER_DIED) != 0) return 0;
      continue;
    } else {
      while ((seen & FUTEX_TID_MASK) != 0 && (seen & FUTEX_WAITERS) == 0 &&
             !atomic_compare_exchange_weak(words[index], &seen, seen | FUTEX_WAITERS)) { /* [announce] */
      }
      if ((seen & FUTEX_OWNER_DIED) != 0) return 0;
      if ((seen & FUTEX_TID_MASK) != 0) seen |= FUTEX_WAITERS;
    }
    waited[of++] = (ip_waited_word){.expected = seen, .address = (uintptr_t)words[index], .flags = IP_WORD_IS_32_BITS};
  }
  struct timespec timeout = at_most(nanoseconds), until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += timeout.tv_nsec;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  if (of > 1 && getenv("INTERPROC_NO_FUTEX_WAITV") == NULL) {
    if (syscall(SYS_futex_waitv, waited, of, 0, &until, CLOCK_MONOTONIC) >= 0) return 0; /* [sleep] */
    /* Another word than that of the seat may have changed, which means nothing yet. */
    if (errno == EAGAIN) return atomic_load(words[0]) == expected ? -ETIMEDOUT : 0;
    if (errno != ENOSYS) return -errno;
  }
  if (syscall(SYS_futex, words[0], FUTEX_WAIT, expected, &timeout, NULL, 0) == 0) return 0;
  return errno == EAGAIN ? 0 : -errno;
}

typedef struct {
  ip_call call;
  ip_mapping *held;
  uint32_t expected;
  const uint8_t *table;
  size_t bytes;
  uint32_t count;
  _Atomic uint32_t *words[IP_MOST_WORDS];
} blocked_seat;

/* What of a table says that somebody is needed who goes behind its door: src/lock/layout.ts. */
#define TOP 52
#define DIRTY 60
#define HANDLED 124
#define TABLE_BYTES 128
#define SEAT_BYTES 64

static uint32_t word_at(const uint8_t *table, size_t offset) {
  return atomic_load((const _Atomic uint32_t *)(const void *)(table + offset));
}

/* Whether somebody has died whom nobody has buried, or a release is left that nobody has seen to. */
static bool needs_somebody(const uint8_t *table, size_t bytes) {
  if (word_at(table, DIRTY) != word_at(table, HANDLED) || (word_at(table, 0) & FUTEX_OWNER_DIED) != 0) return true;
  size_t seats = (bytes - TABLE_BYTES) / SEAT_BYTES, top = word_at(table, TOP);
  for (size_t seat = 0; seat < seats && seat < top; seat++) {
    if ((word_at(table, TABLE_BYTES + seat * SEAT_BYTES) & FUTEX_OWNER_DIED) != 0) return true;
  }
  return false;
}

/* It looks up after a quarter of a second: whoever was to wake it may have been killed at whatever step. [look] */
static int64_t run_seat(ip_call *call) {
  blocked_seat *wait = (blocked_seat *)call;
  for (;;) {
    int result = sleep_at_seat(wait->words, wait->count, wait->expected, LOOK_AGAIN_NS);
    if (result != -ETIMEDOUT) return result;
    if (needs_somebody(wait->table, wait->bytes)) return 0;
  }
}

static void release_seat(ip_call *call) { ip_mapping_release(((blocked_seat *)call)->held); }

/* The words at an offset and at more offsets, of which as many are taken as can be waited for; 0 if one lies outside. The mapping is held. */
static uint32_t words_of(napi_env env, napi_value mapping, napi_value first, napi_value others, _Atomic uint32_t **words, ip_mapping **held) {
  size_t count = 0;
  const double *offsets = ip_array(env, others, napi_float64_array, 0, &count);
  uint32_t *word = ip_mapping_word(env, mapping, first, held);
  if (word == NULL) return 0;
  words[0] = (_Atomic uint32_t *)(void *)word;
  uint32_t taken = 1;
  for (size_t index = 0; index < count && taken < IP_MOST_WORDS; index++) {
    napi_value offset;
    ip_mapping *again;
    napi_create_double(env, offsets[index], &offset);
    word = ip_mapping_word(env, mapping, offset, &again);
    if (word == NULL) {
      ip_mapping_release(*held);
      return 0;
    }
    ip_mapping_release(again);
    words[taken++] = (_Atomic uint32_t *)(void *)word;
  }
  return taken;
}

/* seatWait(mapping, wake offset, expected, watched offsets as Float64Array, milliseconds): once, at most so long and a quarter of a second. */
static napi_value sleeping_seat(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(5);
  ip_mapping *held;
  _Atomic uint32_t *words[IP_MOST_WORDS];
  uint32_t count = words_of(env, args[0], args[1], args[3], words, &held);
  if (count == 0) return ip_result(env, -EFAULT);
  double milliseconds = 0;
  napi_get_value_double(env, args[4], &milliseconds);
  struct timespec limit = ip_timespec(milliseconds < 1000 ? milliseconds : 1000);
  int result = sleep_at_seat(words, count, ip_uint32(env, args[2]), (int64_t)limit.tv_sec * 1000000000 + limit.tv_nsec);
  ip_mapping_release(held);
  return ip_result(env, result);
}

/* blockingSeatWait(token, mapping, wake offset, expected, watched offsets as Float64Array, offset and bytes of the table): on a thread, for as
   long as it takes. */
static napi_value sleeping_blocking_seat(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(7);
  blocked_seat *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return ip_result(env, -ENOMEM);
  wait->count = words_of(env, args[1], args[2], args[4], wait->words, &wait->held);
  if (wait->count == 0) {
    free(wait);
    return ip_result(env, -EFAULT);
  }
  ip_mapping *again;
  wait->bytes = ip_uint32(env, args[6]);
  wait->table = ip_int64(env, args[5]) % 4 != 0 || wait->bytes < TABLE_BYTES ? NULL : ip_mapping_bytes(env, args[1], args[5], wait->bytes, &again);
  if (wait->table == NULL) {
    ip_mapping_release(wait->held);
    free(wait);
    return ip_result(env, -EFAULT);
  }
  ip_mapping_release(again); /* held once already */
  wait->expected = ip_uint32(env, args[3]);
  wait->call = (ip_call){.run = run_seat, .release = release_seat};
  return ip_block(env, args[0], &wait->call);
}

const ip_function ip_sleeping_functions[] = {{"lockWait", sleeping_lock},
                                             {"blockingLockWait", sleeping_blocking_lock},
                                             {"seatWait", sleeping_seat},
                                             {"blockingSeatWait", sleeping_blocking_seat},
                                             {NULL, NULL}};
