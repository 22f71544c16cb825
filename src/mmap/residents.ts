/** What lives in the memory of a mapping: locks, which the kernel or another thread know by their address. */
import { rangeError } from '../core/errors.js';

/** Something in the memory that has to be asked, or told, before the memory goes. @internal */
export interface Resident {
  readonly closed: boolean;
  /** Throws while the memory may not go. */
  checkLeaving(): void;
  /** The buffer that was there has gone. */
  remapped(): void;
  close(): void;
}

interface Known {
  /** Itself where it must not be collected before it is closed. */
  readonly resident: Resident | WeakRef<Resident>;
  /** Bytes from the beginning of the mapping to its end. */
  readonly end: number;
}

/** Those that somebody who has forgotten them must not lose, and with them their mappings. */
const kept = new Set<Resident>();

const collected = new FinalizationRegistry<() => void>((forget) => forget());

/** The residents of one mapping. @internal */
export class Residents {
  readonly #known = new Set<Known>();
  readonly #places = new WeakMap<Resident, Known>();

  #add(resident: Resident, known: Known): void {
    this.#known.add(known);
    this.#places.set(resident, known);
  }

  /** One that is not collected until it is closed. It has the memory up to this byte. */
  keep(resident: Resident, end: number): void {
    kept.add(resident);
    this.#add(resident, { resident, end });
  }

  /** One that may be collected: the addon keeps the memory for it as long as it must. */
  know(resident: Resident, end: number): void {
    const known: Known = { resident: new WeakRef(resident), end };
    const all = this.#known;
    this.#add(resident, known);
    collected.register(resident, () => all.delete(known), resident);
  }

  remove(resident: Resident): void {
    kept.delete(resident);
    collected.unregister(resident);
    const known = this.#places.get(resident);
    if (known !== undefined) this.#known.delete(known);
  }

  #there(): { resident: Resident; end: number }[] {
    return [...this.#known].flatMap(({ resident, end }) => {
      const found = resident instanceof WeakRef ? resident.deref() : resident;
      return found === undefined ? [] : [{ resident: found, end }];
    });
  }

  /** Throws if one would not have all of its memory any more. */
  checkRoom(byteLength: number): void {
    for (const { resident, end } of this.#there()) {
      if (end > byteLength && !resident.closed) {
        throw rangeError(`byteLength must be at least ${end}, where a lock ends that is open, got ${byteLength}`);
      }
    }
  }

  /** The buffer that was there has gone. */
  remapped(): void {
    for (const { resident } of this.#there()) resident.remapped();
  }

  /** Closes all, or throws before the first if one may not leave. */
  close(): void {
    const all = this.#there();
    for (const { resident } of all) resident.checkLeaving();
    for (const { resident } of all) resident.close();
  }
}
