/** The structs that a layout is made of, inner ones first, each with the one name that it has in another language. */
import { argumentError } from '../core/errors.js';
import { isArray, isStruct } from './kinds.js';
import { canonical } from './place.js';
import type { Struct } from './struct.js';
import type { Kind } from './types.js';
import { checkTypeName, checkWord, type Language } from './words.js';

/** A struct under its name. */
export interface NamedStruct {
  readonly name: string;
  readonly struct: Struct;
}

/** What an array is of, all the way down, and how many there are in each dimension. */
export function innermost(kind: Kind): { of: Kind; dimensions: number[] } {
  const dimensions: number[] = [];
  let of = kind;
  while (isArray(of)) {
    dimensions.push(of.length);
    of = of.of;
  }
  return { of, dimensions };
}

/**
 * Every struct of a layout, once, before those that hold it. One that has no name is called by where it is first found: `Tick_at`.
 *
 * @param beside one that is written along, though the layout does not hold it
 * @throws TypeError ERR_INTERPROC_NAME if two different ones have the same name, or a name means something in the language
 */
export function structsOf(top: Struct, name: string, language: Language, beside?: Struct): NamedStruct[] {
  const found: NamedStruct[] = [];
  const visit = (struct: Struct, called: string): void => {
    if (found.some((other) => other.struct === struct)) return;
    for (const field of struct.fields) {
      checkWord(language, `the field ${called}.${field.name}`, field.name);
      const { of } = innermost(field.kind);
      if (isStruct(of)) visit(of, of.name ?? `${called}_${field.name}`);
    }
    checkTypeName(called);
    checkWord(language, `the layout ${called}`, called);
    const same = found.find((other) => other.name === called);
    if (same !== undefined && canonical(same.struct) !== canonical(struct)) {
      throw argumentError(`two different layouts are called ${called}: give one another name`, 'ERR_INTERPROC_NAME');
    }
    found.push({ name: called, struct });
  };
  if (beside !== undefined) visit(beside, beside.name ?? `${name}_item`);
  visit(top, name);
  return found;
}

/** The name of a struct that was found. */
export function nameOf(structs: readonly NamedStruct[], struct: Struct): string {
  return (structs.find((one) => one.struct === struct) as NamedStruct).name;
}

/** Those that have to be written: of equal ones of one name, the first. */
export function distinct(structs: readonly NamedStruct[]): NamedStruct[] {
  return structs.filter(({ name }, index) => structs.findIndex((other) => other.name === name) === index);
}
