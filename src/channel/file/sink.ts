/** The sending half of `file:`: collects messages and appends them with one system call. */
import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { check } from '../../core/errors.js';
import { LOCK_UN, native } from '../../sys/index.js';
import { LONGEST_MESSAGE, type Sink } from '../contract.js';
import { Durability } from './durable.js';
import {
  END,
  END_BYTES,
  endRecord,
  movedRecord,
  MOVED_BYTES,
  RECORD_HEADER,
  recordBytes,
  setU32,
  TEMPORARY,
  u32,
} from './format.js';
import type { LogFile } from './logfile.js';
import { type Appended, begin, openForAppending, runNow } from './open.js';

/** Messages are collected up to this much. */
const BUFFER = 256 * 1024;
/** From this length on a message is written from where it is instead of being copied. */
const DIRECT = 32 * 1024;

/** Messages that are appended one by one in so short a time ask for the path once: lstat(2) costs as much as write(2). */
const TRUST_MS = 1;

/** How a log is written. */
export interface SinkOptions {
  readonly raw: boolean;
  readonly sync: boolean;
  readonly coalesce: boolean;
  readonly temporary: boolean;
}

/** Appends to a log whose lock is held. */
export class FileSink implements Sink {
  /** A file has room for everything. */
  readonly wholeLimit = LONGEST_MESSAGE;
  readonly #options: SinkOptions;
  readonly #header: number;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER);
  readonly #durability: Durability | undefined;
  #log: Appended;
  #trustedUntil = 0;
  /** Bytes in the buffer, and whether there is nothing but the END among them. */
  #used = 0;
  #onlyEnd = false;
  #ended = false;

  constructor(log: Appended, options: SinkOptions) {
    this.#log = log;
    this.#options = options;
    this.#header = options.raw ? 0 : RECORD_HEADER;
    this.#durability = options.sync ? new Durability() : undefined;
    if (options.sync && log.created) syncFolder(log.file.path);
  }

