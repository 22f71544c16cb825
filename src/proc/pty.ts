/** A terminal of one's own for a child: pty(7). */
import type { Readable } from 'node:stream';
import { native } from '../sys/index.js';
import { checkInteger, checkOptions } from '../core/arguments.js';
import { check, IpcError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { ByteReader, type ReadOptions, type SyncReadOptions, type TryReadOptions } from '../core/reading.js';
import { toReadable } from '../core/streams.js';
import { traceOf } from '../core/trace.js';
import type { SyncWaitOptions, WaitOptions } from '../core/wait.js';
import { ByteWriter } from '../core/writing.js';

/** How large the window is. */
export interface PtyOptions {
  /** Characters in a line, 1 to 65535; 80 if omitted. */
  columns?: number;
  /** Lines, 1 to 65535; 24 if omitted. */
  rows?: number;
}

const MOST = 0xffff;
const size = new Int32Array(2);
const trace = traceOf('proc');

/** EIO is how a terminal says that nobody has it open any more. */
function endOr(why: unknown): null {
  if (why instanceof IpcError && why.code === 'EIO') return null;
  throw why;
}

/**
 * The side of the user at a pseudo-terminal: what is written is what a user types, what is read is what a screen shows.
 * Ctrl+C is the byte 3, Ctrl+\ 28, Ctrl+Z 26, Ctrl+D 4: the terminal makes signals, or the end, of them.
 */
export class Pty extends DescriptorHandle {
  /** The name of the other side, `/dev/pts/N`. */
  readonly path: string;
  readonly #in: ByteReader;
  readonly #out: ByteWriter;

  /** @internal */
  constructor(fd: number, path: string) {
    super(fd, `the pseudo-terminal ${path}`);
    this.path = path;
    this.#in = new ByteReader(this, false, { path });
    this.#out = new ByteWriter(this, { path });
    trace('openPty', { fd, path });
  }

  /** What the child wrote, up to `maxBytes` (65536), once there is something; `null` when nobody has the terminal open any more. */
  read(options?: ReadOptions): Promise<Uint8Array | null> {
    return this.#in.read(options).catch(endOr);
  }

  /** As `read`, blocking this thread. */
  readSync(options?: SyncReadOptions): Uint8Array | null {
    try {
      return this.#in.readSync(options);
    } catch (why) {
      return endOr(why);
    }
  }

  /** As `read`, if there is something now, else `undefined`. */
  tryRead(options?: TryReadOptions): Uint8Array | undefined | null {
    try {
      return this.#in.tryRead(options);
    } catch (why) {
      return endOr(why);
    }
  }

  /** Types all of `bytes`. The terminal takes 4095 bytes of a line at most, and holds some 64 KiB that nobody has read. */
  write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#out.write(bytes, options);
  }

  /** As `write`, blocking this thread. */
  writeSync(bytes: Uint8Array, options?: SyncWaitOptions): void {
    this.#out.writeSync(bytes, options);
  }

  /** Types what can be typed now: how many bytes, `undefined` if none. */
  tryWrite(bytes: Uint8Array): number | undefined {
    return this.#out.tryWrite(bytes);
  }

  /** What the child writes, as it comes, until nobody has the terminal open any more. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (let chunk = await this.read(); chunk !== null; chunk = await this.read()) yield chunk;
  }

  /** What the child writes as a `Readable` of Node, which takes the handle over. */
  toReadable(): Readable {
    return toReadable(this);
  }

  /** The window: columns and rows. */
  get size(): { columns: number; rows: number } {
    this.use();
    check(native().terminalSize(this.fd, size), 'ioctl(TIOCGWINSZ)', { path: this.path });
    return { columns: size[0] as number, rows: size[1] as number };
  }

  /** Changes the window; the foreground group gets SIGWINCH. Both are 1 to 65535. */
  resize(columns: number, rows: number): void {
    this.use();
    checkInteger('columns', columns, 1, MOST);
    checkInteger('rows', rows, 1, MOST);
    check(native().terminalResize(this.fd, columns, rows), 'ioctl(TIOCSWINSZ)', { path: this.path });
  }

  /** @internal */
  describe(): string {
    return `the pseudo-terminal ${this.path}`;
  }

  protected override details(): Record<string, unknown> {
    return { path: this.path, ...super.details() };
  }
}

/**
 * Makes a pseudo-terminal (posix_openpt(3)); `spawn(file, args, { terminal: pty })` starts a child in it. Closing it hangs up: the
 * child's session gets SIGHUP.
 *
 * @throws IpcError EMFILE, ENOSPC (no pseudo-terminal is left: /proc/sys/kernel/pty/max), ENOENT (no devpts is mounted)
 */
export function openPty(options: PtyOptions = {}): Pty {
  checkOptions(options, ['columns', 'rows']);
  const { columns = 80, rows = 24 } = options;
  checkInteger('columns', columns, 1, MOST);
  checkInteger('rows', rows, 1, MOST);
  const fd = check(native().ptyOpen(), 'posix_openpt');
  const pty = new Pty(fd, `/dev/pts/${check(native().ptyNumber(fd), 'ioctl(TIOCGPTN)')}`);
  pty.resize(columns, rows);
  return pty;
}
