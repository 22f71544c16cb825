/** How URLs name System V objects: by a key, or by a path and a number of which ftok(3) makes one. */
import { argumentError } from '../core/errors.js';
import { ftok } from '../sysv/index.js';
import { type EndpointUrl, numberOption } from './url.js';

/** The key that a URL means, 1 to 0xffffffff. `noun` is what has it, for the error. */
export function systemVKey(url: EndpointUrl, noun: string): number {
  const id = numberOption(url, 'id', 1, 255);
  if (/^(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(url.rest)) {
    const key = Number(url.rest);
    if (id !== undefined) throw argumentError(`${url.href}: id goes with a path, not with a key`, 'ERR_INTERPROC_URL');
    if (key > 0 && key <= 0xffff_ffff) return key;
  } else if (url.rest.includes('/')) {
    return ftok(url.rest, id ?? 1);
  }
  throw argumentError(
    `${url.href}: a System V ${noun} is named by its key, 1 to 0xffffffff, or by a path with a slash (./file)`,
    'ERR_INTERPROC_URL',
  );
}
