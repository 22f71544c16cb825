/*
 * Locks that survive their owner: pthread_mutex_t, robust and shared by processes, as glibc lays it out.
 *
 * This file holds policy, because only the thread that owns a lock can: it keeps the kernel's list of the locks that this thread of
 * JavaScript has (set_robust_list(2)). When the thread ends, however it does, the kernel goes through the list, writes FUTEX_OWNER_DIED into the
 * word of each and wakes one who sleeps on it. pthread_mutex_lock(3) would do the same, but a thread that has slept for JavaScript could not
 * hand over what it knows, that others sleep, too; so the words are taken here, by glibc's rules, and a C program may take the same lock.
 * The steps have labels in brackets; src/lock/model has the model of them.
 *
 * The list is glibc's: other code of this thread may have robust mutexes of its own in it, which come in front and go when they like. What we
 * enter is in memory that others write, so what stands in a node of ours is not followed: `after` and the chain of ip_lock know the way. Only
 * where one of glibc's came behind ours is the memory asked, since glibc changes it there.
 *
 * Where nobody else wants the lock, and this thread has no other, JavaScript does all of it itself, in the same memory (src/lock/robust.ts): a
 * lock that stands in the list and is not `held` here was taken so, and is the last in the list.
 */
#include "interproc.h"
#include "futex.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What pthread_mutex_t is made of, on every 64-bit Linux with glibc. */
typedef struct node {
  struct node *next; /* the address of this member is what the lists hold; the one before it is `previous` */
} node;

typedef struct {
  _Atomic uint32_t word; /* 0, or the owner's thread, FUTEX_WAITERS, FUTEX_OWNER_DIED */
  uint32_t count; /* of one that a thread has several times: JavaScript counts that itself */
  int32_t owner;
  uint32_t users; /* what glibc counts of those that are not robust */
  int32_t kind;
  int32_t spins;
  node *previous;
  node next;
} robust;

#define INCONSISTENT INT_MAX            /* `owner` of one whose last owner died, until it is repaired */
#define NOT_RECOVERABLE (INT_MAX - 1)   /* `owner` of one that nobody has repaired */
#define ROBUST_AND_SHARED (16 | 128)    /* of `kind`; the lowest two bits are the type */

/* What stands behind the 40 bytes of one of ours. */
typedef struct {
  robust mutex;
  _Atomic uint32_t magic;
  uint32_t kind;
  uint32_t pid, tid; /* of the last owner of our kind: who it was, when it has died */
} object;

_Static_assert(sizeof(void *) == 8 && offsetof(robust, next) == 32 && sizeof(robust) == 40, "the layout of a mutex");
#ifdef __GLIBC__
_Static_assert(offsetof(pthread_mutex_t, __data.__list.__next) == offsetof(robust, next) &&
                   offsetof(pthread_mutex_t, __data.__kind) == offsetof(robust, kind),
               "glibc's mutex is laid out otherwise");
#endif

typedef struct ip_lock {
  ip_environment *environment;
  object *at;
  ip_mapping *mapping; /* kept mapped while this is bound */
  bool recorded;       /* it has pid and tid behind it, not only the 40 bytes */
  bool held;
  bool lost;     /* to be let go once nobody has it in the list, for JavaScript does not know it any more */
  int functions; /* that still refer to this */
  uint32_t dead_pid, dead_tid;
  node *after;           /* what follows it in the thread's list, unless that is */
  bool foreign;          /* one of glibc's, which glibc takes out */
  struct ip_lock *older; /* of those that the thread has, the one taken before */
  struct ip_lock *next_bound, **bound_from; /* all that the thread knows */
} ip_lock;

struct ip_robust {
  struct robust_list_head *head;
  uint32_t tid, pid;
  ip_lock *latest; /* of those that it has */
  ip_lock *bound;
  int lost; /* of `bound`, how many */
};

