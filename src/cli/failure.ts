/** Errors as the command line shows them: what was wrong and what to do, without a stack trace. */
import { readFileSync } from 'node:fs';

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

/** What is to be installed, with its version, if an import failed for want of a package. */
function missingPackage(message: string): string | undefined {
  const name = /^Cannot find package '([^']+)'/.exec(message)?.[1];
  if (name === undefined) return undefined;
  const file = new URL('../../../package.json', import.meta.url);
  const { optionalDependencies } = JSON.parse(readFileSync(file, 'utf8')) as {
    optionalDependencies?: Record<string, string>;
  };
  const version = /\d+(\.\d+)*/.exec(optionalDependencies?.[name] ?? '');
  return version === null ? name : `${name}@${version[0]}`;
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
  const missing = code === 'ERR_MODULE_NOT_FOUND' ? missingPackage(text) : undefined;
  if (missing !== undefined) {
    return { text: `the command line needs a package that is not installed: npm install ${missing}`, exitCode };
  }
  return { text: typeof hint === 'string' ? `${text}\n  ${hint}` : text, exitCode };
}
