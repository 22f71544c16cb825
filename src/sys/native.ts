/**
 * The addon's functions, one to one. Each is a system call under its man page's name; it answers
 * the call's value, or `-errno`. Buffers are passed as array, offset and length.
 */

/** What `read`, `poll` and the like return: a value of at least 0, or `-errno`. */
export type Result = number;

/** A mapping as the addon hands it out: opaque. */
export interface NativeMapping {
  readonly __mapping: unique symbol;
}

interface DescriptorCalls {
  /** `read` and `write` mean all of `bytes` where neither `offset` nor `length` is given. */
  read(fd: number, bytes: Uint8Array, offset?: number, length?: number): Result;
  write(fd: number, bytes: Uint8Array, offset?: number, length?: number): Result;
  pread(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): Result;
  writev(
    fd: number,
    first: Uint8Array,
    firstOffset: number,
    firstLength: number,
    second: Uint8Array,
    secondOffset: number,
    secondLength: number,
  ): Result;
  close(fd: number): Result;
  /** From now on it is closed with this thread, unless `close` comes first. */
  holdDescriptor(fd: number): Result;
  fcntl(fd: number, command: number, argument: number): Result;
  /** F_SETOWN_EX: `kind` is one of F_OWNER_TID, F_OWNER_PID and F_OWNER_PGRP. */
  setOwner(fd: number, kind: number, id: number): Result;
  /** fields: dev, ino, mode, nlink, uid, gid, size. */
  fstat(fd: number, fields: BigInt64Array): Result;
  /** Never follows a symbolic link. */
  lstat(path: string, fields: BigInt64Array): Result;
  /** The returned events of poll(2), 0 for a time-out. */
  poll(fd: number, events: number, timeoutMs: number): Result;
  /** How many of the descriptors are ready (poll(2)), 0 for a time-out. */
  pollAny(fds: Int32Array, events: number, timeoutMs: number): Result;
  /** FIONREAD. */
  available(fd: number): Result;
}

/** Transfers whose arguments stand in memory: `sys/kept.ts` is who calls them. */
interface KeptCalls {
  keptWords(words: Int32Array): Result;
  keepBytes(direction: number, bytes: Uint8Array): Result;
  readKept(): void;
  writeKept(): void;
  mqReceiveKept(): void;
  mqSendKept(): void;
}

interface FileCalls {
  open(path: string, flags: number, mode: number): Result;
  unlink(path: string): Result;
  rename(from: string, to: string): Result;
  linkDescriptor(fd: number, path: string): Result;
  ftruncate(fd: number, length: number): Result;
  /** Bytes of a page of hugetlbfs, 0 for a file on another file system. */
  hugePageSize(fd: number): Result;
  fallocate(fd: number, offset: number, length: number): Result;
  fdatasync(fd: number): Result;
  fchmod(fd: number, mode: number): Result;
}

interface FileLockCalls {
  flock(fd: number, operation: number): Result;
  /** `command` is F_SETLK or F_OFD_SETLK, `type` F_RDLCK, F_WRLCK or F_UNLCK. */
  setLock(fd: number, command: number, type: number, start: number | bigint, length: number | bigint): Result;
  /** `command` is F_GETLK or F_OFD_GETLK. fields: type, start, length, pid; in and out. */
  getLock(fd: number, command: number, fields: BigInt64Array): Result;
  ofdSetLock(fd: number, type: number, start: number | bigint, length: number | bigint): Result;
  /** The type of the lock in the way, F_UNLCK (2) if there is none. */
  ofdGetLock(fd: number, type: number, start: number | bigint, length: number | bigint): Result;
  /** EBUSY if another thread of JavaScript has record locks on it. */
  claimRecordFile(device: bigint, inode: bigint): Result;
  giveRecordFile(device: bigint, inode: bigint): Result;
  /** Closes it, now or with the last record lock of this process on that file. */
  closeFile(fd: number, device: bigint, inode: bigint): Result;
}

interface InotifyCalls {
  inotifyInit(): Result;
  inotifyAddWatch(fd: number, path: string, mask: number): Result;
  inotifyRmWatch(fd: number, watch: number): Result;
}

/** What a tap counts into (native/tap.c). */
export interface NativeTapCount {
  readonly _tapCount: never;
}

