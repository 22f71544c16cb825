/**
 * Another process's memory: process_vm_readv(2), process_vm_writev(2). Nothing is shared and nobody is stopped: bytes are copied while the
 * other process runs. Who may do it is who may trace that process (ptrace(2)).
 */
import { inspect } from 'node:util';
import { native, type Result } from '../sys/index.js';
import { checkBytes, checkInteger, checkOptions } from '../core/arguments.js';
import { EFAULT } from '../core/errno.js';
import { argumentError, rangeError, systemError } from '../core/errors.js';

/** A part of a process's address space, where /proc/PID/maps or the process itself says that something is. */
export interface MemoryRange {
  /** 0 to 2^64 - 1; a bigint beyond 2^53 - 1. */
  address: number | bigint;
  /** Bytes, 0 to 2^31 - 1. */
  length: number;
}

const MOST_LENGTH = 0x7fff_ffff;
const MOST_PID = 0x7fff_ffff;
const MOST_ADDRESSES = 1n << 64n;

type Copy = (pid: number, address: bigint, bytes: Uint8Array, offset: number, length: number) => Result;

function checkedAddress(address: unknown, length: number): bigint {
  if (typeof address !== 'bigint' && typeof address !== 'number') {
    throw argumentError(`address must be a number or a bigint, got ${inspect(address, { depth: 0 })}`);
  }
  if (typeof address === 'number' && !Number.isSafeInteger(address)) {
    throw rangeError(`address must be a whole number up to 2^53 - 1, or a bigint, got ${address}`);
  }
  const checked = BigInt(address);
  if (checked < 0n || checked + BigInt(length) > MOST_ADDRESSES) {
    throw rangeError(`address must be from 0 to 2^64 - length, got ${address}`);
  }
  return checked;
}

const checkPid = (pid: unknown): void => checkInteger('pid', pid, 1, MOST_PID);

/** Copies as much as can be, and answers how much that is, or `-errno` if it is nothing. The kernel copies some 2 GiB at once. */
function copied(copy: Copy, pid: number, address: bigint, bytes: Uint8Array): Result {
  let done = 0;
  while (done < bytes.length) {
    const more = copy(pid, address + BigInt(done), bytes, done, bytes.length - done);
    if (more <= 0) return done > 0 ? done : more;
    done += more;
  }
  return done;
}

function readRange(pid: number, address: bigint, length: number): Uint8Array | Result {
  const bytes = new Uint8Array(length);
  const result = copied(native().processVmReadv, pid, address, bytes);
  if (result < 0) return result;
  return result === length ? bytes : bytes.slice(0, result);
}

function failure(result: Result, syscall: string, pid: number): Error {
  return systemError(result, syscall, { object: `pid ${pid}` });
}

/**
 * Copies memory of another process, or of this one (process_vm_readv(2)).
 *
 * The array is shorter than asked where the memory ends there, or may not be read: what follows it is not there. The process runs on
 * meanwhile, so what is read may be half old and half new.
 *
 * @param pid of the process; it is looked up once for each call, so a process that has ended may have been replaced by another with
 *   its number
 * @param address where to begin, as that process knows it
 * @param length bytes, 0 to 2^31 - 1
 * @throws IpcError EPERM (not allowed to trace it), ESRCH (there is no such process, or it has ended), EFAULT (nothing can be read at the
 *   address)
 */
export function readMemory(pid: number, address: number | bigint, length: number): Uint8Array;
/**
 * Copies several ranges one after the other, one array for each; each is shorter than asked, down to nothing, where it cannot be read to its
 * end. Only if nothing of any can be read it is EFAULT.
 */
export function readMemory(pid: number, ranges: readonly MemoryRange[]): Uint8Array[];
export function readMemory(
  pid: number,
  from: number | bigint | readonly MemoryRange[],
  length?: number,
): Uint8Array | Uint8Array[] {
  checkPid(pid);
  if (Array.isArray(from)) return readRanges(pid, from);
  checkInteger('length', length, 0, MOST_LENGTH);
  const bytes = readRange(pid, checkedAddress(from, length), length);
  if (typeof bytes === 'number') throw failure(bytes, 'process_vm_readv', pid);
  return bytes;
}

function readRanges(pid: number, ranges: readonly MemoryRange[]): Uint8Array[] {
  const checked = ranges.map((range) => {
    if (range === undefined) throw argumentError('a range must be an object with address and length, got undefined');
    checkOptions(range, ['address', 'length']);
    checkInteger('length', range.length, 0, MOST_LENGTH);
    return { address: checkedAddress(range.address, range.length), length: range.length };
  });
  const read = checked.map(({ address, length }) => readRange(pid, address, length));
  const bad = read.find((one) => typeof one === 'number' && one !== -EFAULT);
  const allBad = read.length > 0 && read.every((one, index) => typeof one === 'number' || checked[index]?.length === 0);
  const first = bad ?? (allBad ? read.find((one) => typeof one === 'number') : undefined);
  if (typeof first === 'number') throw failure(first, 'process_vm_readv', pid);
  return read.map((one) => (typeof one === 'number' ? new Uint8Array(0) : one));
}

/**
 * Overwrites memory of another process, or of this one (process_vm_writev(2)), and answers how many bytes were written: fewer than there
 * are where the memory ends there or is read-only there. The process is not asked and not stopped.
 *
 * @param pid of the process
 * @param address where to begin, as that process knows it: 0 to 2^64 - 1, a bigint beyond 2^53 - 1
 * @param data 0 to 2^31 - 1 bytes
 * @throws IpcError EPERM (not allowed to trace it), ESRCH (there is no such process, or it has ended), EFAULT (nothing can be written at
 *   the address)
 */
export function writeMemory(pid: number, address: number | bigint, data: Uint8Array): number {
  checkPid(pid);
  checkBytes('data', data);
  checkInteger('the length of data', data.length, 0, MOST_LENGTH);
  const written = copied(native().processVmWritev, pid, checkedAddress(address, data.length), data);
  if (written < 0) throw failure(written, 'process_vm_writev', pid);
  return written;
}
