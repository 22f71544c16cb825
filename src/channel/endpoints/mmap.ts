/**
 * `mmap:/path`: a ring in a mapped file, for two processes that share nothing but its path. As `posixshm:`, in any folder: whoever
 * comes first makes the file, complete, and who leaves last removes it. A symbolic link there is not followed.
 */
import { constants } from 'node:fs';
import { resolve } from 'node:path';
import { native } from '../../sys/index.js';
import { makeComplete } from '../../core/complete.js';
import { argumentError, check, IpcError } from '../../core/errors.js';
import { isKind, kindOf, namesDescriptor, statusOf } from '../../core/files.js';
import { OwnedDescriptor } from '../../core/handle.js';
import { openOrMake } from '../../core/named.js';
import { descriptor } from '../../mmap/index.js';
import { formatRing, ringBytes } from '../ring/memory.js';
import { type Found, foundFile, namedEndpoint } from '../ring/named.js';
import type { EndpointUrl } from '../url.js';

const handleOf = (fd: number, path: string): OwnedDescriptor => new OwnedDescriptor(fd, `the file ${path}`);

function open(path: string): OwnedDescriptor {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = handleOf(check(native().open(path, flags, 0), 'open', { path }), path);
  const { mode } = statusOf(file.fd, { path });
  if (isKind(mode, constants.S_IFREG)) return file;
  file.close();
  throw new IpcError({ code: 'EINVAL', syscall: 'open', path, message: `${kindOf(mode)} is no place for a ring` });
}

function make(path: string, capacity: number): OwnedDescriptor {
  const fd = makeComplete({
    path,
    size: ringBytes(capacity),
    mode: 0o600,
    subject: { path },
    syscall: 'open',
    prepare: (made) => {
      using memory = descriptor(made, {}, { path });
      formatRing(memory, capacity);
    },
  });
  return handleOf(fd, path);
}

function find(url: EndpointUrl, capacity: number): Found {
  if (url.rest === '') {
    throw argumentError(`${url.href}: mmap: is followed by a path, like mmap:/tmp/ring`, 'ERR_INTERPROC_URL');
  }
  // Who leaves last removes it, from whatever folder the process is in by then.
  const path = resolve(url.rest);
  const file = openOrMake(
    () => open(path),
    () => make(path, capacity),
  );
  return foundFile(file, url, {
    replaceable: true,
    memory: () => descriptor(file.fd, {}, { path }),
    isNamed: () => namesDescriptor(path, file.fd),
    unlink: () => void check(native().unlink(path), 'unlink', { path }),
  });
}

/** Rings in mapped files, as a channel. */
export const endpoint = namedEndpoint(find);
