/** A connected stream socket. */
import type { Duplex } from 'node:stream';
import { native, POLLIN, SHUT_WR, SO_PASSCRED } from '../sys/index.js';
import { checkBytes, checkOptions } from '../core/arguments.js';
import { EAGAIN, EINTR } from '../core/errno.js';
import { argumentError, check, type ErrorSubject } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { whenPossible, whenPossibleSync } from '../core/readiness.js';
import { toDuplex } from '../core/streams.js';
import {
  ByteReader,
  checkMaxBytes,
  gather,
  type ReadOptions,
  type SyncReadOptions,
  type TryReadOptions,
} from '../core/reading.js';
import { ByteWriter } from '../core/writing.js';
import { checkSignal, checkTimeout, type SyncWaitOptions, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import type { ProcessHandle } from '../proc/index.js';
import type { Credentials } from './answers.js';
import { credentialsOf, openPeer } from './peer.js';
import {
  checkAttached,
  closeAll,
  duplicates,
  type Received,
  receiveMessage,
  type SendExtras,
  sendWith,
  unpack,
} from './descriptors.js';

/**
 * One end of a connection: a stream of bytes in each direction, along which descriptors can be sent.
 *
 * Reading gives what is there, be it less than was asked for; `undefined` (not now) is given by the
 * `try` forms only, and `null` is the end: the peer has closed or shut down. A peer that closed with
 * bytes of ours unread is an `IpcError` ECONNRESET; writing to one that is gone is EPIPE.
 *
 * Descriptors come out of `receive` only. `read` and its kin drop those that come with the bytes
 * they read, and so does any other reader of the same descriptor.
 */
export class StreamSocket extends DescriptorHandle {
  readonly #what: string;
  readonly #subject: ErrorSubject | undefined;
  readonly #in: ByteReader;
  readonly #out: ByteWriter;

  /** @internal */
  constructor(fd: number, what: string, subject?: ErrorSubject) {
    super(fd, what);
    this.#what = what;
    this.#subject = subject;
    this.#in = new ByteReader(this, false, subject);
    this.#out = new ByteWriter(this, subject);
  }

  /** read(2) of up to `maxBytes` (65536) into a new array, once there is something. An abort loses nothing. */
  read(options?: ReadOptions): Promise<Uint8Array | null> {
    return this.#in.read(options);
  }

  /** As `read`, blocking this thread. */
  readSync(options?: SyncReadOptions): Uint8Array | null {
    return this.#in.readSync(options);
  }

  /** As `read`, if there is something now, else `undefined`. */
  tryRead(options?: TryReadOptions): Uint8Array | undefined | null {
    return this.#in.tryRead(options);
  }

  /** read(2) into `bytes`, which must have room for at least one byte: how many came. */
  readInto(bytes: Uint8Array, options?: WaitOptions): Promise<number | null> {
    return this.#in.readInto(bytes, options);
  }

  /** As `readInto`, blocking this thread. */
  readIntoSync(bytes: Uint8Array, options?: SyncWaitOptions): number | null {
    return this.#in.readIntoSync(bytes, options);
  }

  /** As `readInto`, if there is something now, else `undefined`. */
  tryReadInto(bytes: Uint8Array): number | undefined | null {
    return this.#in.tryReadInto(bytes);
  }

  /** The chunks as they come, until the end. Leaving the loop leaves the socket open. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#in.chunks();
  }

  /**
   * Writes all of `bytes` (write(2)), in the order of the calls; they may be reused when it resolves.
   * A wait that ends early takes the write back if nothing of it is out; else the rest still goes
   * out, before anything written later, and the error's `bytesWritten` is above 0.
   *
   * @throws IpcError EPIPE (the peer is gone), ECONNRESET, ETIMEDOUT
   */
  write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#out.write(bytes, options);
  }

  /** As `write`, blocking this thread while there is no room. */
  writeSync(bytes: Uint8Array, options?: SyncWaitOptions): void {
    this.#out.writeSync(bytes, options);
  }

  /** What fits now: how many bytes were taken, `undefined` if none. */
  tryWrite(bytes: Uint8Array): number | undefined {
    return this.#out.tryWrite(bytes);
  }

  /**
   * Writes all of `bytes`, at least one, with descriptors attached to the first (sendmsg(2),
   * SCM_RIGHTS). They stay open here. One `receive` of the peer brings the descriptors of one send,
   * perhaps behind bytes that were sent before it, never with bytes that were sent after it.
   *
   * @throws IpcError EBADF (one of `fds` is not open), ETOOMANYREFS, EPIPE, EPERM (`credentials` of somebody else), ESRCH
   *   (their pid is of no process)
   */
  async send(bytes: Uint8Array, options?: SendExtras & WaitOptions): Promise<void> {
    checkOptions(options, ['fds', 'credentials', ...WAIT_OPTIONS]);
    checkSignal(options?.signal);
    checkTimeout(options?.timeoutMs);
    const taken = this.#trySend(bytes, options) ?? 0;
    if (taken === bytes.length) return;
    const attached = taken > 0 ? undefined : checkAttached(options);
    const kept = attached && { ...attached, fds: duplicates(attached.fds) };
    const release = kept && ((): void => closeAll(kept.fds));
    await this.#out.push(bytes, taken, kept && sendWith(kept), 'sendmsg', release, options);
  }

  /** As `send`, blocking this thread while there is no room. */
  sendSync(bytes: Uint8Array, options?: SendExtras & SyncWaitOptions): void {
    checkOptions(options, ['fds', 'credentials', 'timeoutMs']);
    checkTimeout(options?.timeoutMs);
    const taken = this.#trySend(bytes, options) ?? 0;
    if (taken === bytes.length) return;
    const attached = taken > 0 ? undefined : checkAttached(options);
    this.#out.pushSync(bytes, taken, attached && sendWith(attached), options);
  }

  /**
   * As `send`, what fits now: how many bytes were taken, and the descriptors with them; `undefined`
   * if none were.
   */
  trySend(bytes: Uint8Array, options?: SendExtras): number | undefined {
    checkOptions(options, ['fds', 'credentials']);
    return this.#trySend(bytes, options);
  }

  #trySend(bytes: Uint8Array, options: SendExtras | undefined): number | undefined {
    const attached = checkAttached(options);
    if (attached === undefined) return this.#out.tryWrite(bytes);
    this.use();
    checkBytes('bytes', bytes);
    if (bytes.length === 0)
      throw argumentError('descriptors and credentials need at least 1 byte to travel with, got none');
    if (this.#out.behind) return undefined;
    const taken = sendWith(attached)(this.fd, bytes, 0, bytes.length);
    return taken === -EAGAIN || taken === -EINTR ? undefined : check(taken, 'sendmsg', this.#subject);
  }

  /**
   * Bytes with what was attached to them (recvmsg(2)), once there are some; `null` at the end. A piece
   * ends with the bytes of a send that had descriptors attached.
   *
   * @throws IpcError EMFILE: the descriptors that came along do not fit into this process. None of
   *   them is left open, and the error's `data` has the bytes.
   */
  receive(options?: ReadOptions): Promise<Received | null> {
    try {
      checkOptions(options, ['maxBytes', ...WAIT_OPTIONS]);
      const maxBytes = checkMaxBytes(options?.maxBytes);
      return whenPossible<Received | null>(this, POLLIN, () => this.#take(maxBytes), options, this.#receiving());
    } catch (why) {
      return Promise.reject(why);
    }
  }

  /** As `receive`, blocking this thread. */
  receiveSync(options?: SyncReadOptions): Received | null {
    checkOptions(options, ['maxBytes', 'timeoutMs']);
    checkTimeout(options?.timeoutMs);
    const maxBytes = checkMaxBytes(options?.maxBytes);
    return whenPossibleSync<Received | null>(this, POLLIN, () => this.#take(maxBytes), options, this.#receiving());
  }

  /** As `receive`, if there is something now, else `undefined`. */
  tryReceive(options?: TryReadOptions): Received | undefined | null {
    checkOptions(options, ['maxBytes']);
    return this.#take(checkMaxBytes(options?.maxBytes));
  }

  #receiving(): { syscall: string; subject?: ErrorSubject } {
    return this.#subject === undefined ? { syscall: 'recvmsg' } : { syscall: 'recvmsg', subject: this.#subject };
  }

  #take(maxBytes: number): Received | undefined | null {
    this.use();
    const data = gather<undefined | null>(maxBytes, (buffer) => {
      const count = receiveMessage(this.fd, buffer);
      if (count === -EAGAIN || count === -EINTR) return undefined;
      return check(count, 'recvmsg', this.#subject) === 0 ? null : count;
    });
    return data instanceof Uint8Array ? unpack(data, this.#subject) : data;
  }

  /** Who the peer was when it connected, listened or made the pair (SO_PEERCRED); its pid may be another's by now. */
  get peerCredentials(): Credentials {
    this.use();
    return credentialsOf(this.fd, this.#subject);
  }

  /**
   * A handle of the peer's process, the one that `peerCredentials` names (SO_PEERPIDFD, Linux 6.5): it never means another
   * that got the same number later. Each call opens one, yours to close. On an older kernel, or with
   * INTERPROC_PEERPIDFD=no in the environment, it is opened by its pid: if the peer ended before the call and its number is
   * in use again, that is the wrong process.
   *
   * @returns `undefined` if the process is gone and the kernel keeps no handle of it, or is in a pid namespace that this
   *   one does not see
   * @throws IpcError EMFILE
   */
  peerProcess(): ProcessHandle | undefined {
    return openPeer(this.fd, this.peerCredentials.pid, this.#subject);
  }

  /** Whether `receive` tells who sent (SO_PASSCRED); for what is sent from now on. Off unless set. */
  get passCredentials(): boolean {
    this.use();
    return check(native().getsockopt(this.fd, SO_PASSCRED), 'getsockopt(SO_PASSCRED)', this.#subject) !== 0;
  }

  set passCredentials(wanted: boolean) {
    this.use();
    check(native().setsockopt(this.fd, SO_PASSCRED, wanted ? 1 : 0), 'setsockopt(SO_PASSCRED)', this.#subject);
  }

  /** Bytes that can be read now (FIONREAD). */
  get bytesAvailable(): number {
    this.use();
    return check(native().available(this.fd), 'ioctl(FIONREAD)', this.#subject);
  }

  /**
   * Says that nothing more will be written (shutdown(2), SHUT_WR): the peer reads the end after what
   * was written before, including what still waits for room. Reading goes on.
   */
  shutdown(): void {
    this.use();
    const end = (fd: number): number => native().shutdown(fd, SHUT_WR);
    if (!this.#out.behind) check(end(this.fd), 'shutdown', this.#subject);
    else this.#out.push(new Uint8Array(0), 0, end, 'shutdown', undefined).catch(() => {});
  }

  /** This socket as a `Duplex` of Node, which takes it over: `end()` shuts down, both ends together close it. */
  toDuplex(): Duplex {
    return toDuplex(this);
  }

  /** The descriptor in blocking mode, for the `stdio` of a child; see `PipeEnd.handOver`. */
  handOver(): number {
    this.use();
    this.#in.makeBlocking();
    this.#out.makeBlocking();
    return this.fd;
  }

  /** @internal */
  describe(): string {
    return this.#what;
  }
}