interface PipeCalls {
  pipe2(ends: Int32Array, flags: number): Result;
  mkfifo(path: string, mode: number): Result;
  /** Offsets are -1 for where the descriptor is. */
  splice(from: number, fromOffset: number, to: number, toOffset: number, length: number, flags: number): Result;
  tee(from: number, to: number, length: number, flags: number): Result;
  vmsplice(fd: number, mapping: NativeMapping, offset: number, length: number, flags: number): Result;
  tapCount(): NativeTapCount | Result;
  tapBytes(count: NativeTapCount): Result;
  /** The errno with which the copy ended before the flow, 0 if it did not. */
  tapCopyError(count: NativeTapCount): Result;
  /** `mode` holds the type, too; `major` and `minor` are of devices. */
  mknod(path: string, mode: number, major: number, minor: number): Result;
}

interface UnixCalls {
  /** Always close-on-exec and non-blocking, as are `socketpair` and `accept`. */
  socket(type: number): Result;
  socketpair(type: number, ends: Int32Array): Result;
  bind(fd: number, name: Uint8Array): Result;
  connect(fd: number, name: Uint8Array): Result;
  listen(fd: number, backlog: number): Result;
  accept(fd: number): Result;
  shutdown(fd: number, how: number): Result;
  getsockopt(fd: number, option: number): Result;
  setsockopt(fd: number, option: number, value: number): Result;
  /** fields: pid, uid, gid. */
  peerCredentials(fd: number, fields: Float64Array): Result;
  /** A pidfd of that process (SO_PEERPIDFD, Linux 6.5). */
  peerPidfd(fd: number): Result;
  /** The bytes of sun_path, at most 108, go into `name`: how many. */
  getsockname(fd: number, name: Uint8Array): Result;
  sendmsg(
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    descriptors: Int32Array,
    /** pid, uid, gid; or empty. */
    credentials: Int32Array,
    flags: number,
    /** The bytes of the receiver's sun_path; empty for whom the socket is connected to. */
    name: Uint8Array,
  ): Result;
  /**
   * answer: flags, number of descriptors, credentials present, pid, uid, gid, time stamp present, bytes of the sender's
   * name, length, pidfd of the sender or -1; then the descriptors.
   */
  recvmsg(
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    answer: Int32Array,
    name: Uint8Array,
    flags: number,
  ): Result;
  recv(fd: number, bytes: Uint8Array, offset: number, length: number, flags: number): Result;
  /** As `recv`, of a connection that has SO_TIMESTAMP; -ENODATA at its end. */
  recvOrEnd(fd: number, bytes: Uint8Array, offset: number, length: number, flags: number): Result;
  /** How many were sent of the messages from `first` on, at most 64. */
  sendmmsg(fd: number, messages: Uint8Array[], first: number, flags: number, name: Uint8Array): Result;
  /**
   * How many came, at most `count`, which is at most 64. The first `room` bytes of each `stride` of `bytes` are for one
   * message, 10 words of `answers` and 108 bytes of `names` tell of it as `recvmsg` does; the descriptors of all stand behind
   * the words of 64.
   */
  recvmmsg(
    fd: number,
    bytes: Uint8Array,
    stride: number,
    room: number,
    count: number,
    answers: Int32Array,
    names: Uint8Array,
    flags: number,
  ): Result;
}

interface MessageQueueCalls {
  /** `maxMessages` 0 leaves both sizes to the system. */
  mqOpen(name: string, flags: number, mode: number, maxMessages: number, messageSize: number): Result;
  mqSend(mq: number, bytes: Uint8Array, priority: number): Result;
  /** The length, and 2^32 for each unit of the priority. */
  mqReceive(mq: number, bytes: Uint8Array): Result;
  /** fields: maximum of messages, message size, messages waiting. */
  mqAttributes(mq: number, fields: Float64Array): Result;
  mqUnlink(name: string): Result;
  /** A socket for `mqNotifySocket`. */
  mqNotice(): Result;
  /** cookie: 32 bytes, which come back over the socket with the last one replaced: 1 a message came, 2 removed. */
  mqNotifySocket(mq: number, socket: number, cookie: Uint8Array): Result;
  mqNotifySignal(mq: number, signal: number, value: number | bigint): Result;
  mqNotifyEnd(mq: number): Result;
  /** A descriptor of the folder of all queues. */
  mqFileSystem(): Result;
}

