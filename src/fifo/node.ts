/** Making and removing names: mkfifo(3), mknod(2), unlink(2). */
import { constants } from 'node:fs';
import { inspect } from 'node:util';
import { native } from '../sys/index.js';
import { checkInteger, checkMode, checkOptions, checkString } from '../core/arguments.js';
import { argumentError, check, IpcError } from '../core/errors.js';
import { type FileStatus, isKind, kindOf, settle } from '../core/files.js';
import { nearest } from '../core/nearest.js';
import { traceOf } from '../core/trace.js';
import { lookToRemove } from './look.js';

/** How a FIFO is made. */
export interface CreateOptions {
  /** Permission bits, exactly these whatever the umask; 0600 if omitted. */
  mode?: number;
  /**
   * Whether the umask, or the default ACL of the folder, takes from the mode what it does for other programs
   * (mkfifo(3) as it is). False if omitted.
   */
  umask?: boolean;
}

/** What mknod(2) makes. */
export type NodeType = 'fifo' | 'socket' | 'character' | 'block' | 'file';

/** Which driver a device is of, and which of its devices: `{ major: 1, minor: 3 }` is /dev/null. */
export interface Device {
  /** 0 to 4095 (12 bits). */
  major: number;
  /** 0 to 1048575 (20 bits). */
  minor: number;
}

/** What is made, and how. */
export interface MknodOptions extends CreateOptions {
  /** A FIFO, a socket that nobody listens on, a character or a block device, or an empty regular file. */
  type: NodeType;
  /** The device, of `'character'` and `'block'`, and only of these. */
  device?: Device;
}

const KINDS = new Map<unknown, number>([
  ['fifo', constants.S_IFIFO],
  ['socket', constants.S_IFSOCK],
  ['character', constants.S_IFCHR],
  ['block', constants.S_IFBLK],
  ['file', constants.S_IFREG],
]);
const MOST_MAJOR = 4095;
const MOST_MINOR = 1_048_575;
const trace = traceOf('fifo');

/** The mode that is wanted, and whether the umask may take from it. */
function permissions({ mode = 0o600, umask = false }: CreateOptions): { mode: number; umask: boolean } {
  checkMode(mode);
  if (typeof umask !== 'boolean') throw argumentError(`umask must be true or false, got ${inspect(umask)}`);
  return { mode, umask };
}

function kindNamed(type: unknown): number {
  const kind = KINDS.get(type);
  if (kind !== undefined) return kind;
  const names = [...KINDS.keys()] as string[];
  const like = typeof type === 'string' ? nearest(type, names) : undefined;
  const meant = like === undefined ? '' : `; did you mean '${like}'?`;
  throw argumentError(`type must be one of ${names.join(', ')}, got ${inspect(type, { depth: 0 })}${meant}`);
}

function deviceOf(type: NodeType, device: Device | undefined): Device {
  const isDevice = type === 'character' || type === 'block';
  if (!isDevice && device !== undefined) throw argumentError(`device is of character and block, and type is '${type}'`);
  if (!isDevice) return { major: 0, minor: 0 };
  if (typeof device !== 'object' || device === null) {
    throw argumentError(`a ${type} device needs device: { major, minor }, got ${inspect(device)}`);
  }
  checkOptions(device, ['major', 'minor']);
  checkInteger('device.major', device.major, 0, MOST_MAJOR);
  checkInteger('device.minor', device.minor, 0, MOST_MINOR);
  return device;
}

/**
 * Throws for what cannot be what was made a moment ago: who may write to the folder can have put another
 * name of a file of ours in its place, whose mode must not change.
 */
function refuseAnother(path: string, kind: number, { mode, links }: FileStatus, syscall: string): void {
  if (isKind(mode, kind) && links <= 1) return;
  const instead = isKind(mode, kind) ? 'a file with further names' : kindOf(mode);
  throw new IpcError({ code: 'EINVAL', syscall, path, message: `somebody has put ${instead} in its place meanwhile` });
}

/** The kernel took from the mode what the umask says: it was never wider than asked, and now becomes exact. */
function makeExact(path: string, kind: number, mode: number, syscall: string): void {
  settle(
    path,
    mode,
    () => {},
    (found) => refuseAnother(path, kind, found, syscall),
  );
}

/**
 * Makes a FIFO where nothing is yet (mkfifo(3)). A symbolic link in its place is not followed. Its
 * mode is never wider than asked, not even for a moment.
 *
 * @throws IpcError EEXIST, ENOENT (the folder), ENOTDIR, EACCES, EROFS, ENOSPC, ENAMETOOLONG
 */
export function create(path: string, options: CreateOptions = {}): void {
  checkString('path', path);
  checkOptions(options, ['mode', 'umask']);
  const { mode, umask } = permissions(options);
  check(native().mkfifo(path, mode), 'mkfifo', { path });
  if (!umask) makeExact(path, constants.S_IFIFO, mode, 'mkfifo');
  trace('create', { path, mode, umask });
}

/**
 * Makes a name of any type but a folder where nothing is yet (mknod(2)). A symbolic link in its place is not followed. The
 * mode is as `create` has it. Only opening a device reaches its driver: making its name needs none to be there.
 *
 * @throws IpcError EPERM (a device, without CAP_MKNOD; or a file system without such names), and those of `create`
 * @example
 * fifo.mknod('/srv/jail/dev/null', { type: 'character', device: { major: 1, minor: 3 }, mode: 0o666 });
 */
export function mknod(path: string, options: MknodOptions): void {
  checkString('path', path);
  if (options === undefined) throw argumentError('mknod needs options: { type }');
  checkOptions(options, ['type', 'mode', 'umask', 'device']);
  const kind = kindNamed(options.type);
  const { major, minor } = deviceOf(options.type, options.device);
  const { mode, umask } = permissions(options);
  check(native().mknod(path, kind | mode, major, minor), 'mknod', { path });
  if (!umask) makeExact(path, kind, mode, 'mknod');
  trace('mknod', { path, type: options.type, mode, umask });
}

/**
 * Removes the name (unlink(2)); who has the FIFO open goes on using it.
 *
 * @throws IpcError ENOENT, EACCES, EPERM; EINVAL if it is something else than a FIFO
 */
export function unlink(path: string): void {
  lookToRemove(path);
  check(native().unlink(path), 'unlink', { path });
  trace('unlink', { path });
}