static struct ip_robust *robust_of(ip_environment *environment) {
  if (environment->robust != NULL) return environment->robust;
  struct robust_list_head *head = NULL;
  size_t length = 0;
  if (syscall(SYS_get_robust_list, 0, &head, &length) < 0 || head == NULL || length != sizeof *head) return NULL;
  if (head->futex_offset != (long)offsetof(robust, word) - (long)offsetof(robust, next)) return NULL;
  struct ip_robust *made = calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  *made = (struct ip_robust){.head = head, .tid = (uint32_t)syscall(SYS_gettid), .pid = (uint32_t)getpid()};
  environment->robust = made;
  return made;
}

/* ---- the thread's list ------------------------------------------------------------------------ */

static node *first_of(struct ip_robust *thread) { return (node *)(void *)thread->head->list.next; }

static node *end_of(struct ip_robust *thread) { return (node *)(void *)&thread->head->list; }

/* Every node, and the list's head, has the pointer back right before it. */
static void set_previous(node *of, node *previous) { ((node **)(void *)of)[-1] = previous; }

/* What the thread is about to take or to free: if it ends meanwhile, the kernel looks at this one, too. */
static void begin(struct ip_robust *thread, object *at) { /* [begin] */
  thread->head->list_op_pending = (struct robust_list *)(void *)&at->mutex.next;
  atomic_signal_fence(memory_order_seq_cst);
}

static void done(struct ip_robust *thread) { /* [done] */
  atomic_signal_fence(memory_order_seq_cst);
  thread->head->list_op_pending = NULL;
}

static node *node_of(const ip_lock *lock) { return &lock->at->mutex.next; }

static node *after(const ip_lock *lock) { return lock->foreign ? lock->at->mutex.next.next : lock->after; }

/* The lock of ours that is there: the one that has it, if several know the place. NULL: it is one of glibc's. */
static ip_lock *ours_at(const struct ip_robust *thread, const node *place) {
  for (ip_lock *lock = thread->latest; lock != NULL; lock = lock->older) {
    if (node_of(lock) == place) return lock;
  }
  for (ip_lock *lock = thread->bound; lock != NULL; lock = lock->next_bound) {
    if (node_of(lock) == place) return lock;
  }
  return NULL;
}

/* What stands before this node in the list; NULL if the node is not in it. */
static node *before(struct ip_robust *thread, const node *self) {
  node *end = end_of(thread), *first = first_of(thread);
  if (first == self) return end;
  if (first == end) return NULL;
  bool mixed = false;
  for (ip_lock *lock = thread->latest; lock != NULL; lock = lock->older) {
    if (after(lock) == self) return node_of(lock);
    mixed = mixed || lock->foreign;
  }
  if (!mixed && ours_at(thread, first) != NULL) return NULL;
  for (node *place = first, *next; place != end && place != NULL; place = next) {
    const ip_lock *lock = ours_at(thread, place);
    next = lock == NULL ? place->next : lock->held ? after(lock) : end;
    if (next == self) return place;
  }
  return NULL;
}

static void enrol(struct ip_robust *thread, ip_lock *lock) { /* [enrol] */
  robust *mutex = &lock->at->mutex;
  lock->after = first_of(thread);
  lock->foreign = lock->after != end_of(thread) && ours_at(thread, lock->after) == NULL;
  set_previous(lock->after, &mutex->next);
  mutex->next.next = lock->after;
  mutex->previous = end_of(thread);
  atomic_signal_fence(memory_order_seq_cst);
  thread->head->list.next = (struct robust_list *)(void *)&mutex->next;
  lock->held = true;
  lock->older = thread->latest;
  thread->latest = lock;
}

static void forget(struct ip_robust *thread, ip_lock *lock) {
  ip_lock **link = &thread->latest;
  while (*link != lock) link = &(*link)->older;
  *link = lock->older;
  lock->held = false;
}

static void withdraw(struct ip_robust *thread, ip_lock *lock) { /* [withdraw] */
  node *front = before(thread, node_of(lock)), *behind = after(lock);
  if (front != NULL) {
    front->next = behind;
    ip_lock *ours = front == end_of(thread) ? NULL : ours_at(thread, front);
    if (ours != NULL) {
      ours->after = behind;
      ours->foreign = lock->foreign;
    }
    set_previous(behind, front);
  }
  lock->at->mutex.previous = NULL;
  lock->at->mutex.next.next = NULL;
  forget(thread, lock);
}

