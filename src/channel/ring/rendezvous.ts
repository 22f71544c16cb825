/**
 * How one sender and one receiver find each other by a name: whoever comes first listens at an
 * abstract socket of that name, the second connects. So nobody polls, and the kernel forgets the
 * name with its owner: a crash leaves nothing behind.
 *
 * The first goes on listening for as long as the pair lasts, to tell whoever comes third that the
 * channel is taken, and by whom; when its peer hangs up, it lets go of the name.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EADDRINUSE, ECONNREFUSED } from '../../core/errno.js';
import { AbortError, IpcError, timeoutError } from '../../core/errors.js';
import { checkTimeout, pend, type WaitOptions } from '../../core/wait.js';
import { type StreamListener, type StreamSocket, stream } from '../../unix/index.js';
import { ACCEPT, BUSY, HELLO, hear, ROLES, tell } from './handshake.js';

/** Whom to meet, and how. */
export interface Meeting {
  /** The abstract address, with its `@`. */
  address: string;
  url: string;
  role: 'sender' | 'receiver';
  /** Whether a peer of another user is welcome; if not, only the same user and root are. */
  anyUser: boolean;
}

/** Two that have met. */
export interface Met {
  socket: StreamSocket;
  /** No longer tells others that the channel is taken; the name is free. */
  leave(): void;
}

/** Time that is left of a wait with several steps. */
export class Deadline {
  readonly #options: WaitOptions;
  readonly #timeoutMs: number;
  readonly #end: number;
  readonly #url: string;

  constructor(options: WaitOptions, url: string) {
    this.#options = options;
    this.#url = url;
    this.#timeoutMs = checkTimeout(options.timeoutMs);
    this.#end = performance.now() + this.#timeoutMs;
  }

  /** The options of the next step. */
  left(): WaitOptions {
    const { signal } = this.#options;
    if (signal?.aborted) throw new AbortError(signal);
    if (this.#timeoutMs === Infinity) return { signal };
    const left = this.#end - performance.now();
    if (left <= 0) throw timeoutError('connect', this.#timeoutMs, { object: this.#url });
    return { signal, timeoutMs: left };
  }
}

function isCode(error: unknown, errno: number): boolean {
  return error instanceof IpcError && error.errno === -errno;
}

/** Refuses a peer of another user, who must not be handed memory or trusted with it. */
export function checkPeer(socket: StreamSocket, url: string, anyUser: boolean): void {
  const { uid, pid } = socket.peerCredentials;
  if (anyUser || uid === process.getuid?.() || uid === 0) return;
  throw new IpcError({
    code: 'EACCES',
    syscall: 'connect',
    object: url,
    message: `process ${pid} at the other end belongs to user ${uid}`,
    hint: '?users=any on both ends lets the processes of other users in',
  });
}

/** The error for a channel that has such an end already. */
export function busy(url: string, role: string, pid: number): IpcError {
  return new IpcError({
    code: 'EBUSY',
    syscall: 'connect',
    object: url,
    message: `process ${pid} is its ${role} already, and it is a channel of one sender and one receiver`,
  });
}

/** Connects to who came first; `undefined` if nobody did, or he left meanwhile. */
async function comeSecond(meeting: Meeting, deadline: Deadline): Promise<StreamSocket | undefined> {
  let socket: StreamSocket;
  try {
    socket = await stream.connect(meeting.address, deadline.left());
  } catch (error) {
    if (isCode(error, ECONNREFUSED)) return undefined;
    throw error;
  }
  try {
    checkPeer(socket, meeting.url, meeting.anyUser);
    await tell(socket, HELLO, ROLES[meeting.role], [], deadline.left());
    const answer = await hear(socket, [ACCEPT, BUSY], meeting.url, deadline.left());
    if (answer?.type === BUSY) throw busy(meeting.url, meeting.role, answer.pid);
    if (answer !== undefined) return socket;
  } catch (error) {
    socket.close();
    if (!(error instanceof IpcError) || !['EPIPE', 'ECONNRESET'].includes(error.code)) throw error;
    return undefined;
  }
  socket.close();
  return undefined;
}

/** Answers everybody who comes to our address. */
class Host {
  readonly #meeting: Meeting;
  readonly #listener: StreamListener;
  readonly #guests = new Set<StreamSocket>();
  #peerPid: number | undefined;
  #welcome!: (guest: StreamSocket) => void;
  #fail!: (why: unknown) => void;
  /** The first guest with the role that is missing. */
  readonly guest: Promise<StreamSocket>;

  constructor(meeting: Meeting, listener: StreamListener) {
    this.#meeting = meeting;
    this.#listener = listener;
    this.guest = new Promise((resolve, reject) => {
      this.#welcome = resolve;
      this.#fail = reject;
    });
    this.guest.catch(() => undefined);
    void this.#serve();
  }

  async #serve(): Promise<void> {
    try {
      for await (const guest of this.#listener) void this.#receive(guest);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #receive(guest: StreamSocket): Promise<void> {
    this.#guests.add(guest);
    guest.unref();
    try {
      checkPeer(guest, this.#meeting.url, this.#meeting.anyUser);
      const hello = await hear(guest, [HELLO], this.#meeting.url, {});
      const missing = this.#meeting.role === 'sender' ? 'receiver' : 'sender';
      if (hello !== undefined && hello.value === ROLES[missing] && this.#peerPid === undefined) {
        this.#peerPid = hello.pid;
        await tell(guest, ACCEPT, 0, [], {});
        guest.ref();
        this.#guests.delete(guest);
        this.#welcome(guest);
        return;
      }
      // A peer that hung up just now has its event in this turn, too: then this guest finds nobody here.
      await nextTurn();
      const taken = hello?.value === ROLES[missing] ? this.#peerPid : process.pid;
      if (hello !== undefined) await tell(guest, BUSY, 0, [], {}, taken);
    } catch {
      // A guest that does not speak the protocol, or is gone: the next may be the right one.
    }
    this.#guests.delete(guest);
    guest.close();
  }

  /** Whoever waits for the pair keeps the process alive by that; afterwards nobody does. */
  rest(): void {
    this.#listener.unref();
  }

  close(): void {
    this.#listener.close();
    for (const guest of this.#guests) guest.close();
  }
}

/** Waits for the other one, whoever comes first. @throws IpcError EBUSY, EACCES, ETIMEDOUT */
export async function meet(meeting: Meeting, options: WaitOptions): Promise<Met> {
  const deadline = new Deadline(options, meeting.url);
  for (;;) {
    const socket = await comeSecond(meeting, deadline);
    if (socket !== undefined) return { socket, leave: () => undefined };
    let listener: StreamListener;
    try {
      listener = stream.listen(meeting.address, { backlog: 16 });
    } catch (error) {
      if (isCode(error, EADDRINUSE)) continue;
      throw error;
    }
    const host = new Host(meeting, listener);
    try {
      const guest = await waitFor(host.guest, deadline.left(), meeting.url);
      host.rest();
      return { socket: guest, leave: () => host.close() };
    } catch (error) {
      host.close();
      throw error;
    }
  }
}

/** A promise of ours with the abort and the time-out of a wait. */
function waitFor<T>(promise: Promise<T>, options: WaitOptions, url: string): Promise<T> {
  const { signal, timeoutMs } = options;
  if (signal === undefined && timeoutMs === undefined) return promise;
  return pend<T>(undefined, options, { syscall: 'connect', subject: { object: url } }, (settle) => {
    promise.then(settle.resolve, settle.reject);
    return (why) => settle.reject(why);
  });
}
