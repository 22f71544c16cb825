/** Starting the other side. As in the C programs, the parent receives and prints, the child it starts sends. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A process that was started to be the other side. */
export interface Other {
  pid: number;
  /** Resolves when it has ended: true when it exited with 0. */
  ended: Promise<boolean>;
}

/**
 * Starts this program (or another) again in a fresh process as the other side.
 *
 * @param script `import.meta.url` of the program
 * @param args its arguments; the first by custom names the role
 * @param descriptors what it inherits, as its descriptors 3 and up
 */
export function startOther(script: string, args: readonly string[], descriptors: readonly number[] = []): Other {
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], {
    stdio: ['ignore', 'inherit', 'inherit', ...descriptors],
  });
  const ended = new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (code) => {
      // The receiver would wait for ever for what a failed sender did not send.
      if (code !== 0) process.exit(1);
      resolve(true);
    });
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return { pid: child.pid ?? 0, ended };
}

/** A private directory for sockets, FIFOs and files of this run; it is removed when the process exits. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
