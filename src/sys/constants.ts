/**
 * Numbers of Linux's interface that Node does not export. They are the same on every architecture
 * that Node runs on, except where noted. Sources: the kernel's include/uapi headers.
 */

/** fcntl(2) commands. */
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_SETFD = 2;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const F_GETPIPE_SZ = 1032;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;
export const F_GETLK = 5;
export const F_SETLK = 6;
export const F_OFD_GETLK = 36;
export const F_OFD_SETLK = 37;
export const F_SETLEASE = 1024;
export const F_GETLEASE = 1025;
export const FD_CLOEXEC = 1;
export const F_SETSIG = 10;
/** Who gets the signals of a descriptor (F_SETOWN_EX). */
export const F_OWNER_TID = 0;
export const F_OWNER_PID = 1;
export const F_OWNER_PGRP = 2;

/** splice(2) and its kin: do not wait for a pipe. */
export const SPLICE_F_NONBLOCK = 2;

/** Lock types of struct flock; on x86-64, arm64, riscv64, ppc64 and s390x alike. */
export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;

/** flock(2) operations. */
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

/** Seals of memfd_create(2). */
export const F_SEAL_SEAL = 1;
export const F_SEAL_SHRINK = 2;
export const F_SEAL_GROW = 4;
export const F_SEAL_WRITE = 8;
export const F_SEAL_FUTURE_WRITE = 16;
export const MFD_ALLOW_SEALING = 2;
export const MFD_HUGETLB = 4;

/** open(2): an unnamed file in a folder. O_TMPFILE includes O_DIRECTORY, whose value depends on the architecture. */
export const O_TMPFILE_BIT = 0o20000000;
export const O_NONBLOCK = 0o4000;
/** open(2): signals when it becomes ready (FASYNC). The same on x86, arm, riscv, ppc and s390x. */
export const O_ASYNC = 0o20000;
/** open(2): a place in the file system, without opening what is there. The same on x86, arm, riscv, ppc and s390x. */
export const O_PATH = 0o10000000;
export const O_DIRECT_X86 = 0o40000;

/** poll(2) events; epoll(7) uses the same numbers for these. */
export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLERR = 8;
export const POLLHUP = 16;
export const POLLRDHUP = 0x2000;
export const EPOLLONESHOT = 1 << 30;
export const EPOLLET = 0x80000000;

/** mmap(2). */
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 1;
export const MAP_PRIVATE = 2;
export const MAP_ANONYMOUS = 0x20;

/** msync(2). */
export const MS_ASYNC = 1;
export const MS_INVALIDATE = 2;
export const MS_SYNC = 4;

/** mlock2(2). */
export const MLOCK_ONFAULT = 1;

/** madvise(2). */
export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_REMOVE = 9;
export const MADV_MERGEABLE = 12;
export const MADV_UNMERGEABLE = 13;
export const MADV_HUGEPAGE = 14;
export const MADV_NOHUGEPAGE = 15;
export const MADV_DONTDUMP = 16;
export const MADV_DODUMP = 17;
export const MADV_COLD = 20;
export const MADV_PAGEOUT = 21;
export const MADV_POPULATE_READ = 22;
export const MADV_POPULATE_WRITE = 23;
export const MADV_COLLAPSE = 25;

/** unix(7), socket(7). */
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_PASSCRED = 16;
export const SO_TIMESTAMP = 29;
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const MSG_TRUNC = 0x20;
export const MSG_CTRUNC = 8;
export const MSG_DONTWAIT = 0x40;
/** Messages that `sendmmsg` and `recvmmsg` of the addon take in one call. */
export const MOST_MESSAGES = 64;
/** SCM_MAX_FD: descriptors in one message. */
export const MOST_DESCRIPTORS = 253;

/** eventfd(2). */
export const EFD_SEMAPHORE = 1;

/** System V: msgget(2), msgop(2). */
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;
export const MSG_NOERROR = 0o10000;
export const MSG_EXCEPT = 0o20000;
export const MSG_COPY = 0o40000;

/** System V: shmget(2), shmop(2), shmctl(2). */
export const IPC_RMID = 0;
export const SHM_LOCK = 11;
export const SHM_UNLOCK = 12;
export const SHM_HUGETLB = 0o4000;
export const SHM_RDONLY = 0o10000;
/** Flags that the kernel shows beside the permission bits of a segment. */
export const SHM_DEST = 0o1000;
export const SHM_LOCKED = 0o2000;

/** System V: semctl(2), semop(2). */
export const SEM_GETPID = 11;
export const SEM_GETVAL = 12;
export const SEM_GETNCNT = 14;
export const SEM_GETZCNT = 15;
export const SEM_SETVAL = 16;
export const SEM_UNDO = 0x1000;

/** inotify(7). */
export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_CLOSE_WRITE = 0x8;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
export const IN_Q_OVERFLOW = 0x4000;

/** getrlimit(2). */
export const RLIMIT_NOFILE = 7;
export const RLIMIT_SIGPENDING = 11;
export const RLIMIT_MSGQUEUE = 12;
