/** Options of an endpoint that the command line has by a name of its own. */

/** The URL with an option more, which its mechanism checks, if it was given. */
export function withOption(url: string, key: string, value: string | undefined): string {
  return value === undefined ? url : `${url}${url.includes('?') ? '&' : '?'}${key}=${encodeURIComponent(value)}`;
}
