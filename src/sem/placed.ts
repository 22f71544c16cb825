/** Semaphores of libc: in a file of their own, which their name finds, or at a place in memory that is mapped already. */
import { checkInteger, checkMode, checkOptions } from '../core/arguments.js';
import { makeComplete } from '../core/complete.js';
import { argumentError, check, type ErrorSubject, IpcError, rangeError } from '../core/errors.js';
import { descriptor, type Mapping } from '../mmap/index.js';
import { native } from '../sys/index.js';
import { type OwnerOptions, openFile, pathOf } from './name.js';
import { MOST_VALUE, Semaphore } from './semaphore.js';

/** Bytes of a semaphore. */
export const byteLength = 32;

const ALIGNMENT = 8;
/** Where libc keeps FUTEX_SHARED in one that is for several processes, on every 64-bit machine. */
const KIND = 8;
const BETWEEN_PROCESSES = 128;

/** How a semaphore is made. */
export interface CreateOptions {
  /** Permits that it has at the beginning, 0 to 2^31 - 1; 0 if omitted. */
  value?: number;
}

/** How a named semaphore is made. */
export interface NamedCreateOptions extends CreateOptions {
  /** Permission bits, exactly these whatever the umask; 0600 if omitted. Using it needs reading and writing. */
  mode?: number;
}

/** Throws for a value that cannot be meant. */
export function checkCreate({ value, mode }: NamedCreateOptions): void {
  if (value !== undefined) checkInteger('value', value, 0, MOST_VALUE);
  if (mode !== undefined) checkMode(mode);
}

/** Whether a semaphore between processes may be there. It is only asked whether the word that never changes is right. */
function looksLikeOne(mapping: Mapping, offset: number): boolean {
  return Buffer.from(mapping.read(offset + KIND, 4)).readUInt32LE() === BETWEEN_PROCESSES;
}

function initialise(mapping: Mapping, offset: number, value: number, subject: ErrorSubject): void {
  check(native().semInit(mapping.native, offset, value), 'sem_init', subject);
}

/** Makes a named one, completely before it has its name. */
export function createNamed(name: string, { value = 0, mode = 0o600 }: NamedCreateOptions): Semaphore {
  const path = pathOf(name, false);
  const subject = { object: name };
  const fd = makeComplete({
    path,
    size: byteLength,
    mode,
    subject,
    syscall: 'sem_open',
    prepare: (made) => {
      using memory = descriptor(made, {}, subject);
      initialise(memory, 0, value, subject);
    },
  });
  return new Semaphore({ mapping: mapped(fd, subject), offset: 0, name, created: true });
}

/** All of an open file, which is closed. */
function mapped(fd: number, subject: ErrorSubject): Mapping {
  try {
    return descriptor(fd, {}, subject);
  } finally {
    native().close(fd);
  }
}

function refuse(name: string, message: string): never {
  throw new IpcError({
    code: 'EINVAL',
    syscall: 'sem_open',
    object: name,
    message,
    hint: `the file in /dev/shm is not what sem_open(3) makes, which is one of ${byteLength} bytes`,
  });
}

/** Opens a named one. */
export function openNamed(name: string, options: OwnerOptions): Semaphore {
  const { fd, size } = openFile(name, pathOf(name, false), options);
  if (size !== byteLength) {
    native().close(fd);
    refuse(name, `what has this name has ${size} bytes and is no semaphore`);
  }
  const mapping = mapped(fd, { object: name });
  if (!looksLikeOne(mapping, 0)) {
    mapping.close();
    refuse(name, 'what has this name is no semaphore between processes');
  }
  return new Semaphore({ mapping, offset: 0, name, created: false });
}

/** Throws unless a semaphore can be at this place. */
function checkPlace(mapping: Mapping, offset: unknown): asserts offset is number {
  mapping.use();
  if (mapping.access !== 'read-write') {
    throw argumentError(`a semaphore needs a mapping with access 'read-write', got '${mapping.access}'`);
  }
  checkInteger('offset', offset, 0, mapping.byteLength - byteLength);
  if (offset % ALIGNMENT !== 0) throw rangeError(`offset must be a multiple of ${ALIGNMENT}, got ${offset}`);
}

/** Makes one in memory. */
export function createAt(mapping: Mapping, offset: number, options: CreateOptions): Semaphore {
  checkPlace(mapping, offset);
  checkOptions(options, ['value']);
  checkCreate(options);
  initialise(mapping, offset, options.value ?? 0, { object: `the semaphore at ${offset}` });
  return new Semaphore({ mapping, offset, name: undefined, created: true });
}

/** The one that is in memory. */
export function openAt(mapping: Mapping, offset: number): Semaphore {
  checkPlace(mapping, offset);
  if (!looksLikeOne(mapping, offset)) {
    throw new IpcError({
      code: 'EINVAL',
      syscall: 'sem_wait',
      object: `the semaphore at ${offset}`,
      message: 'no semaphore between processes is there',
      hint: 'create() makes one, as sem_init(3) with pshared does in C',
    });
  }
  return new Semaphore({ mapping, offset, name: undefined, created: false });
}
