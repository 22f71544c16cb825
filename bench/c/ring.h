/*
 * A ring of framed messages for one producer and one consumer, as lean as C can have it; the layout of the library's.
 *
 * Words in shared memory:
 *   tail  owner producer. Free-running bytes written, modulo 2^32. Store-release publishes all before it.    (P1 -> C1)
 *   head  owner consumer. Free-running bytes consumed. Store-release gives the space back.                   (C2 -> P2)
 * Each side keeps the other's index cached and reads it only when the cached one says full or empty.
 *
 * A record is a 32-bit length, 4 bytes unused, the payload padded to 8. Records do not wrap: SKIP fills to the end.
 */
#pragma once
#include "common.h"
#include <immintrin.h>
#include <stdatomic.h>

#define SKIP 0xFFFFFFFFu
#define PADDED(length) (8u + (((length) + 7u) & ~7u))

typedef struct {
  _Alignas(128) _Atomic uint32_t tail;
  _Alignas(128) _Atomic uint32_t head;
  _Alignas(128) uint8_t data[];
} ring;

typedef struct {
  ring *shared;
  uint32_t capacity, tail, published, seen_head;
} producer;

typedef struct {
  ring *shared;
  uint32_t capacity, head, released, seen_tail;
} consumer;

static inline ring *ring_create(uint32_t capacity) { return shared_memory(sizeof(ring) + capacity); }

static inline void ring_publish(producer *p) {
  if (p->published == p->tail) return;
  atomic_store_explicit(&p->shared->tail, p->tail, memory_order_release); /* P1 */
  p->published = p->tail;
}

static inline void ring_release(consumer *c) {
  if (c->released == c->head) return;
  atomic_store_explicit(&c->shared->head, c->head, memory_order_release); /* C2 */
  c->released = c->head;
}

/* Waits until `need` bytes are free. What is written and not yet published goes first, else both would wait. */
__attribute__((noinline)) static void ring_wait_space(producer *p, uint32_t need) {
  ring_publish(p);
  for (;;) {
    p->seen_head = atomic_load_explicit(&p->shared->head, memory_order_acquire); /* P2 */
    if (p->capacity - (p->tail - p->seen_head) >= need) return;
    for (int i = 0; i < 16; i++) _mm_pause(); /* a full ring: leave the head's line to its owner */
  }
}

/* Room for `length` bytes, in place. The record becomes visible with the next ring_publish. */
static inline void *ring_claim(producer *p, uint32_t length) {
  uint32_t need = PADDED(length), offset = p->tail & (p->capacity - 1), rest = p->capacity - offset;
  uint32_t skip = rest < need ? rest : 0;
  if (p->capacity - (p->tail - p->seen_head) < need + skip) ring_wait_space(p, need + skip);
  if (__builtin_expect(skip != 0, 0)) {
    *(uint32_t *)(p->shared->data + offset) = SKIP;
    p->tail += skip;
    offset = 0;
  }
  uint8_t *record = p->shared->data + offset;
  *(uint32_t *)record = length;
  p->tail += need;
  return record + 8;
}

/* Looks once for new messages. */
static inline bool ring_look(consumer *c) {
  if (c->head != c->seen_tail) return true;
  c->seen_tail = atomic_load_explicit(&c->shared->tail, memory_order_acquire); /* C1 */
  return c->head != c->seen_tail;
}

/* The next message in place; call only after ring_look said yes. Length is read once and checked before use. */
static inline const void *ring_peek(consumer *c, uint32_t *length) {
  uint32_t offset = c->head & (c->capacity - 1);
  uint32_t size = *(volatile uint32_t *)(c->shared->data + offset);
  if (__builtin_expect(size == SKIP, 0)) {
    c->head += c->capacity - offset;
    offset = 0;
    size = *(volatile uint32_t *)c->shared->data;
  }
  if (__builtin_expect(size > c->capacity - 8 - offset, 0)) die("corrupt record");
  *length = size;
  return c->shared->data + offset + 8;
}

static inline void ring_advance(consumer *c, uint32_t length) { c->head += PADDED(length); }
