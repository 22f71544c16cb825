/**
 * The one connection between the addon's poller and JavaScript, opened when something is waited
 * for the first time. It keeps the process alive exactly while a wait that counts is pending.
 *
 * There is one for each thread, even where this module was loaded twice (test runners that reset
 * modules do it, and an import with a query): so it hangs on the addon's own object.
 *
 * `INTERPROC_POLLER=thread` chooses the form with a thread, which serves runtimes without
 * libuv's uv_poll_t (docs/design/waiting.md).
 */
import { native } from '../sys/index.js';
import { check } from './errors.js';

const PAIRS = 256;
const LAST_TOKEN = 0x7fffffff;
const KEY = Symbol.for('interproc.loop');

type Callback = (value: number) => void;

class Loop {
  readonly descriptors = new Map<number, Callback>();
  readonly calls = new Map<number, Callback>();
  keeping = 0;
  #nextToken = 1;
  readonly #ready = new Int32Array(PAIRS * 2);
  readonly #done = new Float64Array(PAIRS * 2);

  constructor() {
    const withThread = process.env['INTERPROC_POLLER'] === 'thread' || process.versions['bun'] !== undefined;
    const tell = (pairs: number, returned: number): void => this.#dispatch(pairs, returned);
    check(native().pollerOpen(withThread, tell, this.#ready), 'epoll_create1');
  }

  newToken(): number {
    do {
      this.#nextToken = this.#nextToken === LAST_TOKEN ? 1 : this.#nextToken + 1;
    } while (this.descriptors.has(this.#nextToken) || this.calls.has(this.#nextToken));
    return this.#nextToken;
  }

  /** Told by the addon: so many pairs of token and events stand in `#ready`, and calls have returned. */
  #dispatch(pairs: number, returned: number): void {
    if (pairs === 1 && returned === 0) {
      this.descriptors.get(this.#ready[0]!)?.(this.#ready[1]!);
      return;
    }
    // Copied out first: a callback may run JavaScript that gets here again.
    const events = Array.from(this.#ready.subarray(0, 2 * pairs));
    for (let index = 0; index < events.length; index += 2) {
      tellApart(this.descriptors.get(events[index]!), events[index + 1]!);
    }
    if (returned === 0) return;
    const results = Array.from(this.#done.subarray(0, 2 * native().collectBlocking(this.#done)));
    for (let index = 0; index < results.length; index += 2) {
      tellApart(this.calls.get(results[index]!), results[index + 1]!);
    }
  }
}

/** What one callback throws is an uncaughtException, and the others are told all the same: interest is one-shot. */
function tellApart(callback: Callback | undefined, value: number): void {
  try {
    callback?.(value);
  } catch (why) {
    queueMicrotask(() => {
      throw why;
    });
  }
}

let opened: Loop | undefined;

function loop(): Loop {
  if (opened === undefined) {
    const shared = native() as { [KEY]?: Loop };
    opened = shared[KEY] ??= new Loop();
  }
  return opened;
}

/** A token under which the events of a descriptor are reported to `callback`. */
export function registerDescriptor(callback: Callback): number {
  const token = loop().newToken();
  loop().descriptors.set(token, callback);
  return token;
}

/** The events of this token are no longer wanted. */
export function unregisterDescriptor(token: number): void {
  loop().descriptors.delete(token);
}

/** A token under which the result of a blocked call is reported to `callback`. */
export function registerCall(callback: Callback): number {
  const token = loop().newToken();
  loop().calls.set(token, callback);
  return token;
}

/** The call of this token has been reported, or never began. */
export function unregisterCall(token: number): void {
  loop().calls.delete(token);
}

/** One more wait keeps the process alive. */
export function keepAlive(): void {
  if (loop().keeping++ === 0) native().pollerRef(true);
}

/** A wait that kept the process alive is over. */
export function letGo(): void {
  if (--loop().keeping === 0) native().pollerRef(false);
}
