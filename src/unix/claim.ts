/**
 * Who may have a path. A socket file outlives its server, and nobody can tell a dead server's from
 * a live one's without a race: between asking and unlinking, another may have taken the place. So
 * the right to a path is a lock, flock(2) on `<path>.lock`, held for the server's life and gone with
 * its process; only who holds it touches the path.
 *
 * The socket is bound and listens as `<path>.new` first, with its mode, and then takes its place:
 * nobody ever connects to one that refuses, or that is open to more than was asked for. (So that is
 * the name that ss(8) shows for it.)
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { native, O_PATH, SOCK_STREAM } from '../sys/index.js';
import { EACCES, ECONNREFUSED, EEXIST, ENOENT } from '../core/errno.js';
import { check, IpcError } from '../core/errors.js';
import { type FileStatus, isKind, kindOf, settle, statusAt, statusOf } from '../core/files.js';
import { giveName, tryTakeName } from '../core/lockName.js';
import { MOST_ADDRESS_BYTES } from './address.js';

const LOCK_MODE = 0o600;

function inUse(path: string, message: string, hint?: string): IpcError {
  return new IpcError({ code: 'EADDRINUSE', syscall: 'bind', path, message, ...(hint === undefined ? {} : { hint }) });
}

function takeLock(path: string): number {
  const lock = `${path}.lock`;
  const fd = tryTakeName(lock, LOCK_MODE, ({ mode }) => {
    if (!isKind(mode, constants.S_IFREG)) throw inUse(lock, `${kindOf(mode)} stands where the lock file belongs`);
  });
  if (fd === undefined) throw inUse(path, 'a live server holds this address', `it has ${lock} locked (lslocks)`);
  return fd;
}

/** Throws unless the path is free, or a socket is there that nobody listens on; then it says so. */
function findStale(path: string, name: Uint8Array, found: FileStatus | undefined): boolean {
  if (found === undefined) return false;
  if (!isKind(found.mode, constants.S_IFSOCK)) {
    throw inUse(path, `${kindOf(found.mode)} is there`, 'only a socket that a dead server left behind is replaced');
  }
  const probe = check(native().socket(SOCK_STREAM), 'socket');
  try {
    const connected = native().connect(probe, name);
    if (connected === -ECONNREFUSED) return true;
    if (connected === -ENOENT) return false;
    if (connected === -EACCES) throw inUse(path, 'a socket is there that belongs to somebody else');
    throw inUse(path, 'a live server that is not of interproc holds this address');
  } finally {
    native().close(probe);
  }
}

/** A path that is ours until `release`. */
export class PathClaim {
  readonly #path: string;
  readonly #name: Uint8Array;
  readonly #lock: number;
  #socket: FileStatus | undefined;

  /** Takes the lock. @throws IpcError EADDRINUSE (a live server), EACCES, ENOENT (the folder) */
  constructor(path: string, name: Uint8Array) {
    this.#path = path;
    this.#name = name;
    this.#lock = takeLock(path);
  }

  /** Binds the socket `fd`, lets it listen, and puts it where it belongs. */
  occupy(fd: number, mode: number, backlog: number): void {
    const path = this.#path;
    const stale = findStale(path, this.#name, statusAt(path));
    const fresh = freshName(path);
    removeSocket(fresh);
    // The mode is that of the socket while it is bound, less what the umask takes away.
    check(native().fchmod(fd, mode), 'fchmod', { path });
    bindAt(fd, fresh);
    try {
      check(native().listen(fd, backlog), 'listen', { path });
      settle(fresh, mode, (place) => {
        this.#socket = statusOf(place, { path });
        this.#move(place, fresh, stale);
      });
    } catch (why) {
      this.#socket = undefined;
      native().unlink(fresh);
      throw why;
    }
  }

  /**
   * Binds the socket `fd` at the path itself. That of a datagram socket cannot be bound elsewhere first: the name that it was
   * bound to is the sender's address for those who receive from it. Nothing is missing when it appears, since nobody
   * connects to one that does not listen yet, and until its mode is settled it is narrower, never wider.
   */
  occupyAsIs(fd: number, mode: number): void {
    const path = this.#path;
    if (findStale(path, this.#name, statusAt(path))) check(native().unlink(path), 'unlink', { path });
    check(native().fchmod(fd, mode), 'fchmod', { path });
    check(native().bind(fd, this.#name), 'bind', { path });
    settle(path, mode, (place) => {
      this.#socket = statusOf(place, { path });
    });
  }

  #move(place: number, fresh: string, stale: boolean): void {
    const path = this.#path;
    if (stale) {
      check(native().rename(fresh, path), 'rename', { path });
      return;
    }
    // A link never replaces what a stranger may have put there meanwhile; a few file systems have none.
    const linked = native().linkDescriptor(place, path);
    if (linked === -EEXIST) throw inUse(path, 'somebody else has taken this address a moment ago');
    if (linked < 0) check(native().rename(fresh, path), 'rename', { path });
    else native().unlink(fresh);
  }

  /** Removes the socket and the lock file, where they are still ours. */
  release(): void {
    const path = this.#path;
    const mine = this.#socket;
    const there = mine === undefined ? undefined : statusAt(path);
    if (mine !== undefined && there?.ino === mine.ino && there.dev === mine.dev) native().unlink(path);
    giveName(`${path}.lock`, this.#lock);
    native().close(this.#lock);
  }
}

/** Removes what a server that died while starting has left. */
function removeSocket(path: string): void {
  const found = statusAt(path);
  if (found === undefined) return;
  if (!isKind(found.mode, constants.S_IFSOCK)) throw inUse(path, `${kindOf(found.mode)} is there`);
  check(native().unlink(path), 'unlink', { path });
}

/** The name of the socket while it is not in its place: one for each path, so that a rest of it is found again. */
function freshName(path: string): string {
  const fresh = `${path}.new`;
  if (Buffer.byteLength(fresh) <= MOST_ADDRESS_BYTES) return fresh;
  const digest = createHash('sha256').update(basename(path)).digest('hex');
  return join(dirname(path), `.${digest.slice(0, 16)}.new`);
}

/** bind(2); where even that name is too long, through the descriptor of its folder. */
function bindAt(fd: number, path: string): void {
  const name = Buffer.from(path);
  if (name.length <= MOST_ADDRESS_BYTES) {
    check(native().bind(fd, name), 'bind', { path });
    return;
  }
  const folder = check(native().open(dirname(path), O_PATH | constants.O_DIRECTORY, 0), 'open', {
    path: dirname(path),
  });
  try {
    check(native().bind(fd, Buffer.from(`/proc/self/fd/${folder}/${basename(path)}`)), 'bind', { path });
  } finally {
    native().close(folder);
  }
}
