/**
 * Waiting until a file grows, is cut or renamed, loses its sender, or appears (inotify(7)).
 *
 * What the events say is hardly looked at: each only means "look again", and whoever waits looks again
 * after he has begun to watch. So a queue that overflowed, events of a moment ago and events that
 * the kernel merged make no difference. The exception is the end of a sender, which is told too early.
 */
import { dirname } from 'node:path';
import { EAGAIN, EINTR } from '../../core/errno.js';
import { check } from '../../core/errors.js';
import { DescriptorHandle } from '../../core/handle.js';
import { onceReady } from '../../core/readiness.js';
import {
  IN_ATTRIB,
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE_SELF,
  IN_MODIFY,
  IN_MOVED_TO,
  IN_MOVE_SELF,
  IN_Q_OVERFLOW,
  native,
  POLLIN,
} from '../../sys/index.js';
import { u32 } from './format.js';
import type { LogFile } from './logfile.js';

/** A removed name shows as IN_ATTRIB (the number of links), a killed sender as IN_CLOSE_WRITE. */
const FILE_EVENTS = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_CLOSE_WRITE;
const FOLDER_EVENTS = IN_CREATE | IN_MOVED_TO;

/** An event: i32 watch, u32 mask, u32 cookie, u32 length of the name that follows. */
const EVENT_BYTES = 16;
const events = Buffer.allocUnsafeSlow(4096);

/** An inotify instance for one path. */
export class Watch extends DescriptorHandle {
  readonly path: string;
  #file: LogFile | undefined;
  #fileWatch = -1;
  #folderWatch = -1;

  constructor(path: string) {
    super(check(native().inotifyInit(), 'inotify_init1', { path }), `the watch of ${path}`);
    this.path = path;
  }

  describe(): string {
    return `the watch of ${this.path}`;
  }

  /** Watches this open file, whatever its name is by now; and its folder, while the path does not name it. */
  set(file: LogFile | undefined): void {
    if (this.#file !== file) {
      // The kernel has removed the watch of a file that is gone: an error here means just that.
      if (this.#fileWatch >= 0) native().inotifyRmWatch(this.fd, this.#fileWatch);
      this.#fileWatch = -1;
      this.#file = file;
      if (file !== undefined) this.#fileWatch = this.#add(`/proc/self/fd/${file.fd}`, FILE_EVENTS);
    }
    if (file === undefined || file.named() !== 'this') {
      if (this.#folderWatch < 0) this.#folderWatch = this.#add(dirname(this.path), FOLDER_EVENTS);
    } else if (this.#folderWatch >= 0) {
      native().inotifyRmWatch(this.fd, this.#folderWatch);
      this.#folderWatch = -1;
    }
  }

  #add(path: string, mask: number): number {
    return check(native().inotifyAddWatch(this.fd, path, mask), 'inotify_add_watch', { path: this.path });
  }

  /**
   * Forgets what has happened: call it before looking. Answers whether somebody closed a descriptor to
   * write with: the kernel says so before it lets go of the lock, so that comes without another event.
   */
  clear(): boolean {
    let closed = false;
    for (;;) {
      const got = native().read(this.fd, events, 0, events.length);
      if (got === -EAGAIN) return closed;
      if (got === -EINTR) continue;
      check(got, 'read', { path: this.path });
      for (let at = 0; at < got; at += EVENT_BYTES + u32(events, at + 12)) {
        if ((u32(events, at + 4) & (IN_CLOSE_WRITE | IN_Q_OVERFLOW)) !== 0) closed = true;
      }
    }
  }

  /** Calls back at the next event; the returned function takes that back. */
  once(ready: () => void): () => void {
    return onceReady(this.fd, POLLIN, ready);
  }

  /** Blocks this thread until there is an event. */
  wait(timeoutMs: number): void {
    const polled = native().poll(this.fd, POLLIN, Math.max(0, Math.ceil(timeoutMs)));
    if (polled < 0 && polled !== -EINTR) check(polled, 'poll', { path: this.path });
  }
}