/* ---- taking and freeing ----------------------------------------------------------------------- */

/* The word becomes ours if it is free or its owner has died: 0, -EOWNERDEAD (it is ours all the same), -EBUSY, -EDEADLK if this
   thread has it, -ENOTRECOVERABLE. `waiters` keeps FUTEX_WAITERS: whoever has slept does not know whether others sleep. */
static int take(ip_lock *lock, uint32_t waiters) {
  struct ip_robust *thread = lock->environment->robust;
  object *at = lock->at;
  uint32_t seen = atomic_load(&at->mutex.word);
  begin(thread, at);
  for (;;) {
    if ((seen & FUTEX_TID_MASK) != 0 && (seen & FUTEX_OWNER_DIED) == 0) {
      done(thread);
      return (seen & FUTEX_TID_MASK) == thread->tid ? -EDEADLK : -EBUSY;
    }
    /* [take] [inherit] */
    if (atomic_compare_exchange_strong(&at->mutex.word, &seen, thread->tid | waiters | (seen & FUTEX_WAITERS))) break;
  }
  if (at->mutex.owner == NOT_RECOVERABLE) { /* [broken] */
    atomic_store(&at->mutex.word, 0);
    ip_futex_wake(&at->mutex.word, INT_MAX);
    done(thread);
    return -ENOTRECOVERABLE;
  }
  bool died = (seen & FUTEX_OWNER_DIED) != 0;
  if (died) {
    int32_t owner = at->mutex.owner;
    lock->dead_tid = owner != INCONSISTENT ? (uint32_t)owner : lock->recorded ? at->tid : 0;
    lock->dead_pid = lock->recorded && at->tid == lock->dead_tid ? at->pid : 0;
  }
  at->mutex.owner = died ? INCONSISTENT : (int32_t)thread->tid; /* [inconsistent] */
  if (lock->recorded) {
    at->tid = thread->tid;
    at->pid = thread->pid;
  }
  enrol(thread, lock);
  done(thread);
  return died ? -EOWNERDEAD : 0;
}

/* It was taken in JavaScript, by this or by another that knows the place: whatever its word says, it is in the list. */
static bool taken_in_javascript(struct ip_robust *thread, const ip_lock *lock) {
  return !lock->held && lock->mapping != NULL && first_of(thread) != end_of(thread) && !ours_at(thread, node_of(lock))->held &&
         before(thread, node_of(lock)) != NULL;
}

static void adopt(struct ip_robust *thread, ip_lock *lock) {
  lock->after = end_of(thread);
  lock->foreign = false;
  lock->held = true;
  lock->older = thread->latest;
  thread->latest = lock;
}

/* -EPERM if this is not ours; -EFAULT if it was, and somebody has written another word over it. */
static int give(ip_lock *lock) {
  struct ip_robust *thread = lock->environment->robust;
  if (taken_in_javascript(thread, lock)) adopt(thread, lock);
  if (!lock->held) return -EPERM;
  object *at = lock->at;
  bool broken = at->mutex.owner == INCONSISTENT;
  begin(thread, at);
  withdraw(thread, lock);
  at->mutex.owner = broken ? NOT_RECOVERABLE : 0; /* [break] */
  uint32_t seen = atomic_load(&at->mutex.word);
  int bad = 0;
  for (;;) {
    bad = (seen & FUTEX_TID_MASK) == thread->tid ? 0 : -EFAULT;
    if (bad < 0 || atomic_compare_exchange_weak(&at->mutex.word, &seen, 0)) break; /* [free] */
  }
  if (bad == 0 && (seen & FUTEX_WAITERS) != 0) ip_futex_wake(&at->mutex.word, broken ? INT_MAX : 1); /* [wake] */
  done(thread);
  return bad;
}