interface SystemVCalls {
  /** The key, 0 to 2^32 - 1. */
  ftok(path: string, id: number): Result;
  msgget(key: number, flags: number): Result;
  /** Where messages and the arguments of these calls stand from now on: `sys/rooms.ts` is who makes them. */
  msgRooms(words: Int32Array, outgoing: Uint8Array, incoming: Uint8Array): Result;
  msgsnd(): void;
  msgrcv(): void;
  /**
   * fields: uid, gid, cuid, cgid, mode, key, messages, bytes, most bytes, pids of the last sender and receiver, times
   * of the last send, receive and change in seconds.
   */
  msgctlStat(id: number, fields: BigInt64Array): Result;
  msgctlSet(id: number, uid: number, gid: number, mode: number, maxBytes: number): Result;
  msgctlRemove(id: number): Result;
  /** The type of an empty message that `blockingMsgrcv` took. */
  msgTaken(number: number): bigint | Result;
}

interface SemaphoreCalls {
  /** Holds it as a lock that ends with this thread or process, or -EAGAIN. */
  semaphoreHold(id: number, index: number): Result;
  semaphoreGive(id: number, index: number): Result;
}

/** Operations on a set are three words each: index, what is added (0: wait for 0), flags. */
interface SemaphoreSetCalls {
  semget(key: number, count: number, flags: number): Result;
  semctlRemove(id: number): Result;
  /** Waits for ever with a negative time-out; -EAGAIN when the time is over. */
  semtimedop(id: number, operations: Int16Array, timeoutMs: number): Result;
  /** One of GETVAL, SETVAL, GETPID, GETNCNT, GETZCNT. */
  semctl(id: number, index: number, command: number, value: number): Result;
  /** fields: uid, gid, creator's uid and gid, mode, key, semaphores, times of semop and change. */
  semctlStat(id: number, fields: BigInt64Array): Result;
  semctlSet(id: number, uid: number, gid: number, mode: number): Result;
  /** `values` has room for all of the set, else -EFAULT. */
  semctlGetAll(id: number, values: Uint16Array): Result;
  semctlSetAll(id: number, values: Uint16Array): Result;
}

/** A semaphore is 32 bytes of a mapping. */
interface PosixSemaphoreCalls {
  semInit(mapping: NativeMapping, offset: number, value: number): Result;
  semTrywait(mapping: NativeMapping, offset: number): Result;
  /** Waits for ever with a negative time-out, on the monotonic clock. */
  semClockwait(mapping: NativeMapping, offset: number, timeoutMs: number): Result;
  /** How often it was posted before that failed, or `-errno` if the first failed. */
  semPost(mapping: NativeMapping, offset: number, count: number): Result;
  semGetvalue(mapping: NativeMapping, offset: number): Result;
}

interface SegmentCalls {
  shmget(key: number, size: number, flags: number): Result;
  /** `flags` has SHM_RDONLY, or nothing. */
  shmat(id: number, flags: number): NativeMapping | Result;
  /**
   * fields: uid, gid, cuid, cgid, mode with flags, key, size, how often attached, pids of the creator and of who attached
   * or detached last, times of the last attach, detach and change in seconds.
   */
  shmctlStat(id: number, fields: BigInt64Array): Result;
  shmctlSet(id: number, uid: number, gid: number, mode: number): Result;
  /** IPC_RMID, SHM_LOCK and SHM_UNLOCK. */
  shmctl(id: number, command: number): Result;
}

