/** What passes the edges of a pipeline, on a terminal: on standard error, and nothing at all where that is no terminal. */
import type { Edge, Pipeline } from '../pipe/index.js';
import * as format from './format.js';

const EVERY_MS = 200;

/** The rate since it was asked for last. */
class Rate {
  #bytes = 0;
  #at = performance.now();

  since(bytes: number): number {
    const now = performance.now();
    const rate = (bytes - this.#bytes) / Math.max((now - this.#at) / 1000, 1e-3);
    this.#bytes = bytes;
    this.#at = now;
    return rate;
  }
}

function text(edge: Edge, rate: Rate): string {
  const bytes = edge.bytes ?? 0;
  return `${format.bytes(bytes)}, ${format.bytes(rate.since(bytes))}/s`;
}

/** How to show the edges of a pipeline until the answer is disposed of. */
export async function edges(): Promise<(job: Pipeline) => Disposable> {
  if (!process.stderr.isTTY) return () => ({ [Symbol.dispose]() {} });
  const { MultiBar } = (await import('cli-progress')).default;
  return (job) => {
    const bars = new MultiBar({
      format: '{from} | {to}  [{bar}] {text}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 16,
      clearOnComplete: false,
      hideCursor: true,
      stream: process.stderr,
      fps: 1000 / EVERY_MS,
    });
    const name = (index: number): string => job.stages[index]?.argv[0] ?? '';
    const shown = job.edges.map((edge, index) => {
      const payload = { from: name(index), to: name(index + 1), text: '' };
      return { edge, rate: new Rate(), bar: bars.create(1, 0, payload) };
    });
    const update = (): void => {
      for (const { edge, rate, bar } of shown) {
        const fill = edge.fill();
        bar.setTotal(fill?.capacity ?? 1);
        bar.update(fill?.available ?? 0, { text: text(edge, rate) });
      }
    };
    const timer = setInterval(update, EVERY_MS).unref();
    return {
      [Symbol.dispose]() {
        clearInterval(timer);
        for (const { edge, bar } of shown) {
          const rate = edge.bytesPerSecond ?? 0;
          bar.update(0, { text: `${format.bytes(edge.bytes ?? 0)}, ${format.bytes(rate)}/s on average` });
        }
        bars.stop();
      },
    };
  };
}
