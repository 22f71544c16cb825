/**
 * When to look again whether a permit is free: the kernel tells of each change of a file, and of the end of whoever had it open, by
 * inotify(7). It does so a moment before the locks of the dead are gone, so after that other looks follow, later and later. And where
 * somebody has used up what inotify may use, looking every quarter of a second has to do.
 */
import { EAGAIN, EINTR } from '../core/errno.js';
import { forgetDescriptor, onceReady } from '../core/readiness.js';
import { IN_CLOSE_WRITE, IN_MODIFY, native, POLLIN } from '../sys/index.js';

/** Nobody sleeps longer than this without having looked: it only matters where a machine is so busy that the looks came too early. */
const LONGEST_MS = 1000;
/** The same where the kernel does not tell. */
const UNTOLD_MS = 250;
/** A thread that blocks looks up this often, so that a worker can be terminated. */
const SLICE_MS = 50;
/** After the end of a descriptor, and after each look: when its locks may be gone. Who is ending may have to wait for a processor just then. */
const AFTER_CLOSE_MS = [1, 10, 50, 100, 150, 200, 250] as const;

const events = Buffer.allocUnsafeSlow(4096);
const asleep = new Int32Array(new SharedArrayBuffer(4));

/** The changes of one open file. */
export class Changes {
  /** -1 where there is no inotify instance left. */
  readonly #fd: number;
  readonly #look: () => void;
  #forget: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;

  /** Watches the file behind this descriptor; `look` is called while `on()`. */
  constructor(file: number, look: () => void) {
    this.#look = look;
    const fd = native().inotifyInit();
    const watched = fd < 0 ? fd : native().inotifyAddWatch(fd, `/proc/self/fd/${file}`, IN_MODIFY | IN_CLOSE_WRITE);
    if (watched < 0 && fd >= 0) native().close(fd);
    this.#fd = watched < 0 ? -1 : fd;
  }

  /** From now on `look` is called when something has changed. Who begins looks himself afterwards. */
  on(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(this.#look, this.#fd < 0 ? UNTOLD_MS : LONGEST_MS).unref();
    this.#arm();
  }

  #arm(): void {
    if (this.#fd < 0 || this.#timer === undefined) return;
    this.#forget = onceReady(this.#fd, POLLIN, () => {
      this.#clear();
      this.#arm();
      this.#look();
      this.#lookLater(AFTER_CLOSE_MS);
    });
  }

  #lookLater([next, ...later]: readonly number[]): void {
    clearTimeout(this.#soon);
    if (next === undefined || this.#timer === undefined) return;
    this.#soon = setTimeout(() => {
      this.#look();
      this.#lookLater(later);
    }, next).unref();
  }

  /** Forgets what has happened. */
  #clear(): void {
    for (;;) {
      const got = native().read(this.#fd, events, 0, events.length);
      if (got === -EAGAIN || (got < 0 && got !== -EINTR)) return;
    }
  }

  /** Nobody waits any more. */
  off(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#timer = undefined;
    this.#forget?.();
    this.#forget = undefined;
  }

  /** Blocks this thread until something may have changed, at most so long. */
  block(mostMs: number): void {
    const milliseconds = Math.ceil(Math.min(mostMs, SLICE_MS));
    if (this.#fd < 0) {
      Atomics.wait(asleep, 0, 0, milliseconds);
      return;
    }
    if (native().poll(this.#fd, POLLIN, milliseconds) <= 0) return;
    this.#clear();
    Atomics.wait(asleep, 0, 0, AFTER_CLOSE_MS[0]);
  }

  close(): void {
    this.off();
    if (this.#fd < 0) return;
    forgetDescriptor(this.#fd);
    native().close(this.#fd);
  }
}
