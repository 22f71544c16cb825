/** What a mechanism must say about itself to be a row of the tour: one file in rows/ each. */
import type { StdioOptions } from 'node:child_process';
import { rmSync } from 'node:fs';

/** Where a row makes its objects: names that no other tour has, and a private folder on a disk. */
export interface Place {
  /** A path in the tour's folder, mode 0700. */
  path(name: string): string;
  /** A name for the kernel's flat name spaces, without a slash. */
  name(name: string): string;
}

/** One of the two programs, as it is started. */
export interface Start {
  /** File of the program beside this one, without `.js`. */
  readonly program: 'parent' | 'receiver' | 'sender' | 'signalReceiver' | 'signalSender' | 'turns';
  /** Where it receives or sends, and the way back. */
  readonly urls: readonly string[];
  /** Descriptors that it inherits as 3, 4, …; none if omitted. */
  readonly fds?: readonly number[];
}

/** A row that is ready to run: two programs of the tour's, or one that starts the other. */
export type Prepared = PreparedPair | PreparedFamily;

/** The sender starts the receiver, as its child. */
export interface PreparedFamily extends Preparation {
  readonly parent: Start;
}

/** The tour starts both. */
export interface PreparedPair extends Preparation {
  readonly receiver: Start;
  /** The sender; it may need to know who the receiver is, and is started when that is ready then. */
  readonly sender: Start | ((receiverPid: number) => Start);
}

/** What both have. */
export interface Preparation {
  /** What the table and the JSON name as its address. */
  readonly url: string;
  /** Called when both programs have been started: lets go of what only they should hold. */
  started?(): void;
  /** Removes whatever is left, also after a crash of either program; nothing left is no error. */
  cleanUp(): void;
}

/** A mechanism on the tour. */
export type Row = TransferRow | SyncRow;

/** What all rows have. */
interface AnyRow {
  /** The name for `--only`. */
  readonly name: string;
  /** What the table calls it. */
  readonly mechanism: string;
  readonly way: 'file' | 'kernel' | 'memory';
  /**
   * The kind of processes that it is meant for: siblings inherit it from their parent, a
   * child from its own; unrelated
   * ones, each in a session of its own, find it by its name.
   */
  readonly processes: 'parent and child' | 'siblings' | 'unrelated';
}

/** A mechanism that moves a file and messages, or signals, from one process to another. */
export interface TransferRow extends AnyRow {
  readonly family: 'signal' | 'stream' | 'message' | 'memory';
  /** Whether messages of one turn leave together; each one by itself where that is the point. */
  readonly coalesce: boolean;
  /** How often the small messages are sent; what counts is the median. */
  readonly passes: number;
  /** After so long no more messages are begun: a slow disk would take minutes. */
  readonly mostSeconds?: number;
  /** Makes what must be there before the programs start. */
  prepare(place: Place): Prepared;
}

/** A primitive of synchronization: two processes take turns by it (primitive.ts). */
export interface SyncRow extends AnyRow {
  readonly family: 'sync';
  /** Makes what must be there before the programs start. */
  prepare(place: Place): PreparedPair;
}

/** The usual pair of programs at two addresses: one for what is sent and one for the way back. */
export function pair(
  url: string,
  back: string,
  cleanUp: () => void,
  fds?: { sender: readonly number[]; receiver: readonly number[] },
): PreparedPair {
  const urls = [url, back];
  return {
    url,
    sender: { program: 'sender', urls, ...(fds === undefined ? {} : { fds: fds.sender }) },
    receiver: { program: 'receiver', urls, ...(fds === undefined ? {} : { fds: fds.receiver }) },
    cleanUp,
  };
}

/** That pair at two files of the tour's folder. */
export function pairOfFiles(place: Place, scheme: string, name: string, options = ''): Prepared {
  const [there, back] = [place.path(name), place.path(`${name}-back`)];
  return pair(`${scheme}:${there}${options}`, `${scheme}:${back}${options}`, () => {
    for (const path of [there, back]) rmSync(path, { force: true });
  });
}

/** That pair at two of the kernel's objects, by their names. */
export function pairOfObjects(place: Place, scheme: string, unlink: (name: string) => void): Prepared {
  const [there, back] = [`/${place.name(scheme)}`, `/${place.name(`${scheme}-back`)}`];
  return pair(`${scheme}:${there}`, `${scheme}:${back}`, () => {
    for (const name of [there, back]) removeIfThere(() => unlink(name));
  });
}

/** The `stdio` of a program: what it reports comes through its standard output, and it ends with its parent. */
export function stdioOf(start: Start): StdioOptions {
  return ['pipe', 'pipe', 'pipe', ...(start.fds ?? [])];
}

/** Removes something that may not be there. */
export function removeIfThere(remove: () => void): void {
  try {
    remove();
  } catch (why) {
    if ((why as { code?: string }).code !== 'ENOENT') throw why;
  }
}
