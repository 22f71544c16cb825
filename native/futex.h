/* futex(2) on words that other processes have, too: the shared form. */
#ifndef FUTEX_H
#define FUTEX_H

#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long ip_futex_wake(const volatile void *word, int count) {
  return syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

/* futex_waitv(2), Linux 5.16; the headers of the C library may be older. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define IP_WORD_IS_32_BITS 2
#define IP_MOST_WORDS 128

typedef struct {
  uint64_t expected;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
} ip_waited_word;

#endif
