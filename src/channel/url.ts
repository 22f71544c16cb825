/**
 * Endpoint URLs: one string that names a mechanism and an object of it.
 *
 * ```
 * url     = scheme ":" rest [ "?" option *( "&" option ) ]
 * scheme  = lower-case letter *( lower-case letter / digit )
 * rest    = *( any character but "?" and "%" / escape )
 * option  = key [ "=" value ]         ; a key alone is "true"
 * escape  = "%" 2HEXDIG               ; a byte of UTF-8
 * ```
 *
 * It is not a WHATWG URL: that one would cut at `#`, resolve `..` and re-encode the path, and these
 * are names of the kernel. Only `?` and `%` must be written as escapes (`%3F`, `%25`), and `&` and
 * `=` inside of an option's value.
 */
import { argumentError, rangeError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';

/** A URL in its parts. */
export interface EndpointUrl {
  /** As it was written. */
  readonly href: string;
  readonly scheme: string;
  /** What stands between the colon and the question mark, unescaped: a path, a name, a number. */
  readonly rest: string;
  /** The options, unescaped. */
  readonly options: ReadonlyMap<string, string>;
}

function unescaped(text: string, href: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw argumentError(
      `${href}: a "%" begins an escape of two hexadecimal digits; write "%25" for the character`,
      'ERR_INTERPROC_URL',
    );
  }
}

/** Takes a URL apart. @throws TypeError (`ERR_INTERPROC_URL`) that says what is wrong with it */
export function parseUrl(href: string, schemes: readonly string[]): EndpointUrl {
  if (typeof href !== 'string')
    throw argumentError(`an endpoint is a string like 'unix:/run/app.sock', got ${String(href)}`, 'ERR_INTERPROC_URL');
  const colon = href.indexOf(':');
  const scheme = colon < 0 ? href : href.slice(0, colon);
  if (!schemes.includes(scheme)) {
    const near = nearest(scheme, schemes);
    const meant = near === undefined ? '' : `; did you mean ${near}:?`;
    const what =
      colon < 0 ? `${JSON.stringify(href)} has no scheme` : `there is no scheme ${JSON.stringify(`${scheme}:`)}`;
    throw argumentError(
      `${what}${meant} Known are ${schemes.map((name) => `${name}:`).join(' ')}`,
      'ERR_INTERPROC_URL',
    );
  }
  const question = href.indexOf('?', colon);
  const rest = unescaped(href.slice(colon + 1, question < 0 ? undefined : question), href);
  if (rest.includes('\0')) throw argumentError(`${href}: a name cannot contain a NUL`, 'ERR_INTERPROC_URL');
  const options = new Map<string, string>();
  for (const option of question < 0 ? [] : href.slice(question + 1).split('&')) {
    const equals = option.indexOf('=');
    const key = unescaped(equals < 0 ? option : option.slice(0, equals), href);
    options.set(key, equals < 0 ? 'true' : unescaped(option.slice(equals + 1), href));
  }
  return { href, scheme, rest, options };
}

/** Refuses options that an endpoint does not have, by name. */
export function checkUrlOptions(url: EndpointUrl, known: readonly string[]): void {
  for (const key of url.options.keys()) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const has = known.length === 0 ? `${url.scheme}: has none` : `known are ${known.join(', ')}`;
    throw argumentError(
      `${url.href}: unknown option ${JSON.stringify(key)}${near === undefined ? '' : `, did you mean ${near}?`}; ${has}`,
      'ERR_INTERPROC_URL',
    );
  }
}

/** An option that is on or off. */
export function flagOption(url: EndpointUrl, key: string): boolean {
  const value = url.options.get(key);
  if (value === undefined || value === 'false' || value === '0') return false;
  if (value === 'true' || value === '1' || value === '') return true;
  throw argumentError(`${url.href}: ${key} is true or false, got ${JSON.stringify(value)}`, 'ERR_INTERPROC_URL');
}

/** An option that is a whole number. */
export function numberOption(url: EndpointUrl, key: string, least: number, most: number): number | undefined {
  const text = url.options.get(key);
  if (text === undefined) return undefined;
  const value = /^(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) {
    throw rangeError(`${url.href}: ${key} is a whole number from ${least} to ${most}, got ${JSON.stringify(text)}`);
  }
  return value;
}
