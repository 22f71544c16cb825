/** What both ends of a pipe have. */
import { F_GETPIPE_SZ, F_SETPIPE_SZ, native } from '../sys/index.js';
import { checkInteger } from '../core/arguments.js';
import { check, type ErrorSubject } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';

const MOST_CAPACITY = 0x7fffffff;

/** Sets how many bytes a pipe holds (F_SETPIPE_SZ) and says what it became. */
export function changeCapacity(fd: number, capacity: number, subject?: ErrorSubject): number {
  checkInteger('capacity', capacity, 1, MOST_CAPACITY);
  return check(native().fcntl(fd, F_SETPIPE_SZ, capacity), 'fcntl(F_SETPIPE_SZ)', subject);
}

/** One end of a pipe or FIFO. */
export abstract class PipeEnd extends DescriptorHandle {
  readonly #what: string;
  readonly #subject: ErrorSubject | undefined;

  /** @internal */
  constructor(fd: number, what: string, subject?: ErrorSubject, alsoRelease?: () => void) {
    super(fd, what, alsoRelease);
    this.#what = what;
    this.#subject = subject;
  }

  /** Bytes that the pipe holds when it is full, for both ends; 65536 unless changed. */
  get capacity(): number {
    this.use();
    return check(native().fcntl(this.fd, F_GETPIPE_SZ, 0), 'fcntl(F_GETPIPE_SZ)', this.#subject);
  }

  /**
   * Changes the capacity, and gives what it became: the kernel rounds up to a power of two of pages
   * (at least 4096).
   *
   * @throws IpcError EPERM (above /proc/sys/fs/pipe-max-size), EBUSY (the pipe holds more now)
   */
  setCapacity(capacity: number): number {
    this.use();
    return changeCapacity(this.fd, capacity, this.#subject);
  }

  /** Bytes that stand in the pipe now and can be read (FIONREAD). */
  get available(): number {
    this.use();
    return check(native().available(this.fd), 'ioctl(FIONREAD)', this.#subject);
  }

  /**
   * The descriptor, for the `stdio` of a child, in blocking mode as most programs expect. An end
   * becomes non-blocking with the first call here that must not block, and the child shares that mode; so `close()` this
   * handle once the child is started, or the next use here changes it under the child. A child that wants
   * a non-blocking end gets `fd` of a pipe made with `nonBlocking`.
   *
   * @example
   * const { reader, writer } = pipe.create();
   * spawn('sort', [], { stdio: [reader.handOver(), 'inherit', 'inherit'] });
   * reader.close();
   */
  handOver(): number {
    this.use();
    this.makeBlocking();
    return this.fd;
  }

  /** @internal */
  describe(): string {
    return this.#what;
  }

  /** @internal */
  protected abstract makeBlocking(): void;
}
