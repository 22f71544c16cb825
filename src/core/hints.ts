/**
 * The sentence beside a kernel error: which limit or permission is behind it, and where to change
 * it. Keyed by system call and code, so that one code can mean different things.
 */
const NO_DESCRIPTORS = 'this process is at its limit of open descriptors (RLIMIT_NOFILE; ulimit -n)';

const TRACING =
  'reaching into a process needs the right to trace it: the same user, no set-user-ID program, and /proc/sys/kernel/yama/ptrace_scope 0 (1 allows descendants only), or CAP_SYS_PTRACE';

const NOT_OPEN_FOR_LOCK =
  'a shared lock needs the file open for reading, an exclusive one for writing: the option access says for what a path is opened';
const NO_LOCKS =
  'the kernel has no memory for another lock, or the file system cannot lock (an NFS server without its lock daemon)';

const HINTS: Record<string, string> = {
  'open EAGAIN':
    'another process has a lease on this file (F_SETLEASE of fcntl(2)), and has been told now that somebody wants it: try again',
  'fcntl(F_SETLK) EBADF': NOT_OPEN_FOR_LOCK,
  'fcntl(F_OFD_SETLK) EBADF': NOT_OPEN_FOR_LOCK,
  'fcntl(F_SETLKW) EDEADLK':
    'who has this lock waits, directly or through others, for one of this process: release that first, and take locks in one order everywhere',
  'flock ENOLCK': NO_LOCKS,
  'rwlock EDEADLK':
    'release what this thread has first, or wait by lock(), which lets the rest of the thread go on meanwhile',
  'semaphore EDEADLK':
    'release what this thread has first, or wait by acquire(), which lets the rest of the thread go on meanwhile',
  'condition EDEADLK': 'wait(), which does not block the thread, may be called by any number of its parts',
  'barrier EDEADLK': 'wait(), which does not block the thread, may be called by any number of its parts',
  'latch EDEADLK': 'wait(), which does not block the thread, may be called by any number of its parts',
  'rwlock ENOTRECOVERABLE':
    'whoever gets a guard with ownerDied repairs what it protects and calls markConsistent(); now only a new lock helps',
  'barrier EOWNERDEAD':
    'the next round begins with those who come now: wait() again with as many as the barrier is for',
  'pthread_cond_wait EPERM':
    'wait() has the guard of the mutex again when it returns: call it before the guard is released',
  'fcntl(F_SETLK) ENOLCK': NO_LOCKS,
  'fcntl(F_SETLKW) ENOLCK': NO_LOCKS,
  'fcntl(F_OFD_SETLK) ENOLCK': NO_LOCKS,
  'fcntl(F_OFD_SETLKW) ENOLCK': NO_LOCKS,
  'pthread_mutex_lock ENOTRECOVERABLE':
    'an owner died, and the one after him released the mutex without markConsistent(): nobody can have it any more; destroy() it and make it anew together with what it protects',
  'pthread_mutex_lock EIDRM': 'somebody called destroy(): openOrCreate() makes it anew',
  'pthread_mutex_lock EDEADLK':
    'release it first, or make it of the kind recursive; lock() waits for the other part of this thread, where the kind is normal',
  'pthread_mutex_destroy EBUSY': 'who has it must release it first; owner is his thread',
  'fcntl(F_SETLEASE) EACCES': 'a lease is for the owner of the file; on that of another user it needs CAP_LEASE',
  'fcntl(F_SETLEASE) EINVAL': 'only regular files have leases, and /proc/sys/fs/leases-enable must be 1',
  'mq_open EINVAL':
    'a name is one slash and at most 255 other characters; maxMessages and messageSize may not exceed /proc/sys/fs/mqueue/msg_max and /proc/sys/fs/mqueue/msgsize_max',
  'mq_open EMFILE':
    'the queues of this user would need more bytes than RLIMIT_MSGQUEUE allows (ulimit -q), or this process is at RLIMIT_NOFILE (ulimit -n)',
  'mq_open ENOSPC': 'the system has as many queues as /proc/sys/fs/mqueue/queues_max allows',
  'mq_open EACCES':
    'the queue exists and belongs to somebody else whose mode does not let you in, or its name has a second slash',
  'mq_open ENOENT': 'no queue has this name; create() or openOrCreate() makes one',
  'mq_open EEXIST': 'open() uses the queue that exists, openOrCreate() either, unlink() removes it',
  'mq_open ENAMETOOLONG': 'a name has at most 255 bytes after its slash',
  'mq_unlink ENOENT': 'no queue has this name; it may have been removed already',
  'mq_unlink EACCES': 'only the owner of a queue, or root, removes it',
  'mq_notify EBUSY': 'a queue tells one process at a time; endNotify(), or the end of that process, makes room',
  'mq_send EMSGSIZE': "the message is longer than the queue's messageSize, which is fixed when the queue is created",
  'mq_send EBADF': 'the queue was opened for receiving only',
  'mq_receive EBADF': 'the queue was opened for sending only',
  'ftok ENOENT': 'a key is made of a file that exists',
  'ftok EACCES': 'a folder on the way to the file does not let this user in',
  'ftok ENOTDIR': 'a part of the path in front of the last slash is no folder',
  'msgget EEXIST': 'open() uses the queue that exists, openOrCreate() either, remove() removes it',
  'msgget ENOENT': 'no queue has this key; create() or openOrCreate() makes one',
  'msgget EACCES':
    "the queue belongs to somebody else whose mode does not let you do both; access: 'send' or 'receive' asks for less",
  'msgget ENOSPC': 'the system has as many queues as /proc/sys/kernel/msgmni allows (ipcs -q lists them)',
  'msgsnd EACCES': 'sending needs write permission on the queue (0200, 0020 or 0002 of its mode)',
  'msgsnd EIDRM': 'the queue was removed',
  'msgsnd EINVAL': 'a message has at most /proc/sys/kernel/msgmax bytes',
  'msgsnd EMSGSIZE': 'set() raises maxBytes, the size of the queue, up to /proc/sys/kernel/msgmnb',
  'msgrcv EACCES': 'receiving needs read permission on the queue (0400, 0040 or 0004 of its mode)',
  'msgrcv EIDRM': 'the queue was removed',
  'msgrcv E2BIG': 'the message stays in the queue: take it with a larger size, or cut with truncate',
  'msgrcv ENOSYS': 'this kernel was built without CONFIG_CHECKPOINT_RESTORE, which copy() needs',
  'msgctl(IPC_STAT) EACCES': 'looking needs read permission on the queue (0400, 0040 or 0004 of its mode)',
  'msgctl(IPC_STAT) EINVAL': 'no queue has this id; it may have been removed (ipcs -q lists them)',
  'msgctl(IPC_STAT) EIDRM': 'the queue was removed',
  'msgctl(IPC_SET) EPERM':
    'only the owner of a queue, its creator, or CAP_SYS_ADMIN changes it, and more than /proc/sys/kernel/msgmnb bytes need CAP_SYS_RESOURCE',
  'msgctl(IPC_SET) EIDRM': 'the queue was removed',
  'msgctl(IPC_RMID) EPERM': 'only the owner of a queue, its creator, or CAP_SYS_ADMIN removes it',
  'msgctl(IPC_RMID) EIDRM': 'the queue was removed already',
  'shmget EEXIST': 'open() uses the segment that exists, openOrCreate() either, remove() removes it',
  'shmget ENOENT': 'no segment has this key; create() or openOrCreate() makes one',
  'shmget EACCES':
    "the segment belongs to somebody else whose mode does not let you read and write; access: 'read' asks for less",
  'shmget EINVAL': 'a segment that exists has fewer bytes than size, or size exceeds /proc/sys/kernel/shmmax',
  'shmget ENOSPC':
    'the system has as many segments as /proc/sys/kernel/shmmni allows (ipcs -m lists them), or as many pages in them as /proc/sys/kernel/shmall',
  'shmget ENOMEM':
    'the machine has not as much memory and swap, or has promised it already (/proc/sys/vm/overcommit_memory, overcommit_ratio)',
  'shmget(SHM_HUGETLB) ENOMEM':
    'the system has not enough free huge pages (HugePages_Free in /proc/meminfo): /proc/sys/vm/nr_hugepages sets how many there are',
  'shmget(SHM_HUGETLB) EPERM':
    'huge pages in a segment need CAP_IPC_LOCK, or the group that /proc/sys/vm/hugetlb_shm_group names',
  'shmget(SHM_HUGETLB) EINVAL':
    'size exceeds /proc/sys/kernel/shmmax, or this kernel has no huge pages (CONFIG_HUGETLBFS)',
  'shmget(SHM_HUGETLB) ENOSYS': 'this kernel has no huge pages (CONFIG_HUGETLBFS)',
  'shmget(SHM_HUGETLB) ENOSPC':
    'the system has as many segments as /proc/sys/kernel/shmmni allows (ipcs -m lists them), or as many pages in them as /proc/sys/kernel/shmall',
  'shmat EACCES':
    "attaching needs read permission on the segment (0400, 0040 or 0004 of its mode), and write permission, too, unless access is 'read'",
  'shmat EIDRM': 'the segment was removed, and nobody has it attached any more',
  'shmat ENOMEM': 'no address space is left, or the process has as many mappings as /proc/sys/vm/max_map_count allows',
  'shmctl(IPC_STAT) EACCES': 'looking needs read permission on the segment (0400, 0040 or 0004 of its mode)',
  'shmctl(IPC_STAT) EINVAL': 'no segment has this id; it may have been removed (ipcs -m lists them)',
  'shmctl(IPC_STAT) EIDRM': 'the segment was removed, and nobody has it attached any more',
  'shmctl(IPC_SET) EPERM': 'only the owner of a segment, its creator, or CAP_SYS_ADMIN changes it',
  'shmctl(IPC_SET) EIDRM': 'the segment was removed, and nobody has it attached any more',
  'shmctl(IPC_RMID) EPERM': 'only the owner of a segment, its creator, or CAP_SYS_ADMIN removes it',
  'shmctl(IPC_RMID) EIDRM': 'the segment was removed already',
  'shmctl(SHM_LOCK) EPERM':
    'only the owner of a segment, its creator, or CAP_IPC_LOCK locks it, and without that RLIMIT_MEMLOCK (ulimit -l) must not be 0',
  'shmctl(SHM_LOCK) ENOMEM': 'without CAP_IPC_LOCK a user may lock as many bytes as RLIMIT_MEMLOCK allows (ulimit -l)',
  'shmctl(SHM_LOCK) EIDRM': 'the segment was removed, and nobody has it attached any more',
  'shmctl(SHM_UNLOCK) EPERM': 'only the owner of a segment, its creator, or CAP_IPC_LOCK unlocks it',
  'shmctl(SHM_UNLOCK) EIDRM': 'the segment was removed, and nobody has it attached any more',
  'process_vm_readv EPERM': TRACING,
  'process_vm_readv ESRCH': 'no process has this pid, or it has ended',
  'process_vm_readv EFAULT':
    'nothing that may be read is mapped at this address in that process (/proc/PID/maps tells what is)',
  'process_vm_writev EPERM': TRACING,
  'process_vm_writev ESRCH': 'no process has this pid, or it has ended',
  'process_vm_writev EFAULT':
    'nothing that may be written is mapped at this address in that process (/proc/PID/maps tells what is)',
  'shm_open EACCES': 'the object in /dev/shm belongs to somebody else whose mode does not let you in',
  'shm_open EEXIST': 'open() uses the object that exists, openOrCreate() either, unlink() removes it',
  'shm_open ENOENT': 'no object in /dev/shm has this name; create() or openOrCreate() makes one',
  'shm_open ELOOP': 'there is a symbolic link where the object should be, and links are not followed',
  'shm_open ENAMETOOLONG': 'a name has at most 255 bytes after its slash',
  'shm_unlink ENOENT': 'no object in /dev/shm has this name; it may have been removed already',
  'shm_unlink EACCES': 'only the owner of an object in /dev/shm, or root, removes it',
  'shm_unlink EPERM': 'only the owner of an object in /dev/shm, or root, removes it',
  'fallocate ENOSPC':
    'the file system is full; for shared memory that is /dev/shm, whose size is an option of its mount (df -h /dev/shm)',
  'fallocate EFBIG': 'the size exceeds RLIMIT_FSIZE (ulimit -f) or what the file system can hold',
  'fallocate EPERM': 'the memory is sealed against growing (F_SEAL_GROW), for good',
  'mmap ENOMEM': 'no address space is left, or the process has as many mappings as /proc/sys/vm/max_map_count allows',
  'mmap EPERM': "the memory is sealed against writing: map it with access 'read'",
  'mmap EACCES':
    "the descriptor is not open for what was asked: access 'read-write' needs one open for reading and writing, the others for reading",
  'semget EEXIST': 'open() uses the semaphore set that exists, openOrCreate() either, remove() removes it',
  'semget ENOENT': 'no semaphore set has this key; create() or openOrCreate() makes one',
  'semget EACCES':
    "the semaphore set belongs to somebody else whose mode does not let you read and change it; access: 'read' asks for less",
  'semget EINVAL':
    'a set that exists has fewer semaphores than count, or count exceeds the first number of /proc/sys/kernel/sem (SEMMSL)',
  'semget ENOSPC':
    'the fourth number of /proc/sys/kernel/sem is how many semaphore sets there may be, the second how many semaphores',
  'semop EACCES':
    'changing a value needs write permission on the set (0200, 0020 or 0002 of its mode), waiting for 0 read permission',
  'semop E2BIG': 'the third number of /proc/sys/kernel/sem is how many operations one call may have (SEMOPM)',
  'semop EFBIG': 'the set has fewer semaphores: the first has the index 0',
  'semop ERANGE': 'a semaphore is at most 32767 (SEMVMX), and so is what is to be undone at it',
  'semop ENOSPC': 'the process may not undo more semaphores at its end (SEMMNU, SEMUME)',
  'semop EIDRM': 'the semaphore set was removed',
  'semctl(IPC_STAT) EACCES': 'looking needs read permission on the set (0400, 0040 or 0004 of its mode)',
  'semctl(IPC_STAT) EINVAL': 'no semaphore set has this id; it may have been removed (ipcs -s lists them)',
  'semctl(IPC_STAT) EIDRM': 'the semaphore set was removed',
  'semctl(IPC_SET) EPERM': 'only the owner of a semaphore set, its creator, or CAP_SYS_ADMIN changes it',
  'semctl(IPC_RMID) EPERM': 'only the owner of a semaphore set, its creator, or CAP_SYS_ADMIN removes it',
  'semctl(IPC_RMID) EIDRM': 'the semaphore set was removed already',
  'semctl(GETVAL) EACCES': 'looking needs read permission on the set (0400, 0040 or 0004 of its mode)',
  'semctl(GETALL) EACCES': 'looking needs read permission on the set (0400, 0040 or 0004 of its mode)',
  'semctl(SETVAL) EACCES': 'changing a value needs write permission on the set (0200, 0020 or 0002 of its mode)',
  'semctl(SETALL) EACCES':
    'changing all values needs read and write permission on the set (0600, 0060 or 0006 of its mode)',
  'sem_open EEXIST': 'open() uses the semaphore that exists, openOrCreate() either, unlink() removes it',
  'sem_open ENOENT': 'no semaphore has this name; create() or openOrCreate() makes one',
  'sem_open EACCES': 'using a semaphore needs permission to read and to write its file in /dev/shm',
  'sem_open ELOOP':
    'what has this name in /dev/shm is a symbolic link, which is not followed: somebody may have planted it',
  'sem_open ENAMETOOLONG': 'a name has at most 251 bytes after its slash, and 241 where permits come back',
  'sem_unlink ENOENT': 'no semaphore has this name; it may have been removed already',
  'sem_unlink EACCES': 'only the owner of an object in /dev/shm, or root, removes it',
  'sem_unlink EPERM': 'only the owner of an object in /dev/shm, or root, removes it',
  'sem_post EOVERFLOW': 'a semaphore is at most 2147483647 (SEM_VALUE_MAX)',
  'mmap EAGAIN':
    'the process may not lock more memory: RLIMIT_MEMLOCK (ulimit -l) is the limit, and CAP_IPC_LOCK lifts it',
  'mprotect EACCES': 'what lies behind it was not opened for writing',
  'mremap EINVAL': 'private memory cannot be mapped anew, and a System V segment has one size for ever',
  'mlock ENOMEM':
    'the process may not lock more memory: RLIMIT_MEMLOCK (ulimit -l) is the limit, and CAP_IPC_LOCK lifts it',
  'mlock EPERM': 'RLIMIT_MEMLOCK (ulimit -l) is 0: no memory may be locked without CAP_IPC_LOCK',
  'madvise EINVAL': 'this advice does not go with such memory, or this kernel does not know it',
  'fcntl(F_SETPIPE_SZ) EPERM': 'without CAP_SYS_RESOURCE a pipe holds at most /proc/sys/fs/pipe-max-size bytes',
  'fcntl(F_SETPIPE_SZ) EBUSY': 'the pipe holds more than the new capacity now',
  'fcntl(F_SETPIPE_SZ) EINVAL': 'a pipe holds at most 2147483648 bytes',
  'splice EINVAL':
    'one side at least must be a pipe, and not both ends of the same one; a file that is opened for appending, a terminal and most devices cannot be written to',
  'splice ESPIPE': 'a pipe has no offset',
  'splice EBADF': 'the first descriptor must be open for reading, the second for writing',
  'tee EINVAL': 'both must be pipes, and not the same one',
  'tee EBADF': 'the first descriptor must be open for reading, the second for writing',
  'vmsplice EBADF': 'it must be the write end of a pipe',
  'fcntl(F_ADD_SEALS) EBUSY': 'there is a writable mapping of it: close that first',
  'fcntl(F_ADD_SEALS) EINVAL': 'only a memfd can be sealed',
  'fcntl(F_ADD_SEALS) EPERM': 'it was made without sealing, or sealed against further seals',
  'mkfifo EEXIST': 'openReader() and openWriter() use a FIFO that exists; create() makes a new one',
  'mkfifo ENOENT': 'the folder does not exist, or a part of the path to it',
  'mkfifo ENOTDIR': 'a part of the path in front of the last slash is no folder',
  'mkfifo EACCES': 'the folder does not let this user create a file in it',
  'mkfifo ENAMETOOLONG': 'a name has at most 255 bytes, and a path at most 4095',
  'mkfifo ELOOP': 'symbolic links on the way to the folder lead in a circle, or there are more than 40',
  'mkfifo ENOSPC': 'the file system has no room or no inode left (df, df -i)',
  'mkfifo EROFS': 'the file system is mounted read-only',
  'mkfifo EPERM': 'this file system has no FIFOs',
  'mknod EEXIST': 'mknod() makes a new name and leaves alone what is there',
  'mknod ENOENT': 'the folder does not exist, or a part of the path to it',
  'mknod ENOTDIR': 'a part of the path in front of the last slash is no folder',
  'mknod EACCES': 'the folder does not let this user create a file in it',
  'mknod ENAMETOOLONG': 'a name has at most 255 bytes, and a path at most 4095',
  'mknod ELOOP': 'symbolic links on the way to the folder lead in a circle, or there are more than 40',
  'mknod ENOSPC': 'the file system has no room or no inode left (df, df -i)',
  'mknod EROFS': 'the file system is mounted read-only',
  'mknod EPERM':
    'making a device needs CAP_MKNOD, which a container or a user namespace does not give; or this file system has no such names',
  'unlink EACCES': 'the folder does not let this user remove a file from it',
  'unlink EPERM': 'in a sticky folder, as /tmp is, only the owner of a file or of the folder removes it',
  'unlink EROFS': 'the file system is mounted read-only',
  'fcntl(F_SETOWN_EX) ESRCH': 'no process, group or thread has this id',
  'fcntl(F_SETFL) EOPNOTSUPP': 'pipes, FIFOs, sockets and terminals can send signals',
  'open ENXIO': 'nobody has the FIFO open for reading; openWriter() waits until somebody has',
  'open ELOOP': 'there is a symbolic link at the end of the path, and links are not followed',
  'bind EADDRINUSE': 'a live server holds this address, or a file that is no socket of a dead one is in its place',
  'bind EACCES': 'the folder does not let you create a file in it',
  'connect ECONNREFUSED': 'nobody listens there: the server is not running, or has left its socket file behind',
  'connect ENOENT': 'no socket has this path; the server is not running yet',
  'connect EACCES': 'connecting needs write permission on the socket file',
  'connect ELOOP': 'symbolic links on the way lead around in a circle, or are too many',
  'connect EPROTOTYPE': 'the socket there is of another type (stream, datagram or seqpacket)',
  'sendmsg ETOOMANYREFS':
    'more descriptors are on their way than RLIMIT_NOFILE allows (ulimit -n): the peer must receive some first',
  'sendmsg EPERM': 'credentials of another user or process need CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN',
  'sendmsg ESRCH': 'no process has the pid in credentials',
  'sendmsg EMSGSIZE':
    'a message has to fit into the buffer of its sender: sendBuffer makes it larger, up to twice /proc/sys/net/core/wmem_max',
  'sendmsg ENOBUFS': 'the kernel makes no message of more than some 4 MiB, whatever the buffer',
  'sendmsg ECONNREFUSED': 'nobody receives there any more: its socket is closed, and its file may be left behind',
  'sendmsg ENOENT': 'no socket has this path; the receiver is not running',
  'sendmsg EACCES': 'sending needs write permission on the socket file',
  'sendmsg EPROTOTYPE': 'the socket there is of another type (stream, datagram or seqpacket)',
  'sendmsg ENOTCONN': 'name a receiver with `to`, or connect() the socket first',
  'connect EPERM': 'the socket there is connected to another, and takes messages from that one only',
  'sendmsg EINVAL': 'one message carries at most 253 descriptors (SCM_MAX_FD)',
  'sigqueue EAGAIN':
    "the receiver's user has as many signals queued as its RLIMIT_SIGPENDING allows (ulimit -i): let it handle some, then try again",
  'sigqueue EPERM': 'sending to a process of another user needs CAP_KILL',
  'kill EPERM': 'sending to a process of another user needs CAP_KILL',
  'sigqueue ESRCH': 'no process has this pid',
  'kill ESRCH': 'no process has this pid',
  'killpg EPERM': 'sending to processes of another user needs CAP_KILL',
  'killpg ESRCH': 'no process is in this group',
  'tgkill EPERM': 'sending to a process of another user needs CAP_KILL',
  'tgkill ESRCH': 'the process has no thread with this id, or there is no such process',
  'tgkill EAGAIN':
    "the receiver's user has as many signals queued as its RLIMIT_SIGPENDING allows (ulimit -i): let it handle some, then try again",
  'pidfd_open ESRCH': 'no process has this pid',
  'pidfd_send_signal EPERM': 'sending to a process of another user needs CAP_KILL',
  'pidfd_send_signal ESRCH': 'the process has ended',
  'pidfd_send_signal EAGAIN':
    "the receiver's user has as many signals queued as its RLIMIT_SIGPENDING allows (ulimit -i): let it handle some, then try again",
  'execve ENOENT':
    'no program has this path or is found under this name in PATH, or the interpreter that its first line names (#!) does not exist',
  'execve EACCES': 'the file may not be executed by this user, or is none, or lies on a file system mounted noexec',
  'execve ENOEXEC':
    'the file is neither a program for this machine nor a script with an interpreter in its first line (#!)',
  'execve E2BIG':
    'arguments and environment together are more than a quarter of RLIMIT_STACK (ulimit -s), or one is longer than 128 KiB',
  'execve ETXTBSY': 'the file is open for writing somewhere',
  'chdir ENOENT': 'the folder named as cwd does not exist',
  'chdir ENOTDIR': 'what is named as cwd is no folder',
  'chdir EACCES': 'the folder named as cwd does not let this user in',
  'clone EAGAIN':
    'this user has as many processes as RLIMIT_NPROC allows (ulimit -u), or the control group as pids.max allows',
  'setpgid EPERM': 'there is no such process group in this session, or the process leads a session',
  'setpgid EACCES': 'a child can be moved only before it executes its program: name its processGroup in spawn()',
  'tcsetpgrp EPERM': 'there is no such process group in the session of this terminal',
  'tcsetpgrp ENOTTY': 'it is not the controlling terminal of this process',
  'tcgetpgrp ENOTTY': 'it is no terminal, or not the controlling one of this process',
  'dup2 EBADF': 'the number of a descriptor in the child must be below RLIMIT_NOFILE (ulimit -n)',
  'posix_openpt ENOSPC': 'no pseudo-terminal is left: /proc/sys/kernel/pty/max',
  'pidfd_open EINVAL': 'the number is of a thread that does not lead its process',
  'pidfd_open ENOENT': 'the number is of a thread that does not lead its process',
  'pidfd_getfd EPERM':
    'taking a descriptor needs the right to trace the process: the same user and /proc/sys/kernel/yama/ptrace_scope 0, or CAP_SYS_PTRACE',
  'pidfd_getfd ESRCH': 'the process has ended',
  'pidfd_getfd EBADF': 'the process has no such descriptor',
  'waitid ECHILD':
    'it is not a child of this process, or this process ignores SIGCHLD, or other code in it has waited for all children',
  'getpgid ESRCH': 'no process has this pid',
  'getsid ESRCH': 'no process has this pid',
  'timer_create EAGAIN':
    'a timer reserves a place among the queued signals, and this user has as many as RLIMIT_SIGPENDING allows (ulimit -i)',
  'inotify_init1 EMFILE': 'this user has as many inotify instances as /proc/sys/fs/inotify/max_user_instances allows',
  'inotify_add_watch ENOSPC': 'this user has as many watches as /proc/sys/fs/inotify/max_user_watches allows',
};

/** The hint for a code of a system call, `undefined` where there is nothing to add. */
export function hintFor(syscall: string, code: string): string | undefined {
  return HINTS[`${syscall} ${code}`] ?? (code === 'EMFILE' ? NO_DESCRIPTORS : undefined);
}