/* What the kernel does when the thread ends, for an environment that ends before its thread does. */
static void die(struct ip_robust *thread, ip_lock *lock) {
  object *at = lock->at;
  begin(thread, at);
  if (taken_in_javascript(thread, lock)) adopt(thread, lock);
  if (lock->held) withdraw(thread, lock);
  uint32_t seen = atomic_load(&at->mutex.word);
  while ((seen & FUTEX_TID_MASK) == thread->tid &&
         !atomic_compare_exchange_weak(&at->mutex.word, &seen, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED)) {
  }
  /* Of one that is free, somebody may have been woken who does not take it any more. */
  if (seen == 0 || (seen & FUTEX_WAITERS) != 0) ip_futex_wake(&at->mutex.word, 1);
  done(thread);
}

static void unbind(ip_lock *lock) {
  ip_mapping *mapping = lock->mapping;
  lock->mapping = NULL;
  if (mapping == NULL) return;
  if (lock->environment->robust != NULL) { /* else that has ended, with its list */
    *lock->bound_from = lock->next_bound;
    if (lock->next_bound != NULL) lock->next_bound->bound_from = lock->bound_from;
  }
  ip_mapping_release(mapping);
}

static bool in_use(const ip_lock *lock) {
  struct ip_robust *thread = lock->environment->robust;
  return lock->mapping != NULL && thread != NULL && (lock->held || taken_in_javascript(thread, lock));
}

static void lose(ip_lock *lock) {
  if (lock->lost) return;
  lock->lost = true;
  lock->environment->robust->lost++;
}

static void let_go_of_lost(struct ip_robust *thread) {
  if (thread == NULL || thread->lost == 0) return;
  for (ip_lock *lock = thread->bound, *next; lock != NULL; lock = next) {
    next = lock->next_bound;
    if (!lock->lost || in_use(lock)) continue;
    thread->lost--;
    unbind(lock);
    if (lock->functions == 0) free(lock);
  }
}

void ip_robust_end(ip_environment *environment) {
  struct ip_robust *thread = environment->robust;
  if (thread == NULL) return;
  const void *pending = thread->head->list_op_pending;
  while (thread->latest != NULL) die(thread, thread->latest);
  for (ip_lock *lock = thread->bound; lock != NULL; lock = lock->next_bound) {
    if (pending == node_of(lock) || taken_in_javascript(thread, lock)) die(thread, lock);
  }
  for (ip_lock *lock = thread->bound, *next; lock != NULL; lock = next) {
    next = lock->next_bound;
    if (!lock->lost) continue;
    unbind(lock);
    if (lock->functions == 0) free(lock);
  }
  set_previous(end_of(thread), end_of(thread));
  done(thread);
  environment->robust = NULL;
  free(thread);
}

/* ---- for JavaScript: functions that know their lock --------------------------------------------- */

static ip_lock *lock_of(napi_env env, napi_callback_info info) {
  void *lock = NULL;
  napi_get_cb_info(env, info, NULL, NULL, NULL, &lock);
  return lock;
}

/* Nothing is cheaper to answer than nothing: undefined is success. */
static napi_value outcome(napi_env env, int result) { return result == 0 ? NULL : ip_result(env, result); }

static bool usable(const ip_lock *lock) { return lock->mapping != NULL && !lock->lost && lock->environment->robust != NULL; }

static napi_value lock_take(napi_env env, napi_callback_info info) {
  ip_lock *lock = lock_of(env, info);
  return outcome(env, usable(lock) ? take(lock, 0) : -EBADF);
}

static napi_value lock_take_after_sleep(napi_env env, napi_callback_info info) {
  ip_lock *lock = lock_of(env, info);
  return outcome(env, usable(lock) ? take(lock, FUTEX_WAITERS) : -EBADF);
}

static napi_value lock_give(napi_env env, napi_callback_info info) {
  ip_lock *lock = lock_of(env, info);
  int result = usable(lock) ? give(lock) : -EBADF;
  let_go_of_lost(lock->environment->robust);
  return outcome(env, result);
}

