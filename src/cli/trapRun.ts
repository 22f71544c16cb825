/** `interproc trap 'ACTION' SIG… -- COMMAND`: a command, and what is done when a signal arrives meanwhile. */
import { type Child, spawn } from '../proc/index.js';
import { handle, ignore, type SignalEvent, toName } from '../signal/index.js';
import { PASSED_ON, passOn, statusOf } from './command.js';
import { UsageError } from './failure.js';
import { parseSignal } from './signalName.js';

/** Actions, one after the other in the order of their signals. */
class Actions {
  readonly #script: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(script: string) {
    this.#script = script;
  }

  begin({ name }: SignalEvent, pid: number | undefined): void {
    const env = { ...process.env, INTERPROC_SIGNAL: name, INTERPROC_PID: String(pid) };
    this.#last = this.#last.then(() => spawn('sh', ['-c', this.#script], { env }).wait());
  }

  async done(): Promise<void> {
    let seen: Promise<unknown>;
    do {
      seen = this.#last;
      await seen;
    } while (seen !== this.#last);
  }
}

function numbersOf(words: readonly string[]): number[] {
  const numbers = words.map(parseSignal);
  if (numbers.length === 0) throw new UsageError('trap needs at least one signal between the action and --');
  if (numbers.includes(0)) throw new UsageError('0 is no signal that could be trapped');
  return numbers;
}

/**
 * Runs COMMAND with the trap; its exit status, 128 and the number of the signal if one killed it.
 *
 * @param words the action and the signals
 * @param command the program and its arguments
 * @param leaveSignals ends what this program does at signals otherwise
 */
export async function trapRun(
  words: readonly string[],
  command: readonly string[],
  leaveSignals: () => void,
): Promise<number> {
  const [action, ...names] = words;
  const [file, ...args] = command;
  if (action === undefined || file === undefined) throw new UsageError("trap takes 'ACTION' SIG… -- COMMAND");
  const numbers = numbersOf(names);
  const trapped = action === '-' ? [] : numbers.map(toName);
  const actions = new Actions(action);
  let child: Child | undefined; // handlers run in a later turn, when it is there
  const held: Disposable[] = [];
  // First, since the end of the last listener gives a signal its default action, whatever was wished for.
  leaveSignals();
  try {
    for (const name of trapped) {
      held.push(action === '' ? ignore(name) : handle(name, (event) => actions.begin(event, child?.pid)));
    }
    for (const name of PASSED_ON.filter((one) => !trapped.includes(one))) held.push(passOn(name, () => child));
    child = spawn(file, args, { signals: { ignore: action === '' ? trapped : [] } });
    const end = await child.wait();
    await actions.done();
    return statusOf(end);
  } finally {
    for (const one of held) one[Symbol.dispose]();
  }
}
