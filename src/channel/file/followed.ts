/** The file that a receiver reads: opened when it is there, exchanged when the log goes on in another. */
import { constants, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { IpcError } from '../../core/errors.js';
import { statusAt } from '../../core/files.js';
import { LOCK_SH, LOCK_UN } from '../../sys/index.js';
import { START_BYTES, startState, u32 } from './format.js';
import { LogFile } from './logfile.js';
import { Watch } from './watch.js';

/** The kernel needs some instructions between telling of a close and letting go of the lock, and may be held up among them. */
const RELEASE_MS = 1000;

/** A path that is followed through rotation. */
export class Followed {
  readonly path: string;
  /** The file that is read now; `undefined` while there is none. */
  file: LogFile | undefined;
  #watch: Watch | undefined;
  /** Whether somebody had the lock of a file that was replaced, when last looked at. */
  #isHeld = false;
  /** Whoever was seen to close the file has let go of its lock by then. */
  #releasedBy = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Whether a file is open, after trying to open it. */
  open(): boolean {
    this.file ??= LogFile.open(this.path, constants.O_RDONLY);
    return this.file !== undefined;
  }

  /**
   * Whether the path names another file by now and nobody appends to the one that is read: what it
   * holds is all there will be. A sender that still has it will write down where it goes on.
   */
  isReplaced(): boolean {
    const file = this.file as LogFile;
    if (file.named() !== 'other') return false;
    this.#isHeld = !file.lock(LOCK_SH);
    if (!this.#isHeld) file.lock(LOCK_UN);
    return !this.#isHeld;
  }

  /** Closes the file; the next `open()` takes what the path names then. */
  leave(): void {
    this.file?.close();
    this.file = undefined;
  }

  /**
   * Goes on with the file that a MOVED mark names. If that was renamed in its turn, it is looked for
   * in the folder.
   *
   * @throws IpcError ENOENT: it is gone, and messages with it
   */
  goOn(inode: bigint, salt: number): void {
    this.leave();
    for (const path of this.#places()) {
      const file = openIf(path, inode, salt, this.path);
      if (file === undefined) continue;
      this.file = file;
      return;
    }
    throw new IpcError({
      code: 'ENOENT',
      syscall: 'open',
      path: this.path,
      message: 'the log went on in a file that is gone: messages were lost',
      hint: 'the receiver was slower than the rotation removed files; keep more of them',
    });
  }

  *#places(): Generator<string, void, void> {
    yield this.path;
    const folder = dirname(this.path);
    for (const name of readdirSync(folder)) yield join(folder, name);
  }

  /**
   * The watch on which to wait, `undefined` if `look` finds something or is to be repeated. Whatever happens after the last
   * look is noticed: it comes after the watch was set, and if it went to another file, which it opened
   * or turned to, that one is watched and looked at in its turn.
   */
  watchUnless(look: () => boolean): Watch | undefined {
    this.#watch ??= new Watch(this.path);
    for (;;) {
      const { file } = this;
      if (this.#watch.clear()) this.#releasedBy = performance.now() + RELEASE_MS;
      this.#watch.set(file);
      this.#isHeld = false;
      if (look()) return undefined;
      // The lock of one that has just closed the file is let go of without an event: look again.
      if (this.#isHeld && performance.now() < this.#releasedBy) return undefined;
      if (this.file === file) return this.#watch;
    }
  }

  close(): void {
    this.leave();
    this.#watch?.close();
    this.#watch = undefined;
  }
}

/** Opens what is in this place if it is the file with this inode that begins with this salt. */
function openIf(place: string, inode: bigint, salt: number, path: string): LogFile | undefined {
  // Looked at first: opening a FIFO or a device could be noticed by others.
  if (statusAt(place)?.ino !== inode) return undefined;
  const file = LogFile.open(place, constants.O_RDONLY, path);
  if (file === undefined) return undefined;
  const start = Buffer.alloc(START_BYTES);
  const length = file.read(start, 0, START_BYTES, 0);
  if (startState(start, 0, length) === 'start' && u32(start, 4) === salt) return file;
  file.close();
  return undefined;
}