  offer(message: Uint8Array): boolean {
    const waits = this.#mustWait();
    if (waits && !this.#options.coalesce) return false;
    const length = message.length;
    const header = this.#header;
    if (length >= DIRECT || this.#used + header + length > BUFFER) {
      if (waits) return false;
      if (length >= DIRECT) {
        if (this.#used + header > BUFFER) this.#write(undefined);
        this.#putHeader(length);
        this.#write(message);
        return true;
      }
      this.#write(undefined);
    }
    this.#putHeader(length);
    this.#buffer.set(message, this.#used);
    this.#used += length;
    return true;
  }

  /** With `?sync`: whether the disk is waited for; and without coalescing each message has it for itself. */
  #mustWait(): boolean {
    const durability = this.#durability;
    if (durability === undefined) return false;
    return durability.running || (!this.#options.coalesce && (this.#used > 0 || !durability.complete));
  }

  #putHeader(length: number): void {
    if (this.#header === 0) return;
    setU32(this.#buffer, this.#used, length);
    setU32(this.#buffer, this.#used + 4, this.#log.salt);
    this.#used += RECORD_HEADER;
  }

  /** Never needed: `offer` takes every length. */
  offerPart(message: Uint8Array, from: number): number {
    return this.offer(message) ? message.length : from;
  }

  offerEnd(): boolean {
    // Asked again while the disk is waited for.
    if (this.#ended || this.#options.raw) return true;
    if (this.#used + END_BYTES > BUFFER) {
      if (this.#mustWait()) return false;
      this.#write(undefined);
    }
    this.#ended = true;
    this.#onlyEnd = this.#used === 0;
    this.#buffer.set(endRecord(this.#log.salt, this.#log.temporary ? TEMPORARY : 0), this.#used);
    this.#used += END_BYTES;
    return true;
  }

  publish(): boolean {
    const durability = this.#durability;
    if (durability === undefined) {
      this.#write(undefined);
      return true;
    }
    if (durability.running) return false;
    this.#write(undefined);
    if (durability.complete) return true;
    durability.begin(this.#log.file);
    return false;
  }

  whenWritable(ready: () => void): (() => void) | undefined {
    return this.#durability?.whenDone(ready);
  }

  /** Waits for the disk on this thread: a system call that ends by itself, whatever the time-out. */
  waitWritable(_timeoutMs: number): void {
    this.#durability?.now(this.#log.file);
  }

  /** Appends what the buffer holds, and then `payload`, the bytes that its last header announces. */
  #write(payload: Uint8Array | undefined): void {
    if (this.#used === 0 && payload === undefined) return;
    this.#follow();
    const log = this.#log;
    const length = this.#used;
    log.file.append(this.#buffer, length, payload, (done) => this.#wholeBytes(done));
    const written = length + (payload?.length ?? 0);
    log.size += written;
    this.#durability?.wrote(written);
    this.#used = 0;
  }

  /** How much of so many written bytes are whole records. What a raw log got stays: it has no parts. */
  #wholeBytes(done: number): number {
    if (this.#options.raw) return done;
    let whole = 0;
    for (;;) {
      const next = whole + recordBytes(u32(this.#buffer, whole));
      if (next > done) return whole;
      whole = next;
      if (whole >= this.#used) return whole;
    }
  }

  /** Looks whether the path still names the file and nobody has changed its length (rotation, truncation). */
  #follow(): void {
    const log = this.#log;
    if (!this.#options.coalesce && performance.now() < this.#trustedUntil) {
      // FIONREAD is the size less our position, which O_APPEND puts at the end: 0 unless others changed the size.
      if (this.#options.raw || native().available(log.file.fd) === 0) return;
    }
    const named = log.file.named();
    if (named === 'this') {
      if (!this.#options.raw && log.file.sizeNamed !== log.size) {
        runNow(begin(log));
        this.#stamp();
      }
    } else if (!this.#onlyEnd) {
      this.#goOn();
    }
    this.#trustedUntil = performance.now() + TRUST_MS;
  }

  /** The log was renamed or removed: the old file says where it goes on, and the new one begins. */
  #goOn(): void {
    const { file, salt, temporary, created } = this.#log;
    // A new file may be there already, made by whoever renamed the old one.
    const next = runNow(openForAppending(file.path, this.#options));
    if (!this.#options.raw) {
      file.append(movedRecord(salt, next.file.inode, next.salt), MOVED_BYTES, undefined, () => 0);
      this.#durability?.wrote(MOVED_BYTES);
    }
    this.#durability?.now(file);
    if (this.#options.sync && next.created) syncFolder(file.path);
    this.#log = { ...next, temporary: temporary || next.temporary, created: created || next.created };
    this.#retire(file);
    this.#stamp();
  }

  /** A thread may still be in fdatasync(2) with the descriptor. */
  #retire(file: LogFile): void {
    if (this.#durability === undefined) file.close();
    else void this.#durability.settled().then(() => file.close());
  }

  /** Gives the records in the buffer the salt of the file that they go to. */
  #stamp(): void {
    if (this.#options.raw) return;
    for (let at = 0; at < this.#used; at += recordBytes(u32(this.#buffer, at))) {
      setU32(this.#buffer, at + 4, this.#log.salt);
      if (u32(this.#buffer, at) === END) setU32(this.#buffer, at + 8, this.#log.temporary ? TEMPORARY : 0);
    }
  }

  async release(): Promise<void> {
    // Nothing is written any more, so the next sender need not wait for the disk.
    this.#log.file.lock(LOCK_UN);
    await this.#durability?.settled();
    this.#log.file.close();
  }
}

/** Makes the name of a new file durable, too: fdatasync(2) of the file does not. */
function syncFolder(path: string): void {
  const folder = dirname(path);
  const fd = check(native().open(folder, constants.O_RDONLY | constants.O_DIRECTORY, 0), 'open', { path: folder });
  const result = native().fdatasync(fd);
  native().close(fd);
  check(result, 'fdatasync', { path: folder });
}
