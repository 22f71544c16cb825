/** What a verb's file exports. */
import type { Command } from 'commander';

/** A verb of the command line. `Options` are those that `define` declares, as commander names them. */
export interface Verb<Options = object> {
  /** Declares arguments, options and the help text with an example. */
  define(command: Command): void;
  /** Does it. `stop` aborts when the process is asked to end; answers the exit code. After
   * `leaveSignals()` signals are the verb's own business. */
  run(args: readonly string[], options: Options, stop: AbortSignal, leaveSignals: () => void): Promise<number>;
}
