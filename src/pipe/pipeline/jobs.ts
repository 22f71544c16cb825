/** A pipeline as a job: stopped when every stage that has not ended is, and going on when one of them is again. */
import { checkOptions } from '../../core/arguments.js';
import { checkSignal, WAIT_OPTIONS, type WaitOptions } from '../../core/wait.js';
import type { ExitStatus } from '../../proc/index.js';

/** What a job has done. */
export interface Change {
  state: 'stopped' | 'continued' | 'ended';
  /** What stopped it, as `SIGTSTP`; `null` for the others. */
  signal: string | null;
  /** `stopped by SIGTSTP (stop from the terminal, Ctrl+Z)`. */
  description: string;
}

/** One stage, as far as its changes matter. */
interface Changing {
  changes(options?: WaitOptions): AsyncGenerator<ExitStatus, void, undefined>;
}

const CONTINUED: Change = { state: 'continued', signal: null, description: 'continued' };

type Told = { index: number; next: IteratorResult<ExitStatus, void> };

/**
 * The changes of all stages together.
 *
 * @param continued how often the job was continued from here: of a stage that is stopped again at once the kernel tells the stop alone
 */
export async function* changesOf(
  stages: readonly Changing[],
  continued: () => number,
  options?: WaitOptions,
): AsyncGenerator<Change, void, undefined> {
  checkOptions(options, WAIT_OPTIONS);
  checkSignal(options?.signal);
  const sources = stages.map((stage) => stage.changes(options));
  const follow = async (index: number): Promise<Told> => ({ index, next: await sources[index]!.next() });
  const pending = new Map(sources.map((_, index) => [index, follow(index)]));
  const stopped = new Map<number, ExitStatus>();
  let whole = false; // whether it was told as stopped
  let seen = continued();
  try {
    while (pending.size > 0) {
      const { index, next } = await Promise.race(pending.values());
      const change = next.value;
      if (seen !== continued()) {
        seen = continued();
        stopped.clear();
        if (whole) yield CONTINUED;
        whole = false;
      }
      if (next.done === true || change === undefined || change.state === 'exited' || change.state === 'killed') {
        pending.delete(index);
        stopped.delete(index);
      } else {
        pending.set(index, follow(index));
        if (change.state === 'stopped') stopped.set(index, change);
        else stopped.delete(index);
      }
      const all = pending.size > 0 && stopped.size === pending.size;
      if (all && !whole) {
        const { signal, description } = [...stopped.values()].at(-1) as ExitStatus;
        yield { state: 'stopped', signal, description };
      } else if (!all && whole && pending.size > 0) {
        yield CONTINUED;
      }
      whole = all;
    }
    yield { state: 'ended', signal: null, description: 'ended' };
  } finally {
    for (const [index, last] of pending) {
      last.catch(() => {});
      void sources[index]!.return().catch(() => {});
    }
  }
}