interface MemoryCalls {
  memfdCreate(name: string, flags: number): Result;
  /** `page`: bytes of the pages behind it if a file lies there that others can cut; 0 if none does. */
  mmap(
    fd: number,
    offset: number,
    length: number,
    protection: number,
    flags: number,
    page: number,
  ): NativeMapping | Result;
  /** What another thread attaches by. */
  mappingId(mapping: NativeMapping): bigint;
  mappingAttach(id: bigint, length: number, protection: number): NativeMapping | Result;
  mappingBuffer(mapping: NativeMapping): ArrayBuffer | Result;
  munmap(mapping: NativeMapping, buffer: ArrayBuffer | undefined): Result;
  mappingProtect(mapping: NativeMapping, buffer: ArrayBuffer | undefined, protection: number): Result;
  /** The same shared pages, mapped once more with another length. */
  mappingResized(mapping: NativeMapping, length: number): NativeMapping | Result;
  /** Loads a byte, so that the guard sees whether it is there. */
  mappingTouch(mapping: NativeMapping, offset: number): Result;
  mappingRead(mapping: NativeMapping, offset: number, bytes: Uint8Array, start: number, length: number): Result;
  /** 1 if a page of it was touched that the file behind it no longer has. */
  mappingCut(mapping: NativeMapping): Result;
  msync(mapping: NativeMapping, offset: number, length: number, flags: number): Result;
  madvise(mapping: NativeMapping, offset: number, length: number, advice: number): Result;
  mlock(mapping: NativeMapping, offset: number, length: number, flags: number): Result;
  munlock(mapping: NativeMapping, offset: number, length: number): Result;
  /** Fills one byte for each page, whose lowest bit says whether it is in memory. */
  mincore(mapping: NativeMapping, offset: number, length: number, pages: Uint8Array): Result;
  pageSize(): number;
  /** Over the 32-bit count of such faults in this process. */
  guardFaults(): ArrayBuffer | Result;
  futexWake(mapping: NativeMapping, offset: number, count: number): Result;
  /** 0 woken, -EAGAIN where the word differs, -ETIMEDOUT. */
  futexWait(mapping: NativeMapping, offset: number, expected: number, timeoutMs: number): Result;
}

/** A robust mutex, bound for this thread of JavaScript. `undefined` is success, all else `-errno`. */
export interface BoundLock {
  /** -EBUSY; -EDEADLK if this thread has it; -EOWNERDEAD, and it is taken; -ENOTRECOVERABLE; -EBADF after `unbind`. */
  take(): Result | undefined;
  /** The same, for one who has slept: FUTEX_WAITERS stays, since others may sleep. */
  takeAfterSleep(): Result | undefined;
  /** -EPERM if it is not held; -EFAULT if its word was overwritten. */
  give(): Result | undefined;
  /** Frees the word of one that JavaScript has taken out of the list itself, and wakes who sleeps; -EFAULT if it was overwritten. */
  free(): Result | undefined;
  /** -EINVAL if its last owner was not found dead. */
  consistent(): Result | undefined;
  /** Fills in process and thread of whom `take` has found dead, 0 for what is not known. */
  died(numbers: Uint32Array): Result | undefined;
  /** -EBUSY while it is held. */
  unbind(): Result | undefined;
  /** The address of its node, as it stands in the thread's list. */
  readonly node: bigint;
}

/** The list of robust mutexes of this thread. */
export interface RobustThread {
  /** Four pointers: the last node, the first one, an offset, the node that is being taken or freed. */
  readonly list: ArrayBuffer;
  /** What stands for a node where the list ends. */
  readonly end: bigint;
  readonly tid: number;
  readonly pid: number;
}

interface RobustCalls {
  /** -ENOTSUP where the C library has no such list. */
  lockBind(mapping: NativeMapping, offset: number, recorded: boolean): BoundLock | Result;
  robustThread(): RobustThread | Result;
  /** -EEXIST, -EAGAIN if something else is there. */
  lockFormat(mapping: NativeMapping, offset: number, image: Uint8Array, magic: number): Result;
  /** Sleeps once, a quarter of a second at most: 0 look again, -ETIMEDOUT, -EINTR. */
  lockWait(mapping: NativeMapping, offset: number, timeoutMs: number): Result;
  /** The same for a seat of a table: until its wake word is not `expected`, or one of these words tells of a death. */
  seatWait(mapping: NativeMapping, wake: number, expected: number, watched: Float64Array, timeoutMs: number): Result;
}

interface EventfdCalls {
  eventfd(initial: number, flags: number): Result;
  eventfdWrite(fd: number, value: bigint): Result;
  eventfdRead(fd: number): bigint | Result;
  eventfdRing(fd: number): Result;
  /** An epoll(7) instance that tells when the counter was read. */
  eventfdReads(fd: number): Result;
  /** Blocks this thread; 0 if there was none in time. */
  eventfdAwaitRead(reads: number, timeoutMs: number): Result;
}

