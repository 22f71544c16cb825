/** A layout as a C header, for C11 and later and C++11 and later. */
import { isAtomic, isBytes, isChars, isStruct } from './kinds.js';
import { distinct, innermost, type NamedStruct, nameOf, structsOf } from './nested.js';
import { digestOf } from './place.js';
import { SCALARS } from './scalars.js';
import type { PlacedField, Struct } from './struct.js';
import type { Kind } from './types.js';

const HEAD = `#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef INTERPROC_ATOMIC
#ifdef __cplusplus
#include <atomic>
#define INTERPROC_ATOMIC(type) std::atomic<type>
#define INTERPROC_ALIGNOF(type) alignof(type)
#define INTERPROC_ASSERT(condition) static_assert(condition, #condition)
#else
#include <stdatomic.h>
#define INTERPROC_ATOMIC(type) _Atomic(type)
#define INTERPROC_ALIGNOF(type) _Alignof(type)
#define INTERPROC_ASSERT(condition) _Static_assert(condition, #condition)
#endif
#endif
`;

function typeOf(kind: Kind, structs: readonly NamedStruct[]): string {
  if (typeof kind === 'string') return SCALARS[kind].c;
  if (isAtomic(kind)) return `INTERPROC_ATOMIC(${SCALARS[kind.of].c})`;
  if (isStruct(kind)) return `struct ${nameOf(structs, kind)}`;
  return isChars(kind) ? 'char' : 'uint8_t';
}

function memberOf({ name, kind }: PlacedField, structs: readonly NamedStruct[]): string {
  const { of, dimensions } = innermost(kind);
  const own = isChars(of) || isBytes(of) ? [...dimensions, of.length] : dimensions;
  return `  ${typeOf(of, structs)} ${name}${own.map((length) => `[${length}]`).join('')};`;
}

function structSource({ name, struct }: NamedStruct, structs: readonly NamedStruct[]): string {
  const guard = `INTERPROC_STRUCT_${name}`; // another header may have the same struct in it; its size is asserted anyway
  const type = `struct ${name}`;
  return [
    `#ifndef ${guard}`,
    `#define ${guard}`,
    `${type} {`,
    ...struct.fields.map((field) => memberOf(field, structs)),
    '};',
    '#endif',
    `INTERPROC_ASSERT(sizeof(${type}) == ${struct.byteLength});`,
    `INTERPROC_ASSERT(INTERPROC_ALIGNOF(${type}) == ${struct.alignment});`,
    ...struct.fields.map(({ name: field, offset }) => `INTERPROC_ASSERT(offsetof(${type}, ${field}) == ${offset});`),
    '',
  ].join('\n');
}

/**
 * The header of a layout under a name.
 *
 * @param defines further constants, each a name and a C expression
 */
export function toC(
  top: Struct,
  name: string,
  defines: readonly (readonly [string, string])[] = [],
  beside?: Struct,
): string {
  const structs = structsOf(top, name, 'C', beside);
  const guard = `INTERPROC_LAYOUT_${name}`;
  return [
    `/* ${name}: ${top.byteLength} bytes, as interproc lays them out; digest ${digestOf(top)} */`,
    `#ifndef ${guard}`,
    `#define ${guard}`,
    '',
    HEAD,
    ...distinct(structs).map((one) => structSource(one, structs)),
    ...defines.map(([constant, value]) => `#define ${name}_${constant} ${value}`),
    '#endif',
    '',
  ].join('\n');
}
