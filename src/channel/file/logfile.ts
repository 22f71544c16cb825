/** The open file itself: what sender and receiver do alike. */
import { constants } from 'node:fs';
import { EAGAIN, EEXIST, EINTR, ENOENT } from '../../core/errno.js';
import { check, IpcError, systemError } from '../../core/errors.js';
import { isKind, kindOf, statusOf } from '../../core/files.js';
import { DescriptorHandle } from '../../core/handle.js';
import { LOCK_NB, native, O_NONBLOCK } from '../../sys/index.js';

const fields = new BigInt64Array(7);
const words = new Int32Array(fields.buffer);
const SIZE = 6;

/** The 64-bit status field as a number. */
function field(index: number): number {
  return (words[2 * index + 1] as number) * 2 ** 32 + ((words[2 * index] as number) >>> 0);
}

/** What a path names, compared with a file that is open. */
export type Named = 'this' | 'other' | 'nothing';

/** A regular file that is open for reading or appending. */
export class LogFile extends DescriptorHandle {
  readonly path: string;
  readonly inode: bigint;
  readonly device: bigint;
  readonly #words: Int32Array;

  private constructor(fd: number, path: string) {
    super(fd, `the log ${path}`);
    this.path = path;
    try {
      const found = statusOf(fd, { path });
      if (!isKind(found.mode, constants.S_IFREG)) {
        const code = isKind(found.mode, constants.S_IFDIR) ? 'EISDIR' : 'EINVAL';
        throw new IpcError({
          code,
          syscall: 'open',
          path,
          message: `${kindOf(found.mode)} is in the place of the log`,
        });
      }
      this.inode = found.ino;
      this.device = found.dev;
    } catch (why) {
      this.close();
      throw why;
    }
    this.#words = new Int32Array(new BigInt64Array([this.device, this.inode]).buffer);
  }

  /**
   * Opens what is there; `undefined` if nothing is. Symbolic links are refused (ELOOP).
   *
   * @param path the name by which the file is known, if it has been renamed since
   */
  static open(place: string, access: number, path: string = place): LogFile | undefined {
    // A FIFO in this place would make the open wait without O_NONBLOCK; a regular file does not care.
    const fd = native().open(place, access | constants.O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd === -ENOENT) return undefined;
    return new LogFile(check(fd, 'open', { path }), path);
  }

  /** Makes the file, private to its owner; `undefined` if something is there already. */
  static create(path: string, access: number): LogFile | undefined {
    const flags = access | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | O_NONBLOCK;
    const fd = native().open(path, flags, 0o600);
    if (fd === -EEXIST) return undefined;
    return new LogFile(check(fd, 'open', { path }), path);
  }

  describe(): string {
    return `the log ${this.path}`;
  }

  /** Bytes in the file now. */
  size(): number {
    check(native().fstat(this.fd, fields), 'fstat', { path: this.path });
    return field(SIZE);
  }

  /** What the path names now; if it is this file, its size stands in `sizeNamed`. */
  named(): Named {
    const found = native().lstat(this.path, fields);
    if (found === -ENOENT) return 'nothing';
    check(found, 'lstat', { path: this.path });
    const own = this.#words;
    const same = words[0] === own[0] && words[1] === own[1] && words[2] === own[2] && words[3] === own[3];
    return same ? 'this' : 'other';
  }

  /** The size that the last `named()` found. */
  get sizeNamed(): number {
    return field(SIZE);
  }

  /** Reads up to `length` bytes at a position; fewer only at the end of the file. */
  read(bytes: Uint8Array, offset: number, length: number, position: number): number {
    let done = 0;
    while (done < length) {
      const got = native().pread(this.fd, bytes, offset + done, length - done, position + done);
      if (got === -EINTR) continue;
      check(got, 'pread', { path: this.path });
      if (got === 0) break;
      done += got;
    }
    return done;
  }

  /**
   * Appends the first `length` bytes, and `more`, in as few system calls as the kernel allows.
   *
   * @param keep told how many of the bytes were written if the rest could not be (ENOSPC, EFBIG):
   *   answers how many are to stay
   */
  append(bytes: Uint8Array, length: number, more: Uint8Array | undefined, keep: (done: number) => number): void {
    const total = length + (more?.length ?? 0);
    let done = 0;
    while (done < total) {
      const result =
        more === undefined || done >= length
          ? native().write(
              this.fd,
              done < length ? bytes : (more as Uint8Array),
              done < length ? done : done - length,
              done < length ? length - done : total - done,
            )
          : native().writev(this.fd, bytes, done, length - done, more, 0, more.length);
      if (result === -EINTR) continue;
      if (result < 0) {
        const stays = done === 0 ? 0 : keep(done);
        if (stays < done) native().ftruncate(this.fd, this.size() - (done - stays));
        throw systemError(result, 'write', { path: this.path });
      }
      done += result;
    }
  }

  /** flock(2), at once or not at all. */
  lock(operation: number): boolean {
    const result = native().flock(this.fd, operation | LOCK_NB);
    if (result === -EAGAIN) return false;
    check(result, 'flock', { path: this.path });
    return true;
  }
}