interface SignalCalls {
  signalOwn(signal: number): Result;
  signalDisown(signal: number): Result;
  signalfd(signals: Int32Array, owned: boolean): Result;
  /** They stay pending, whoever handles them, until `signalRelease` came as often. */
  signalHold(signals: Int32Array): Result;
  signalRelease(signals: Int32Array): Result;
  /** pending: 65 words, 1 at each signal that waits. */
  sigpending(pending: Int32Array): Result;
  /** Blocks this thread; the length of the record. Only real-time signals. */
  sigtimedwait(signals: Int32Array, timeoutMs: number, bytes: Uint8Array): Result;
  /** Readable while one of the two descriptors is. */
  signalGate(first: number, second: number): Result;
  signalRange(range: Int32Array): Result;
}

interface CatchCalls {
  /** answer: the bell (an eventfd) and the id of a reader. */
  catchOpen(answer: Int32Array): Result;
  catchSignal(id: number, signal: number): Result;
  /** Records of struct signalfd_siginfo; their length. */
  catchTake(id: number, bytes: Uint8Array): Result;
  catchClose(id: number): Result;
  /** 0 none, 1 the default, 2 ignored; the wish before. */
  signalWish(signal: number, wish: number): Result;
  /** 0 the default, 1 ignored, 2 a handler. */
  signalDisposition(signal: number): Result;
}

interface TimerCalls {
  timerCreate(signal: number, value: number | bigint): Result;
  /** Nanoseconds; 0 and 0 stop it. */
  timerSettime(id: number, after: number, every: number): Result;
  timerGettime(id: number): Result;
  timerDelete(id: number): Result;
}

interface SendCalls {
  kill(pid: number, signal: number): Result;
  tgkill(pid: number, thread: number, signal: number): Result;
  /** To the calling thread. */
  raise(signal: number): Result;
  sigqueue(pid: number, signal: number, value: number | bigint): Result;
  pidfdSendSignal(pidfd: number, signal: number, value?: number | bigint): Result;
}

interface ProcessCalls {
  pidfdOpen(pid: number): Result;
  /** The duplicate is not held: it is the caller's. */
  pidfdGetfd(pidfd: number, fd: number): Result;
  getpgid(pid: number): Result;
  setpgid(pid: number, group: number): Result;
  getsid(pid: number): Result;
  setSubreaper(on: number): Result;
  getSubreaper(): Result;
  /** The soft limit; 2^53 - 1 stands for none. */
  getrlimit(resource: number): Result;
}

interface PeekCalls {
  /** How many bytes, fewer where the rest is not mapped there. */
  processVmReadv(pid: number, address: bigint, bytes: Uint8Array, offset: number, length: number): Result;
  processVmWritev(pid: number, address: bigint, bytes: Uint8Array, offset: number, length: number): Result;
}

interface ChildCalls {
  /** A pidfd; `settings` and `masks` are described in native/child.c. Lists of strings end with a NUL each. */
  childSpawn(
    files: Uint8Array,
    args: Uint8Array,
    environment: Uint8Array,
    folder: string | undefined,
    descriptors: Int32Array,
    settings: Int32Array,
    masks: BigUint64Array,
  ): Result;
  /** It is a child of this process, and is waited for here from now on. */
  childKeep(pidfd: number): Result;
  /** 1 with code (CLD_…) and status in `change` if it has ended; it is waited for then. */
  childReap(pidfd: number, change: Int32Array): Result;
  /** As `childReap`, but it stays a zombie. */
  childEnd(pidfd: number, change: Int32Array): Result;
  /** The same if it was stopped or continued. */
  childChange(pidfd: number, change: Int32Array): Result;
}

interface TerminalCalls {
  ptyOpen(): Result;
  /** N of /dev/pts/N. */
  ptyNumber(master: number): Result;
  tcgetpgrp(fd: number): Result;
  /** SIGTTOU is blocked meanwhile. */
  tcsetpgrp(fd: number, group: number): Result;
  /** size: columns, rows. */
  terminalSize(fd: number, size: Int32Array): Result;
  terminalResize(fd: number, columns: number, rows: number): Result;
}

