/** Progress on a terminal: on standard error, and nothing at all where that is no terminal. */
import * as format from './format.js';

/** Shows how far some work is. */
export interface Progress {
  /** Called as often as is convenient; the display changes ten times a second at most. */
  update(value: number, text?: string): void;
  /** Takes the display away. */
  stop(): void;
}

const NONE: Progress = { update() {}, stop() {} };

/** A bar from nothing to `total`. */
export async function bar(total: number): Promise<Progress> {
  if (!process.stderr.isTTY) return NONE;
  const { SingleBar } = (await import('cli-progress')).default;
  const shown = new SingleBar({
    format: '{bar} {percentage}% {text}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    clearOnComplete: true,
    hideCursor: true,
    stream: process.stderr,
  });
  shown.start(total, 0, { text: '' });
  return { update: (value, text) => shown.update(value, text === undefined ? {} : { text }), stop: () => shown.stop() };
}

/** What has been moved so far, where the end is not known: `{ messages, bytes }` are read when shown. */
export async function counter(moved: Readonly<Moved>): Promise<Progress> {
  if (!process.stderr.isTTY) return NONE;
  const { SingleBar } = (await import('cli-progress')).default;
  const begun = performance.now();
  const shown = new SingleBar({
    format: () => {
      const seconds = Math.max((performance.now() - begun) / 1000, 0.001);
      const speed = `${format.bytes(moved.bytes / seconds)}/s`;
      return ` ${format.count(moved.messages)} messages, ${format.bytes(moved.bytes)}, ${speed}`;
    },
    clearOnComplete: true,
    hideCursor: true,
    stream: process.stderr,
  });
  shown.start(Number.MAX_SAFE_INTEGER, 0);
  return { update: (value) => shown.update(value), stop: () => shown.stop() };
}

/** What has been moved. */
export interface Moved {
  messages: number;
  bytes: number;
}
