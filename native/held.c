/*
 * The descriptors that handles of one environment hold. A terminated worker runs no JavaScript any
 * more, so nobody else could close them: they would stay open for as long as the process lives.
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

/* holdDescriptor(fd): it is closed with this environment, unless close() comes first. */
static napi_value hold_descriptor(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  int32_t fd = ip_int32(env, args[0]);
  ip_environment *environment = ip_environment_of(env);
  if (fd < FIRST) return ip_result(env, 0);
  if (!make_room(environment, (size_t)fd / BITS + 1)) return ip_result(env, -ENOMEM);
  environment->held[fd / BITS] |= UINT64_C(1) << (fd % BITS);
  return ip_result(env, 0);
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
