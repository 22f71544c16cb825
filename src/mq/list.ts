/** Which queues there are: the file system mqueue, of which mq_overview(7) tells. */
import { closeSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { native } from '../sys/index.js';
import { EINVAL, EPERM, errnoNumber } from '../core/errno.js';
import { check, IpcError } from '../core/errors.js';
import { type ToldBy, toldOf } from './notice.js';

/** Whom the kernel tells of the next message. */
export interface Registration {
  pid: number;
  by: ToldBy;
}

/** A queue that exists. */
export interface QueueEntry {
  /** `/name`. */
  name: string;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /**
   * Bytes of the messages that wait; `undefined` for a queue that this process may not read, or is registered for: to look would
   * end the registration.
   */
  bytes: number | undefined;
  /** Who is registered by `notify()`, `notifyBySignal()` or mq_notify(3); of this process, also by a signal that has been sent since. */
  registered: Registration | undefined;
}

const ENOSYS = errnoNumber('ENOSYS') as number;
const ENODEV = errnoNumber('ENODEV') as number;
/** No privilege, a kernel before 5.2, one without the file system, a sandbox. */
const NOT_FOR_US = new Set([-EPERM, -ENOSYS, -EINVAL, -ENODEV]);
const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;
const PERMISSIONS = 0o7777;

/** Where the file system is mounted: proc_pid_mountinfo(5). */
function mounted(): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, point] = before.split(' ');
    if (!after.startsWith('mqueue ') || root !== '/' || point === undefined) continue;
    return point.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  }
  return undefined;
}

function registrationIn(content: string): Registration | undefined {
  const field = (name: string): number => Number(new RegExp(`\\b${name}:(\\d+)`).exec(content)?.[1] ?? 0);
  const pid = field('NOTIFY_PID');
  if (pid === 0) return undefined;
  const way = field('NOTIFY');
  return { pid, by: way === SIGEV_SIGNAL ? field('SIGNO') : way === SIGEV_NONE ? 'nothing' : 'socket' };
}

/** `undefined` if it was removed meanwhile. */
function entryOf(folder: string, name: string): QueueEntry | undefined {
  const path = `${folder}/${name}`;
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (found === undefined) return undefined;
  const { mode, uid, gid } = found;
  const entry = {
    name: `/${name}`,
    mode: Number(mode) & PERMISSIONS,
    uid: Number(uid),
    gid: Number(gid),
    bytes: undefined,
  };
  const by = toldOf(found.ino);
  if (by !== undefined) return { ...entry, registered: { pid: process.pid, by } };
  try {
    const content = readFileSync(path, 'latin1');
    const bytes = /^QSIZE:(\d+)/.exec(content)?.[1];
    return { ...entry, bytes: Number(bytes), registered: registrationIn(content) };
  } catch (why) {
    const { code } = why as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'EACCES') return { ...entry, registered: undefined };
    throw why;
  }
}

function entriesOf(folder: string): QueueEntry[] {
  const entries = readdirSync(folder).map((name) => entryOf(folder, name));
  return entries.filter((entry) => entry !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The queues of this process's IPC namespace, sorted by name, with what the file system mqueue says of each. Root needs no mount
 * of it; everybody else needs one (usually /dev/mqueue): the kernel has no other list.
 *
 * @throws IpcError ENODEV if it is not mounted and this process may not do so
 */
export function list(): QueueEntry[] {
  const ours = native().mqFileSystem();
  if (ours >= 0) {
    try {
      return entriesOf(`/proc/self/fd/${ours}`);
    } finally {
      closeSync(ours);
    }
  }
  if (!NOT_FOR_US.has(ours)) check(ours, 'fsmount', { object: 'mqueue' });
  const folder = mounted();
  if (folder !== undefined) return entriesOf(folder);
  throw new IpcError({
    code: 'ENODEV',
    syscall: 'fsopen',
    object: 'mqueue',
    message: 'the file system of message queues is not mounted, so they cannot be listed',
    hint: 'as root: mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue',
  });
}
