/** A layout as classes of Python's ctypes. */
import { isAtomic, isStruct } from './kinds.js';
import { distinct, innermost, type NamedStruct, nameOf, structsOf } from './nested.js';
import { digestOf } from './place.js';
import { SCALARS } from './scalars.js';
import type { PlacedField, Struct } from './struct.js';
import type { Bytes, Chars, Kind } from './types.js';

function typeOf(kind: Kind, structs: readonly NamedStruct[]): string {
  if (typeof kind === 'string') return `ctypes.${SCALARS[kind].ctypes}`;
  if (isAtomic(kind)) return `ctypes.${SCALARS[kind.of].ctypes}`;
  if (isStruct(kind)) return nameOf(structs, kind);
  const { kind: sort, length } = kind as Chars | Bytes;
  return `${sort === 'chars' ? 'ctypes.c_char' : 'ctypes.c_uint8'} * ${length}`;
}

function fieldOf({ name, kind }: PlacedField, structs: readonly NamedStruct[]): string {
  const { of, dimensions } = innermost(kind);
  // ctypes multiplies from the inside: (T * 3) * 4 is T[4][3] of C.
  const type = dimensions.reduceRight(
    (inner, length) => `${inner.includes('*') ? `(${inner})` : inner} * ${length}`,
    typeOf(of, structs),
  );
  return `        ("${name}", ${type}),${isAtomic(of) ? '  # atomic elsewhere, not in Python' : ''}`;
}

function classSource({ name, struct }: NamedStruct, structs: readonly NamedStruct[]): string {
  return [
    '',
    '',
    `class ${name}(ctypes.LittleEndianStructure):`,
    '    _fields_ = [',
    ...struct.fields.map((field) => fieldOf(field, structs)),
    '    ]',
    '',
    '',
    `assert ctypes.sizeof(${name}) == ${struct.byteLength}`,
    `assert ctypes.alignment(${name}) == ${struct.alignment}`,
    ...struct.fields.map(({ name: field, offset }) => `assert ${name}.${field}.offset == ${offset}`),
  ].join('\n');
}

/**
 * The module of a layout under a name.
 *
 * @param constants further ones, each a name and a Python expression
 */
export function toPython(
  top: Struct,
  name: string,
  constants: readonly (readonly [string, string])[] = [],
  beside?: Struct,
): string {
  const structs = structsOf(top, name, 'Python', beside);
  return [
    `"""${name}: ${top.byteLength} bytes, as interproc lays them out; digest ${digestOf(top)}."""`,
    'import ctypes',
    ...distinct(structs).map((one) => classSource(one, structs)),
    ...(constants.length === 0 ? [] : ['']),
    ...constants.map(([constant, value]) => `${name}_${constant} = ${value}`),
    '',
  ].join('\n');
}
