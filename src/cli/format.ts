/** Numbers for people. */

function scaled(value: number, units: readonly string[]): string {
  let at = 0;
  let rest = value;
  while (rest >= 999.5 && at < units.length - 1) {
    rest /= 1000;
    at += 1;
  }
  return `${rest >= 99.5 || (at === 0 && Number.isInteger(rest)) ? rest.toFixed(0) : rest.toPrecision(rest < 9.995 ? 2 : 3)} ${units[at]}`.trim();
}

/** `1.5 GB`: decimal units, as disks and networks are measured. */
export function bytes(count: number): string {
  return scaled(count, ['B', 'kB', 'MB', 'GB', 'TB']);
}

/** `12.3 million`, `53 thousand`. */
export function count(number: number): string {
  return scaled(number, ['', 'thousand', 'million', 'billion']);
}

/** A rate in a narrow column: `12.3 M/s`. */
export function rate(number: number): string {
  return `${scaled(number, ['', 'k', 'M', 'G'])}/s`;
}

/** `4.2 µs`, `1.3 ms`. */
export function micros(value: number): string {
  return scaled(value, ['µs', 'ms', 's']);
}
