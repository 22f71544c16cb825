/*
 * The descriptors of one environment: those that it made, from the system call on, and those that its
 * handles took over. A terminated worker runs no JavaScript any more, so nobody else could close them:
 * they would stay open for as long as the process lives. What recvmsg(2) brings is the caller's own.
 */
#include "interproc.h"

#include <stdlib.h>
#include <unistd.h>

#define BITS 64
#define FIRST 3 /* standard input, output and error belong to the process, whoever wraps them */

static bool make_room(ip_environment *environment, size_t words) {
  if (words <= environment->held_words) return true;
  if (words < 2 * environment->held_words) words = 2 * environment->held_words;
  uint64_t *grown = realloc(environment->held, words * sizeof *grown);
  if (grown == NULL) return false;
  for (size_t word = environment->held_words; word < words; word++) grown[word] = 0;
  environment->held = grown;
  environment->held_words = words;
  return true;
}

bool ip_hold_descriptor(ip_environment *environment, int32_t fd) {
  if (fd < FIRST) return true;
  if (!make_room(environment, (size_t)fd / BITS + 1)) return false;
  environment->held[fd / BITS] |= UINT64_C(1) << (fd % BITS);
  return true;
}

napi_value ip_descriptor(napi_env env, int64_t returned) {
  if (returned < 0) return ip_result(env, -errno);
  /* Without room for the bit only a terminated worker would leave it open. */
  ip_hold_descriptor(ip_environment_of(env), (int32_t)returned);
  return ip_result(env, returned);
}

/* holdDescriptor(fd): one that was not made here is closed with this environment, unless close() comes first. */
static napi_value hold_descriptor(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_result(env, ip_hold_descriptor(ip_environment_of(env), ip_int32(env, args[0])) ? 0 : -ENOMEM);
}

void ip_let_go_descriptor(ip_environment *environment, int32_t fd) {
  if (fd < FIRST || (size_t)fd / BITS >= environment->held_words) return;
  environment->held[fd / BITS] &= ~(UINT64_C(1) << (fd % BITS));
}

void ip_close_held(ip_environment *environment) {
  for (size_t word = 0; word < environment->held_words; word++) {
    for (int bit = 0; bit < BITS; bit++) {
      if ((environment->held[word] >> bit & 1) != 0) close((int)(word * BITS) + bit);
    }
  }
  free(environment->held);
  environment->held = NULL;
  environment->held_words = 0;
}

const ip_function ip_held_functions[] = {{"holdDescriptor", hold_descriptor}, {NULL, NULL}};
