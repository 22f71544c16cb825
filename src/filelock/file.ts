/** What is locked: a file that is opened for that by its path, or one that the caller has open. */
import { constants } from 'node:fs';
import { inspect } from 'node:util';
import { F_DUPFD_CLOEXEC, native, O_NONBLOCK } from '../sys/index.js';
import { checkInteger, checkMode, checkOptions, checkString } from '../core/arguments.js';
import { EEXIST, ELOOP, ENOENT } from '../core/errno.js';
import { argumentError, check, type ErrorSubject, systemError } from '../core/errors.js';
import { isKind, statusAt, statusOf } from '../core/files.js';
import { Handle } from '../core/handle.js';
import type { WaitOwner } from '../core/wait.js';
import { closeFile, type Identity } from './recordFiles.js';

/** A file: by its path, by a descriptor, or by what has a descriptor (a handle of this library, a FileHandle of node:fs). */
export type Lockable = string | number | { readonly fd: number };

/** For what a file is opened. */
export type FileAccess = 'read' | 'write' | 'read-write';

/** How a file is opened by its path; for one that is open already none of these can be given. */
export interface OpenFileOptions {
  /** Makes an empty file where nothing is. False if omitted. */
  create?: boolean;
  /** Permission bits of a file that is made, exactly these whatever the umask; 0600 if omitted. */
  mode?: number;
  /** Whether a symbolic link at the end of the path is followed to a file that exists; true if omitted, and ELOOP if not. Nothing is made through a link. */
  follow?: boolean;
  /** For what it is opened. If omitted, what the lock needs: see each kind. */
  access?: FileAccess;
}

/** The names of `OpenFileOptions`, for `checkOptions`. */
export const OPEN_FILE_OPTIONS: readonly string[] = ['create', 'mode', 'follow', 'access'];

const FLAGS: Record<FileAccess, number> = {
  read: constants.O_RDONLY,
  write: constants.O_WRONLY,
  'read-write': constants.O_RDWR,
};
const MOST_FD = 0x7fff_ffff;

/** An open file whose locks are meant. */
export class OpenFile {
  readonly fd: number;
  /** Its path, or the number that the caller's descriptor had. */
  readonly name: string | number;
  readonly subject: ErrorSubject;
  readonly identity: Identity;
  /** The handle that it was given by; closing that ends waits. */
  readonly owner: WaitOwner | undefined;

  private constructor(fd: number, name: string | number, subject: ErrorSubject, owner?: WaitOwner) {
    this.fd = fd;
    this.name = name;
    this.subject = subject;
    this.owner = owner;
    try {
      const { dev, ino } = statusOf(fd, subject);
      this.identity = { dev, ino };
    } catch (why) {
      native().close(fd);
      throw why;
    }
  }

  /**
   * Opens the file, or takes a duplicate of the descriptor, which means the same open file.
   *
   * @param access for what it is opened unless the options say
   */
  static of(file: Lockable, options: OpenFileOptions, access: FileAccess): OpenFile {
    if (typeof file === 'string') return new OpenFile(openPath(file, options, access), file, { path: file });
    refuseOpenOptions(options);
    if (file instanceof Handle) file.use();
    const fd = descriptorOf(file);
    const subject = { object: `descriptor ${fd}` };
    const own = check(native().fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl(F_DUPFD_CLOEXEC)', subject);
    return new OpenFile(own, fd, subject, file instanceof Handle ? file : undefined);
  }

  close(): void {
    closeFile(this.fd, this.identity);
  }
}

function descriptorOf(file: unknown): number {
  const fd = typeof file === 'object' && file !== null && 'fd' in file ? file.fd : file;
  if (typeof fd !== 'number') {
    throw argumentError(
      `a file is named by its path, a descriptor or what has one, got ${inspect(file, { depth: 0, breakLength: Infinity })}`,
    );
  }
  checkInteger('the descriptor', fd, 0, MOST_FD);
  return fd;
}

function refuseOpenOptions(options: OpenFileOptions): void {
  const given = Object.entries(options).find(
    ([name, value]) => OPEN_FILE_OPTIONS.includes(name) && value !== undefined,
  );
  if (given !== undefined) throw argumentError(`${given[0]} is for a file that is opened by its path`);
}

function checkFlag(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw argumentError(`${name} must be true or false, got ${inspect(value)}`);
}

/** Throws for options that cannot be meant. */
export function checkOpenFile(options: OpenFileOptions, alsoKnown: readonly string[] = []): void {
  checkOptions(options, [...OPEN_FILE_OPTIONS, ...alsoKnown]);
  const { create = false, mode = 0o600, follow = true, access = 'read' } = options;
  checkFlag('create', create);
  checkFlag('follow', follow);
  checkMode(mode);
  if (!(access in FLAGS) || typeof access !== 'string') {
    throw argumentError(`access must be 'read', 'write' or 'read-write', got ${inspect(access)}`);
  }
}

/** Opens what is there, or makes it; of several who do so at once, one makes it and the others open that. */
function openPath(path: string, options: OpenFileOptions, access: FileAccess): number {
  checkString('path', path);
  const { create = false, mode = 0o600, follow = true } = options;
  checkFlag('follow', follow);
  // A FIFO in this place would make the open wait without O_NONBLOCK; the locks do not care.
  const flags = FLAGS[options.access ?? access] | O_NONBLOCK | constants.O_NOCTTY;
  const subject = { path };
  for (;;) {
    const fd = native().open(path, follow ? flags : flags | constants.O_NOFOLLOW, 0);
    if (fd !== -ENOENT || !create) return check(fd, 'open', subject);
    const made = native().open(path, flags | constants.O_CREAT | constants.O_EXCL, mode);
    if (made === -EEXIST) {
      const found = statusAt(path);
      // A link that leads nowhere: what is made through it would be made where somebody else wants it.
      if (found !== undefined && isKind(found.mode, constants.S_IFLNK)) throw systemError(-ELOOP, 'open', subject);
      continue;
    }
    check(made, 'open', subject);
    const set = native().fchmod(made, mode);
    if (set >= 0) return made;
    native().close(made);
    throw systemError(set, 'fchmod', subject);
  }
}
