/**
 * A ring in a sealed memfd, handed over a connected Unix socket together with the two eventfds that
 * wake its ends. The socket stays: its hang-up is how either side learns of the other's end.
 */
import { constants } from 'node:fs';
import { check, IpcError } from '../../core/errors.js';
import { isKind, statusOf } from '../../core/files.js';
import { type EdgeWatch, watchEdges } from '../../core/readiness.js';
import type { WaitOptions } from '../../core/wait.js';
import { descriptor, type Mapping } from '../../mmap/index.js';
import * as shm from '../../shm/index.js';
import {
  F_DUPFD_CLOEXEC,
  F_GET_SEALS,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  native,
  POLLHUP,
  POLLRDHUP,
} from '../../sys/index.js';
import type { StreamSocket } from '../../unix/index.js';
import type { Sink, Source } from '../contract.js';
import type { OpenHalf } from '../endpoint.js';
import { ringConsumer } from './consumer.js';
import { closeAll, hear, type Note, RING, tell } from './handshake.js';
import type { Link } from './link.js';
import { checkRing, formatRing, joinRing, ringBytes } from './memory.js';
import { ringProducer } from './producer.js';
import { ringSink } from './sink.js';
import { ringSource } from './source.js';
import { EventfdWakeup } from './wakeup.js';

/** How the rings of one connection are used. */
export interface RingOptions {
  url: string;
  capacity: number;
  spinMs: number;
}

/** The peer's life, as the kernel tells it through the socket that both hold. */
class SocketLink implements Link {
  readonly wakeup: EventfdWakeup;
  readonly cuttable = undefined; // sealed
  readonly #memory: Mapping;
  readonly #socket: number;
  #watch: EdgeWatch | undefined;
  readonly #ended: (() => void) | undefined;
  #released = false;

  constructor(memory: Mapping, wakeup: EventfdWakeup, socket: StreamSocket, ended?: () => void) {
    this.#memory = memory;
    this.wakeup = wakeup;
    this.#ended = ended;
    this.#socket = check(native().fcntl(socket.fd, F_DUPFD_CLOEXEC, 0), 'fcntl(F_DUPFD_CLOEXEC)');
    // Closed with a worker that is terminated: else the peer would take it for alive.
    native().holdDescriptor(this.#socket);
  }

  peerAlive(): boolean {
    return (native().poll(this.#socket, POLLRDHUP, 0) & (POLLRDHUP | POLLHUP)) === 0;
  }

  whenPeerGone(gone: () => void): void {
    this.#watch = watchEdges(this.#socket, POLLRDHUP, (events) => {
      if ((events & (POLLRDHUP | POLLHUP)) === 0) return;
      this.#watch?.close();
      // Who comes now is to wait for our next end, not to be told of a peer that is no more.
      this.#ended?.();
      gone();
    });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#watch?.close();
    this.wakeup.close();
    native().close(this.#socket);
    this.#memory.close();
    this.#ended?.();
  }
}

/** Makes a ring, hands it to the peer, and keeps the sending end. */
export async function giveRing(
  socket: StreamSocket,
  options: RingOptions,
  waiting: WaitOptions,
  ended?: () => void,
): Promise<OpenHalf<Sink>> {
  using memfd = shm.memfd({
    size: ringBytes(options.capacity),
    name: 'interproc ring',
    seals: ['shrink', 'grow', 'seal'],
  });
  const memory = memfd.map();
  formatRing(memory, options.capacity);
  joinRing(memory, 'sender');
  const bells: number[] = [];
  try {
    bells.push(check(native().eventfd(0, 0), 'eventfd'));
    bells.push(check(native().eventfd(0, 0), 'eventfd'));
    await tell(socket, RING, options.capacity, [memfd.fd, ...bells], waiting);
    const [toReceiver, toSender] = bells as [number, number];
    const link = new SocketLink(memory, new EventfdWakeup(toSender, toReceiver), socket, ended);
    return ringSink(ringProducer(memory.buffer, options.capacity), link, options.url, options.spinMs);
  } catch (error) {
    closeAll(bells);
    memory.close();
    throw error;
  }
}

function refuse(url: string, message: string): IpcError {
  return new IpcError({ code: 'EPROTO', syscall: 'recvmsg', object: url, message });
}

/** Maps the ring that a peer handed over, after looking at what it is. */
function mapRing(note: Note, url: string): Mapping {
  if (note.fds.length !== 3) throw refuse(url, `a ring comes with 3 descriptors, the peer sent ${note.fds.length}`);
  const fd = note.fds[0] as number;
  const status = statusOf(fd);
  if (!isKind(status.mode, constants.S_IFREG)) throw refuse(url, 'the peer sent something that is no memory');
  const seals = native().fcntl(fd, F_GET_SEALS, 0);
  const wanted = F_SEAL_SHRINK | F_SEAL_GROW;
  if (seals < 0 || (seals & wanted) !== wanted)
    throw refuse(url, 'the memory that the peer sent is not sealed against shrinking');
  return descriptor(fd, { length: status.size }, { object: url });
}

/** Takes the ring that the peer hands over, and its receiving end; `undefined` if it hung up instead. */
export async function takeRing(
  socket: StreamSocket,
  options: RingOptions,
  waiting: WaitOptions,
  ended?: () => void,
): Promise<OpenHalf<Source> | undefined> {
  const note = await hear(socket, [RING], options.url, waiting);
  if (note === undefined) return undefined;
  let memory: Mapping | undefined;
  try {
    memory = mapRing(note, options.url);
    const capacity = checkRing(memory, options.url);
    if (!joinRing(memory, 'receiver')) throw refuse(options.url, 'the ring that the peer sent has a receiver already');
    native().close(note.fds[0] as number);
    const [toReceiver, toSender] = note.fds.slice(1) as [number, number];
    const link = new SocketLink(memory, new EventfdWakeup(toReceiver, toSender), socket, ended);
    return ringSource(ringConsumer(memory.buffer, capacity), link, options.url, options.spinMs);
  } catch (error) {
    closeAll(note.fds);
    memory?.close();
    throw error;
  }
}
