/**
 * Whether the other end of a stream is gone, known at once, also while nothing is sent: poll(2)
 * says POLLERR for a pipe that nobody reads, POLLHUP for a socket whose peer closed.
 */
import { F_DUPFD_CLOEXEC, native, POLLERR, POLLHUP, POLLRDHUP } from '../../sys/index.js';
import { check, type ErrorSubject, IpcError } from '../../core/errors.js';
import type { DescriptorHandle } from '../../core/handle.js';
import { watchEdges } from '../../core/readiness.js';
import type { PeerGone, Sink, Source } from '../contract.js';
import type { OpenHalf } from '../endpoint.js';
import { StreamSink } from './sink.js';
import { StreamSource } from './source.js';

/**
 * The error of a send that nobody will receive. The same shape as the kernel's own EPIPE.
 */
export function receiverGone(subject: ErrorSubject): IpcError {
  return new IpcError({ code: 'EPIPE', syscall: 'write', ...subject, message: 'the receiver is gone' });
}

/** Tells of the hang-up of the other end for as long as the half lasts. */
export function watchPeer(
  half: { release(): void },
  handle: DescriptorHandle,
  events: number,
  hungUp: () => void,
): void {
  // A duplicate: one descriptor has either an edge watch or waits.
  const duplicate = check(native().fcntl(handle.fd, F_DUPFD_CLOEXEC, 0), 'fcntl(F_DUPFD_CLOEXEC)');
  const watch = watchEdges(duplicate, events, (seen) => {
    if (seen & (POLLERR | POLLHUP | POLLRDHUP)) hungUp();
  });
  const close = half.release.bind(half);
  half.release = (): void => {
    watch.close();
    native().close(duplicate);
    half.release = close;
    close();
  };
}

/** The sending half of a stream. The handle is closed with it. */
export function streamSink(handle: DescriptorHandle, raw: boolean, subject: ErrorSubject): OpenHalf<Sink> {
  const half = new StreamSink(handle, raw, subject);
  const onPeerGone = (gone: PeerGone): void => watchPeer(half, handle, 0, () => gone(receiverGone(subject)));
  return { half, onPeerGone };
}

/** The receiving half of a stream. The handle is closed with it. */
export function streamSource(handle: DescriptorHandle, raw: boolean, subject: ErrorSubject): OpenHalf<Source> {
  const half = new StreamSource(handle, raw, subject);
  const onPeerGone = (gone: PeerGone): void => watchPeer(half, handle, POLLRDHUP, () => gone(half.lose()));
  return { half, onPeerGone };
}