/** How the event loop is told; used by core/readiness and core/blocking only. */
interface WaitingCalls {
  pollerOpen(withThread: boolean, callback: (ready: number, returned: number) => void, ready: Int32Array): Result;
  pollerAdd(fd: number, token: number, events: number): Result;
  pollerModify(fd: number, token: number, events: number): Result;
  pollerRemove(fd: number): Result;
  pollerRef(keep: boolean): Result;
  /** 1 while the call is still running, 0 once it has returned. */
  cancelBlocking(token: number): Result;
  /** Blocks this thread; `undefined` if the call has not returned in time. */
  awaitBlocking(token: number, timeoutMs: number): Result | undefined;
  /** Fills `done` with pairs of token and result; how many. */
  collectBlocking(done: Float64Array): Result;
  blockingOpen(token: number, path: string, flags: number, mode: number): Result;
  blockingConnect(token: number, type: number, name: Uint8Array): Result;
  blockingOfdLock(token: number, fd: number, type: number, start: number | bigint, length: number | bigint): Result;
  blockingFlock(token: number, fd: number, operation: number): Result;
  /** `fd` must stay open until the call has returned. */
  blockingRecordLock(token: number, fd: number, type: number, start: bigint, length: bigint): Result;
  blockingFdatasync(token: number, fd: number): Result;
  blockingSplice(
    token: number,
    from: number,
    fromOffset: number,
    to: number,
    toOffset: number,
    length: number,
    flags: number,
  ): Result;
  /** Moves everything from a pipe to another, with a copy unless that is -1; it duplicates the descriptors. */
  blockingTap(token: number, count: NativeTapCount, from: number, to: number, copy: number): Result;
  /** Until the child is stopped, continued, or has ended. */
  blockingChildChange(token: number, pidfd: number): Result;
  /** Waits for it and holds it. */
  blockingSemaphoreHold(token: number, id: number, index: number): Result;
  /** Waits until nobody holds it. */
  blockingSemaphoreZero(token: number, id: number, index: number): Result;
  /** Makes all operations at once, as soon as that is possible. */
  blockingSemop(token: number, id: number, operations: Int16Array): Result;
  /** Takes one from a POSIX semaphore. */
  blockingSemWait(token: number, mapping: NativeMapping, offset: number): Result;
  blockingMsync(token: number, mapping: NativeMapping, offset: number, length: number, flags: number): Result;
  /** 0 woken, 1 the word differs. */
  blockingFutexWait(token: number, mapping: NativeMapping, offset: number, expected: number): Result;
  /** The index of the word that was woken, -EAGAIN where one differs. */
  blockingFutexWaitMany(
    token: number,
    mappings: readonly NativeMapping[],
    offsets: Float64Array,
    expected: Uint32Array,
  ): Result;
  /** Until the robust mutex there may be had. */
  blockingLockWait(token: number, mapping: NativeMapping, offset: number): Result;
  /** `seatWait` on a thread, until something has happened in the table, or nobody has seen to what has. */
  blockingSeatWait(
    token: number,
    mapping: NativeMapping,
    wake: number,
    expected: number,
    watched: Float64Array,
    table: number,
    bytes: number,
  ): Result;
  blockingMsgsnd(token: number): Result;
  /** -E2BIG once there is such a message, which stays, or the number of an empty one (`msgTaken`). */
  blockingMsgrcv(token: number, id: number, type: number | bigint, flags: number): Result;
}

/** Everything the addon can do. */
export interface Native
  extends DescriptorCalls,
    KeptCalls,
    FileCalls,
    FileLockCalls,
    InotifyCalls,
    PipeCalls,
    UnixCalls,
    MessageQueueCalls,
    SystemVCalls,
    SemaphoreCalls,
    SemaphoreSetCalls,
    PosixSemaphoreCalls,
    SegmentCalls,
    MemoryCalls,
    RobustCalls,
    EventfdCalls,
    SignalCalls,
    CatchCalls,
    SendCalls,
    TimerCalls,
    ProcessCalls,
    PeekCalls,
    ChildCalls,
    TerminalCalls,
    WaitingCalls {}
