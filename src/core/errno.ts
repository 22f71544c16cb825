/**
 * The errno table of Linux (asm-generic/errno.h, the numbers of x86-64 and arm64), of our own:
 * Node's `util.getSystemErrorName` lacks EIDRM, ENOMSG, EDEADLK, ENOLCK, EBADMSG, EOWNERDEAD and
 * ENOTRECOVERABLE. The descriptions follow errno(3).
 */
const TABLE: Record<number, readonly [name: string, description: string]> = {
  1: ['EPERM', 'operation not permitted'],
  2: ['ENOENT', 'no such file or directory'],
  3: ['ESRCH', 'no such process'],
  4: ['EINTR', 'interrupted by a signal'],
  5: ['EIO', 'input/output error'],
  6: ['ENXIO', 'no such device or address'],
  7: ['E2BIG', 'argument list too long'],
  8: ['ENOEXEC', 'exec format error'],
  9: ['EBADF', 'bad file descriptor'],
  10: ['ECHILD', 'no child processes'],
  11: ['EAGAIN', 'resource temporarily unavailable'],
  12: ['ENOMEM', 'not enough memory'],
  13: ['EACCES', 'permission denied'],
  14: ['EFAULT', 'bad address'],
  16: ['EBUSY', 'resource busy'],
  17: ['EEXIST', 'file exists'],
  18: ['EXDEV', 'invalid cross-device link'],
  19: ['ENODEV', 'no such device'],
  20: ['ENOTDIR', 'not a directory'],
  21: ['EISDIR', 'is a directory'],
  22: ['EINVAL', 'invalid argument'],
  23: ['ENFILE', 'too many open files in the system'],
  24: ['EMFILE', 'too many open files'],
  25: ['ENOTTY', 'inappropriate I/O control operation'],
  26: ['ETXTBSY', 'text file busy'],
  27: ['EFBIG', 'file too large'],
  28: ['ENOSPC', 'no space left on device'],
  29: ['ESPIPE', 'invalid seek'],
  30: ['EROFS', 'read-only file system'],
  31: ['EMLINK', 'too many links'],
  32: ['EPIPE', 'broken pipe'],
  33: ['EDOM', 'argument out of domain of function'],
  34: ['ERANGE', 'result too large'],
  35: ['EDEADLK', 'resource deadlock avoided'],
  36: ['ENAMETOOLONG', 'name too long'],
  37: ['ENOLCK', 'no locks available'],
  38: ['ENOSYS', 'function not implemented'],
  39: ['ENOTEMPTY', 'directory not empty'],
  40: ['ELOOP', 'too many levels of symbolic links'],
  42: ['ENOMSG', 'no message of the desired type'],
  43: ['EIDRM', 'identifier removed'],
  61: ['ENODATA', 'no data available'],
  62: ['ETIME', 'timer expired'],
  71: ['EPROTO', 'protocol error'],
  74: ['EBADMSG', 'bad message'],
  75: ['EOVERFLOW', 'value too large for defined data type'],
  84: ['EILSEQ', 'invalid or incomplete multibyte or wide character'],
  87: ['EUSERS', 'too many users'],
  88: ['ENOTSOCK', 'not a socket'],
  89: ['EDESTADDRREQ', 'destination address required'],
  90: ['EMSGSIZE', 'message too long'],
  91: ['EPROTOTYPE', 'protocol wrong type for socket'],
  92: ['ENOPROTOOPT', 'protocol not available'],
  93: ['EPROTONOSUPPORT', 'protocol not supported'],
  94: ['ESOCKTNOSUPPORT', 'socket type not supported'],
  95: ['EOPNOTSUPP', 'operation not supported'],
  97: ['EAFNOSUPPORT', 'address family not supported'],
  98: ['EADDRINUSE', 'address already in use'],
  99: ['EADDRNOTAVAIL', 'address not available'],
  103: ['ECONNABORTED', 'connection aborted'],
  104: ['ECONNRESET', 'connection reset by peer'],
  105: ['ENOBUFS', 'no buffer space available'],
  106: ['EISCONN', 'socket is connected'],
  107: ['ENOTCONN', 'socket is not connected'],
  109: ['ETOOMANYREFS', 'too many references'],
  110: ['ETIMEDOUT', 'timed out'],
  111: ['ECONNREFUSED', 'connection refused'],
  114: ['EALREADY', 'operation already in progress'],
  115: ['EINPROGRESS', 'operation in progress'],
  116: ['ESTALE', 'stale file handle'],
  122: ['EDQUOT', 'disk quota exceeded'],
  125: ['ECANCELED', 'operation canceled'],
  130: ['EOWNERDEAD', 'the previous owner died'],
  131: ['ENOTRECOVERABLE', 'state not recoverable'],
  133: ['EHWPOISON', 'memory page has a hardware error'],
};

const NUMBERS = new Map(Object.entries(TABLE).map(([number, [name]]) => [name, Number(number)]));

/** The name of an errno: `errnoName(43)` is `'EIDRM'`. An unknown number gives `'E43'`-like names. */
export function errnoName(errno: number): string {
  return TABLE[errno]?.[0] ?? `E${errno}`;
}

/** What an errno means, in the words of errno(3). */
export function errnoDescription(errno: number): string {
  return TABLE[errno]?.[1] ?? 'unknown error';
}

/** The number of an errno's name (also of `'E43'`-like ones), `undefined` for a name that Linux does not have. */
export function errnoNumber(name: string): number | undefined {
  return NUMBERS.get(name) ?? (/^E\d+$/.test(name) ? Number(name.slice(1)) : undefined);
}

/** The numbers that code here compares with. */
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const ENXIO = 6;
export const E2BIG = 7;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const EISDIR = 21;
export const EINVAL = 22;
export const EMFILE = 24;
export const EFBIG = 27;
export const ENOSPC = 28;
export const EPIPE = 32;
export const EDEADLK = 35;
export const ENAMETOOLONG = 36;
export const ENOSYS = 38;
export const ELOOP = 40;
export const ENOMSG = 42;
export const ENODATA = 61;
export const EIDRM = 43;
export const EPROTO = 71;
export const EBADMSG = 74;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const ECONNRESET = 104;
export const ENOTCONN = 107;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const ECANCELED = 125;
export const EOWNERDEAD = 130;
export const ENOTRECOVERABLE = 131;
