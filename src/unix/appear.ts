/**
 * Connecting to a server that may not be there yet.
 *
 * At a path nothing is asked again and again: inotify(7) tells when something appears in the folder,
 * watched before the first try, so that nothing falls between. Two things make no event and are
 * tried again after 1 ms, then twice as long each time, 50 ms at most: a socket file that refuses
 * (left behind, or of a server between bind and listen), and an abstract name, which is no file.
 */
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { IN_ATTRIB, IN_CREATE, IN_MOVED_TO, native, POLLIN } from '../sys/index.js';
import { checkOptions } from '../core/arguments.js';
import { EAGAIN, ECONNREFUSED, ENOENT, ETIMEDOUT } from '../core/errno.js';
import { check, IpcError, timeoutError } from '../core/errors.js';
import { DescriptorHandle } from '../core/handle.js';
import { whenPossible } from '../core/readiness.js';
import { checkSignal, checkTimeout, pend, WAIT_OPTIONS, type WaitOptions } from '../core/wait.js';
import { type Address, parseAddress, type Place } from './address.js';
import { type ConnectOptions, connectTo, type Kind } from './connecting.js';
import { STREAM } from './connect.js';
import { checkPolicy, type PolicyOptions } from './peer.js';
import type { StreamSocket } from './socket.js';

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/** What appears in a folder, unnamed: who is told looks for himself. */
class FolderWatch extends DescriptorHandle {
  readonly #folder: string;
  readonly #events = new Uint8Array(4096);

  constructor(folder: string) {
    super(check(native().inotifyInit(), 'inotify_init1'), `the watch on ${folder}`);
    this.#folder = folder;
    const watched = native().inotifyAddWatch(this.fd, folder, IN_CREATE | IN_MOVED_TO | IN_ATTRIB);
    if (watched >= 0) return;
    this.close();
    check(watched, 'inotify_add_watch', { path: folder });
  }

  /** Resolves when something has appeared since the last time. */
  change(options: WaitOptions): Promise<true> {
    const awaited = { syscall: 'inotify', subject: { path: this.#folder } };
    return whenPossible(this, POLLIN, () => this.#drain(), options, awaited);
  }

  #drain(): true | undefined {
    let seen: true | undefined;
    for (;;) {
      const count = native().read(this.fd, this.#events, 0, this.#events.length);
      if (count === -EAGAIN) return seen;
      check(count, 'read', { path: this.#folder });
      seen = true;
    }
  }

  describe(): string {
    return `the watch on ${this.#folder}`;
  }
}

function isOneOf(why: unknown, ...errnos: number[]): why is IpcError {
  return why instanceof IpcError && errnos.includes(-why.errno);
}

/** Resolves when the time is over. */
async function pause(options: WaitOptions): Promise<void> {
  try {
    await pend<never>(undefined, options, { syscall: 'connect' }, (settle) => (why) => settle.reject(why));
  } catch (why) {
    if (!isOneOf(why, ETIMEDOUT)) throw why;
  }
}

async function changeOrPause(watch: FolderWatch, options: WaitOptions): Promise<void> {
  try {
    await watch.change(options);
  } catch (why) {
    if (!isOneOf(why, ETIMEDOUT)) throw why;
  }
}

/** Connects to a place, or throws why not. */
export type Connecting<S> = (place: Place, options: WaitOptions) => Promise<S> | S;

/** Tries until somebody is there; `wait` ends when it may be worth another try. */
async function retry<S>(
  place: Place,
  connect: Connecting<S>,
  options: WaitOptions | undefined,
  wait: (refused: boolean, pauseMs: number, options: WaitOptions) => Promise<void>,
): Promise<S> {
  const timeoutMs = checkTimeout(options?.timeoutMs);
  const deadline = performance.now() + timeoutMs;
  const signal = options?.signal;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const left = Math.max(0, deadline - performance.now());
    try {
      return await connect(place, { signal, timeoutMs: left });
    } catch (why) {
      if (left === 0 || isOneOf(why, ETIMEDOUT)) throw timeoutError('connect', timeoutMs, place.subject);
      if (!isOneOf(why, ENOENT, ECONNREFUSED)) throw why;
      await wait(why.errno === -ECONNREFUSED, Math.min(pauseMs, left), { signal, timeoutMs: left });
    }
  }
}

/** What `connect` gives, once somebody is at the address. */
export async function whenThere<S>(
  address: Address,
  connect: Connecting<S>,
  options: WaitOptions | undefined,
): Promise<S> {
  checkSignal(options?.signal);
  const place = parseAddress(address);
  const { path } = place;
  if (path === undefined) {
    return retry(place, connect, options, (_refused, pauseMs, given) => pause({ ...given, timeoutMs: pauseMs }));
  }
  using watch = new FolderWatch(dirname(path));
  return await retry(place, connect, options, (refused, pauseMs, given) =>
    changeOrPause(watch, refused ? { ...given, timeoutMs: pauseMs } : given),
  );
}

/** As `connectWhenListening`, for sockets of this kind. */
export async function connectKindWhenListening<S>(
  kind: Kind<S>,
  address: Address,
  options: ConnectOptions | undefined,
): Promise<S> {
  checkOptions(options, ['allow', ...WAIT_OPTIONS]);
  checkPolicy(options?.allow);
  const policy: PolicyOptions = options?.allow === undefined ? {} : { allow: options.allow };
  return whenThere(address, (place, waiting) => connectTo(kind, place, { ...waiting, ...policy }), options);
}

/**
 * Connects, and if no server listens at the address yet, waits until one does. The folder of a path
 * must exist.
 *
 * @throws IpcError ETIMEDOUT, EACCES, ENOTDIR, and what `connect` throws except ENOENT and ECONNREFUSED
 */
export function connectWhenListening(address: Address, options?: ConnectOptions): Promise<StreamSocket> {
  return connectKindWhenListening(STREAM, address, options);
}
