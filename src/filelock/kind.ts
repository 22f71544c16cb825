/** The three kinds of locks, as the system calls that take and give them. */
import {
  F_OFD_SETLK,
  F_RDLCK,
  F_SETLK,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  native,
} from '../sys/index.js';
import type { Range } from './range.js';

/** How one kind of locks is taken and given back. */
export interface Kind {
  readonly name: 'flock' | 'record' | 'ofd';
  /** What errors are said to come from: at once, and waiting. */
  readonly syscall: string;
  readonly waitSyscall: string;
  /** Whether a lock that is converted is given up before it is taken anew. */
  readonly convertsWithGap: boolean;
  /** Takes the lock at once, or converts the one that is there: 0 or `-errno`. */
  take(fd: number, shared: boolean, range: Range): number;
  /** How to begin waiting for it. */
  begin(fd: number, shared: boolean, range: Range): (token: number) => number;
  give(fd: number, range: Range): void;
}

const typeOf = (shared: boolean): number => (shared ? F_RDLCK : F_WRLCK);
const operationOf = (shared: boolean): number => (shared ? LOCK_SH : LOCK_EX);

/** flock(2): the whole file, for the open file. */
export const FLOCK: Kind = {
  name: 'flock',
  syscall: 'flock',
  waitSyscall: 'flock',
  convertsWithGap: true,
  take: (fd, shared) => native().flock(fd, operationOf(shared) | LOCK_NB),
  begin: (fd, shared) => (token) => native().blockingFlock(token, fd, operationOf(shared)),
  give: (fd) => {
    native().flock(fd, LOCK_UN);
  },
};

/** F_SETLK of fcntl(2): ranges, for the process. */
export const RECORD: Kind = {
  name: 'record',
  syscall: 'fcntl(F_SETLK)',
  waitSyscall: 'fcntl(F_SETLKW)',
  convertsWithGap: false,
  take: (fd, shared, { offset, length }) => native().setLock(fd, F_SETLK, typeOf(shared), offset, length),
  begin:
    (fd, shared, { offset, length }) =>
    (token) =>
      native().blockingRecordLock(token, fd, typeOf(shared), offset, length),
  give: (fd, { offset, length }) => {
    native().setLock(fd, F_SETLK, F_UNLCK, offset, length);
  },
};

/** F_OFD_SETLK of fcntl(2): ranges, for the open file. */
export const OFD: Kind = {
  name: 'ofd',
  syscall: 'fcntl(F_OFD_SETLK)',
  waitSyscall: 'fcntl(F_OFD_SETLKW)',
  convertsWithGap: false,
  take: (fd, shared, { offset, length }) => native().setLock(fd, F_OFD_SETLK, typeOf(shared), offset, length),
  begin:
    (fd, shared, { offset, length }) =>
    (token) =>
      native().blockingOfdLock(token, fd, typeOf(shared), offset, length),
  give: (fd, { offset, length }) => {
    native().setLock(fd, F_OFD_SETLK, F_UNLCK, offset, length);
  },
};
