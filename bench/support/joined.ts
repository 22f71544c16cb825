/** What the programs that run `head | cat | wc` share: the words of its stages, what it must answer, and how long it took. */
import { now, readOptions, reportOneWay } from './report.js';

/** The stages, for this many bytes. */
export function stagesFor(bytes: number): [string, ...string[]][] {
  return [['head', '-c', String(bytes), '/dev/zero'], ['cat'], ['wc', '-c']];
}

/** Runs it once to get warm and once to be measured. @param run gives what came out of it, and seconds if it measures itself */
export async function measure(
  run: (stages: [string, ...string[]][], way: string) => Promise<{ said: string; seconds?: number }>,
  option: string,
): Promise<void> {
  const { work, text } = readOptions(2 ** 33 / 65536);
  const way = text(option, '');
  const bytes = work.count * work.size;
  await run(stagesFor(work.size), way);
  const start = now();
  const { said, seconds } = await run(stagesFor(bytes), way);
  const end = seconds === undefined ? now() : start + seconds * 1e9;
  reportOneWay(work.size, work.count, start, end, Number(said) === bytes);
}
