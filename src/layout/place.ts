/**
 * The rules by which a C compiler lays out a struct on x86-64 and arm64 (LP64): each field at the next multiple of its
 * alignment, the whole filled up to a multiple of its largest. A scalar's alignment is its size, an array's that of its
 * element, a struct's that of its strictest field.
 */
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { argumentError, rangeError } from '../core/errors.js';
import { checkKind, isArray, isAtomic, isStruct, MOST_BYTES } from './kinds.js';
import { SCALARS } from './scalars.js';
import type { PlacedField, Struct } from './struct.js';
import type { Kind, Scalar } from './types.js';

/** Bytes of one of a kind. */
export function sizeOf(kind: Kind): number {
  if (typeof kind === 'string') return SCALARS[kind].size;
  if (isAtomic(kind)) return SCALARS[kind.of].size;
  if (isArray(kind)) return sizeOf(kind.of) * kind.length;
  return isStruct(kind) ? kind.byteLength : (kind as { length: number }).length;
}

/** What the offset of a kind must be a multiple of. */
export function alignmentOf(kind: Kind): number {
  if (typeof kind === 'string') return SCALARS[kind].size;
  if (isAtomic(kind)) return SCALARS[kind.of].size;
  if (isArray(kind)) return alignmentOf(kind.of);
  return isStruct(kind) ? kind.alignment : 1;
}

/** The next multiple. */
export const alignUp = (offset: number, alignment: number): number => Math.ceil(offset / alignment) * alignment;

/** A view is a DataView inside, so a field cannot have the name of a method that reads or writes one. */
const OF_DATAVIEW = /^[gs]et(?:Big)?(?:Int|Uint|Float)\d+$/;

function checkName(name: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw argumentError(
      `a field's name has letters, digits and _, and does not begin with a digit, so that it is one in C and Python, too; got ${inspect(name)}`,
      'ERR_INTERPROC_NAME',
    );
  }
  if (name in Object.prototype || OF_DATAVIEW.test(name)) {
    throw argumentError(`no field can be called ${name}: objects of JavaScript have it`, 'ERR_INTERPROC_NAME');
  }
}

/** Lays out fields, or throws for what cannot be laid out. */
export function place(fields: Readonly<Record<string, Kind>>): Pick<Struct, 'fields' | 'byteLength' | 'alignment'> {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw argumentError(`the fields must be an object of names and kinds, got ${inspect(fields, { depth: 0 })}`);
  }
  const placed: PlacedField[] = [];
  let end = 0;
  let strictest = 1;
  for (const [name, kind] of Object.entries(fields)) {
    checkName(name);
    checkKind(`the field ${name}`, kind);
    const alignment = alignmentOf(kind);
    const offset = alignUp(end, alignment);
    const byteLength = sizeOf(kind);
    placed.push(Object.freeze({ name, kind, offset, byteLength }));
    end = offset + byteLength;
    strictest = Math.max(strictest, alignment);
  }
  if (placed.length === 0) throw argumentError('a layout needs a field: C knows no empty struct');
  const byteLength = alignUp(end, strictest);
  if (byteLength > MOST_BYTES) {
    throw rangeError(`a layout has at most ${MOST_BYTES} bytes, and these fields have ${byteLength}`);
  }
  return { fields: Object.freeze(placed), byteLength, alignment: strictest };
}

/** The kind of each field with its place, all the way down: two layouts with the same text describe the same bytes. */
export function canonical(kind: Kind | Struct): string {
  if (typeof kind === 'string') return kind satisfies Scalar;
  if (isAtomic(kind)) return `atomic(${kind.of})`;
  if (isArray(kind)) return `array(${canonical(kind.of)},${kind.length})`;
  if (!isStruct(kind)) return `${(kind as { kind: string }).kind}(${(kind as { length: number }).length})`;
  const fields = kind.fields.map(({ name, kind: inner, offset }) => `${name}:${canonical(inner)}@${offset}`);
  return `{${fields.join(',')}}#${kind.byteLength}/${kind.alignment}`;
}

/** 32 hexadecimal digits that stand for that text. */
export function digestOf(struct: Struct): string {
  return createHash('sha256').update(canonical(struct)).digest('hex').slice(0, 32);
}