/* JavaScript has taken it out of the list, and somebody sleeps: the word, and who sleeps. */
static napi_value lock_free(napi_env env, napi_callback_info info) {
  ip_lock *lock = lock_of(env, info);
  if (!usable(lock)) return ip_result(env, -EBADF);
  const struct ip_robust *thread = lock->environment->robust;
  _Atomic uint32_t *word = &lock->at->mutex.word;
  uint32_t seen = atomic_load(word);
  do {
    if ((seen & FUTEX_TID_MASK) != thread->tid) {
      done(lock->environment->robust);
      return ip_result(env, -EFAULT);
    }
  } while (!atomic_compare_exchange_weak(word, &seen, 0));
  if ((seen & FUTEX_WAITERS) != 0) ip_futex_wake(word, 1);
  done(lock->environment->robust);
  return NULL;
}

/* The owner that has died is made good: -EINVAL if it was not dead, or this is not ours. */
static napi_value lock_consistent(napi_env env, napi_callback_info info) {
  ip_lock *lock = lock_of(env, info);
  if (!usable(lock) || !lock->held || lock->at->mutex.owner != INCONSISTENT) return ip_result(env, -EINVAL);
  lock->at->mutex.owner = (int32_t)lock->environment->robust->tid; /* [mark-consistent] */
  return NULL;
}

/* died(numbers as Uint32Array): process and thread of the owner whose death `take` has told of; 0 for what is not known. */
static napi_value lock_died(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  void *data = NULL;
  napi_get_cb_info(env, info, &count, args, NULL, &data);
  const ip_lock *lock = data;
  uint32_t *numbers = ip_array(env, args[0], napi_uint32_array, 2, NULL);
  if (numbers == NULL) return ip_result(env, -EFAULT);
  numbers[0] = lock->dead_pid;
  numbers[1] = lock->dead_tid;
  return NULL;
}

/* -EBUSY while it is held: memory with a word in the thread's list is never unmapped. */
static napi_value lock_unbind(napi_env env, napi_callback_info info) {
  ip_lock *lock = lock_of(env, info);
  if (lock->held) return ip_result(env, -EBUSY);
  if (in_use(lock)) {
    lose(lock); /* by another that knows the place */
  } else {
    unbind(lock);
  }
  let_go_of_lost(lock->environment->robust);
  return NULL;
}

static void function_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  ip_lock *lock = data;
  if (--lock->functions > 0) return;
  if (in_use(lock)) {
    lose(lock);
    return;
  }
  unbind(lock);
  free(lock);
}

/* lockBind(mapping, offset, recorded): functions for the lock there, or -errno. -ENOTSUP where the C library has another list. */
static napi_value robust_bind(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  ip_environment *environment = ip_environment_of(env);
  if (robust_of(environment) == NULL) return ip_result(env, -ENOTSUP);
  bool recorded = false;
  napi_get_value_bool(env, args[2], &recorded);
  ip_lock *lock = calloc(1, sizeof *lock);
  if (lock == NULL) return ip_result(env, -ENOMEM);
  if (ip_int64(env, args[1]) % 8 == 0) {
    lock->at = ip_mapping_bytes(env, args[0], args[1], recorded ? sizeof(object) : sizeof(robust), &lock->mapping);
  }
  if (lock->at == NULL) {
    free(lock);
    return ip_result(env, -EFAULT);
  }
  lock->environment = environment;
  lock->recorded = recorded;
  struct ip_robust *thread = environment->robust;
  lock->next_bound = thread->bound;
  lock->bound_from = &thread->bound;
  if (thread->bound != NULL) thread->bound->bound_from = &lock->next_bound;
  thread->bound = lock;
  static const ip_function functions[] = {{"take", lock_take},
                                          {"takeAfterSleep", lock_take_after_sleep},
                                          {"give", lock_give},
                                          {"free", lock_free},
                                          {"consistent", lock_consistent},
                                          {"died", lock_died},
                                          {"unbind", lock_unbind}};
  napi_value bound;
  napi_create_object(env, &bound);
  for (size_t index = 0; index < sizeof functions / sizeof functions[0]; index++) {
    napi_value function;
    napi_create_function(env, functions[index].name, NAPI_AUTO_LENGTH, functions[index].call, lock, &function);
    napi_set_named_property(env, bound, functions[index].name, function);
    lock->functions++;
    napi_add_finalizer(env, function, lock, function_collected, NULL, NULL);
  }
  napi_value node_address;
  napi_create_bigint_uint64(env, (uintptr_t)&lock->at->mutex.next, &node_address);
  napi_set_named_property(env, bound, "node", node_address);
  return bound;
}

