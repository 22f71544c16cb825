/** Errors as the command line shows them: what was wrong and what to do, without a stack trace. */

/** The caller of the command line made a mistake: exit code 2. */
export class UsageError extends Error {}
Object.defineProperty(UsageError.prototype, 'name', { value: 'UsageError', writable: true, configurable: true });

/** Codes of the library that say that an argument, here a URL or an option, cannot be meant. */
const WRONG_USAGE = ['ERR_INTERPROC_URL', 'ERR_INTERPROC_NAME', 'ERR_INTERPROC_ARGUMENT', 'ERR_INTERPROC_RANGE'];

interface Described {
  code?: unknown;
  syscall?: unknown;
  hint?: unknown;
  message?: unknown;
}

/** What a shell exits with for a command that it cannot run: 127 if there is none of this name, else 126. */
function ofCommand({ code, syscall }: Described): number | undefined {
  if (syscall !== 'execve') return undefined;
  return code === 'ENOENT' ? 127 : 126;
}

/** One line that says what was wrong, a second one with the hint if there is one, and the exit code. */
export function explain(why: unknown): { text: string; exitCode: number } {
  const { code, hint, message } = (why ?? {}) as Described;
  const text = typeof message === 'string' && message !== '' ? message : String(why);
  const usage = why instanceof UsageError || WRONG_USAGE.includes(String(code));
  const exitCode = usage ? 2 : (ofCommand((why ?? {}) as Described) ?? 1);
  return { text: typeof hint === 'string' ? `${text}\n  ${hint}` : text, exitCode };
}
