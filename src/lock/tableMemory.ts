/** The memory of a table: how long it is, how it is made, and what has to be there before it is used. */
import { checkInteger, checkOptions } from '../core/arguments.js';
import { codedError } from '../core/errors.js';
import type { Mapping } from '../mmap/index.js';
import { KIND, type ObjectName, OWN, ROBUST_AND_SHARED, SEAT_BYTES, SEAT_INDEX, SEATS, TABLE_BYTES } from './layout.js';
import { checkPlace, checkThere, existsError, format, wordAt } from './place.js';

/** How a table is made. */
export interface SeatOptions {
  /** How many threads may take part at once, in all processes; 1 to 4096, 32 if omitted. Each takes 64 bytes. */
  seats?: number;
}

/** How many threads may take part, unless it is said. */
export const DEFAULT_SEATS = 32;
export const MOST_SEATS = 4096;

/** Bytes of a table with so many seats. */
export function tableBytes(seats: number): number {
  return TABLE_BYTES + seats * SEAT_BYTES;
}

/** Throws for a number of seats that cannot be meant. */
export function checkSeats(options: SeatOptions, known = ['seats']): number {
  checkOptions(options, known);
  const { seats = DEFAULT_SEATS } = options;
  checkInteger('seats', seats, 1, MOST_SEATS);
  return seats;
}

/** Where a table is. */
export interface Place {
  mapping: Mapping;
  offset: number;
}

/** Makes a table in memory that is zero, or answers false if there is one. `own` are the first words of its kind. */
export function formatTable(
  { mapping, offset }: Place,
  name: ObjectName,
  seats: number,
  own: readonly number[],
): boolean {
  checkPlace(mapping, offset, tableBytes(seats));
  const image = new Int32Array(tableBytes(seats) / 4);
  image[KIND / 4] = ROBUST_AND_SHARED;
  image[SEATS / 4] = seats;
  own.forEach((word, index) => {
    image[OWN / 4 + index] = word;
  });
  for (let seat = 0; seat < seats; seat++) {
    const at = (TABLE_BYTES + seat * SEAT_BYTES) / 4;
    image[at + KIND / 4] = ROBUST_AND_SHARED;
    image[at + SEAT_INDEX / 4] = seat;
  }
  return format(mapping, offset, name, image);
}

/** Makes a table that must not be there yet. */
export function createTable(place: Place, name: ObjectName, seats: number, own: readonly number[]): void {
  if (!formatTable(place, name, seats, own)) throw existsError(name, place.offset);
}

/** Throws unless there is such a table, all of it in the mapping. */
export function checkTable({ mapping, offset }: Place, name: ObjectName): void {
  checkPlace(mapping, offset, TABLE_BYTES);
  checkThere(mapping, offset, name);
  const seats = wordAt(mapping, offset + SEATS);
  if (seats < 1 || seats > MOST_SEATS) {
    throw codedError('ERR_INTERPROC_LAYOUT', `the ${name} at ${offset} is damaged: it has ${seats} seats`);
  }
  checkPlace(mapping, offset, tableBytes(seats));
}