/* robustThread(): { list, end, tid, pid } of this thread: an ArrayBuffer over the four pointers that are its list (the last node, the first one,
   an offset, the one that is being taken or freed), and the address that stands in them where the list ends. */
static napi_value robust_thread(napi_env env, napi_callback_info info) {
  (void)info;
  struct ip_robust *thread = robust_of(ip_environment_of(env));
  if (thread == NULL) return ip_result(env, -ENOTSUP);
  napi_value made, value;
  napi_create_object(env, &made);
  /* The memory is the thread's own, and outlives everything that JavaScript runs on it. */
  napi_status status = napi_create_external_arraybuffer(env, (uint8_t *)thread->head - sizeof(void *), 4 * sizeof(void *), NULL, NULL, &value);
  if (status != napi_ok) return ip_result(env, -ENOTSUP);
  napi_set_named_property(env, made, "list", value);
  napi_create_bigint_uint64(env, (uintptr_t)end_of(thread), &value);
  napi_set_named_property(env, made, "end", value);
  napi_create_uint32(env, thread->tid, &value);
  napi_set_named_property(env, made, "tid", value);
  napi_create_uint32(env, thread->pid, &value);
  napi_set_named_property(env, made, "pid", value);
  return made;
}

struct robust_list_head *ip_robust_list(const ip_environment *environment) {
  return environment->robust == NULL ? NULL : environment->robust->head;
}

/* ---- making one -------------------------------------------------------------------------------- */

/* lockFormat(mapping, offset, image as Uint8Array, magic): writes the image there, whose magic word at 40 comes last. -EEXIST if
   the word is there already; -EAGAIN if it is neither that nor 0: somebody is just writing, or it is something else. One that was killed while
   he wrote is taken over. */
static napi_value robust_format(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(4);
  struct ip_robust *thread = robust_of(ip_environment_of(env));
  if (thread == NULL) return ip_result(env, -ENOTSUP);
  size_t length = 0;
  const uint8_t *image = ip_array(env, args[2], napi_uint8_array, sizeof(object), &length);
  uint32_t magic = ip_uint32(env, args[3]);
  ip_mapping *held;
  object *at = image == NULL || ip_int64(env, args[1]) % 8 != 0 ? NULL : ip_mapping_bytes(env, args[0], args[1], length, &held);
  if (at == NULL) return ip_result(env, -EFAULT);
  uint32_t seen = 0;
  int result = 0;
  /* The magic word serves as a robust one meanwhile: the kernel finds it as far behind as a mutex has its own. */
  thread->head->list_op_pending = (struct robust_list *)((uintptr_t)&at->magic - (uintptr_t)thread->head->futex_offset);
  atomic_signal_fence(memory_order_seq_cst);
  while (!atomic_compare_exchange_strong(&at->magic, &seen, thread->tid)) {
    if (seen == 0 || (seen & ~FUTEX_WAITERS) == FUTEX_OWNER_DIED) continue;
    result = seen == magic ? -EEXIST : -EAGAIN;
    break;
  }
  if (result == 0) {
    const size_t magic_at = offsetof(object, magic);
    memcpy(at, image, magic_at);
    memcpy((uint8_t *)at + magic_at + sizeof magic, image + magic_at + sizeof magic, length - magic_at - sizeof magic);
    atomic_store(&at->magic, magic);
  }
  done(thread);
  ip_mapping_release(held);
  return ip_result(env, result);
}

const ip_function ip_robust_functions[] = {{"lockBind", robust_bind},
                                           {"robustThread", robust_thread},
                                           {"lockFormat", robust_format},
                                           {NULL, NULL}};
