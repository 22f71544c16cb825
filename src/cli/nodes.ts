/** What `mkfifo` and `mknod` have in common: the options of the commands of that name, and what was made. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { CreateOptions, Device, NodeType } from '../fifo/index.js';
import { statusAt } from '../core/files.js';
import { parseMode } from './fileMode.js';
import { UsageError } from './failure.js';
import { writeJson } from './output.js';

/** Options of both. */
export interface NodeOptions {
  mode?: string;
  Z?: boolean;
  context?: string;
  json?: boolean;
}

/** One name that was made. */
export interface Made {
  path: string;
  type: NodeType;
  /** Octal, with four digits. */
  mode: string;
  device: Device | null;
}

/** a=rw, before the umask takes from it: what the commands of this name begin with. */
const READ_AND_WRITE = 0o666;
const LABELS = ['/sys/fs/selinux/enforce', '/sys/fs/smackfs/load'];

/** Declares the options of both. */
export function defineNodeOptions(command: Command): Command {
  return command
    .option('-m, --mode <mode>', 'permission bits, octal or symbolic as in chmod(1), not a=rw less the umask')
    .option('-Z', 'for scripts; without SELinux and SMACK it means nothing, with them it is refused')
    .option('--context <ctx>', 'likewise')
    .option('--json', 'print { made: [{ path, type, mode, device }] }');
}

/** The umask, read without changing it for a moment as process.umask() does. */
function readUmask(): number {
  const octal = /^Umask:\s+([0-7]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return Number.parseInt(octal, 8);
}

/** Exactly the mode that was asked for; if none was, what the umask leaves of a=rw. */
export function permissionsOf({ mode }: NodeOptions): CreateOptions {
  if (mode === undefined) return { mode: READ_AND_WRITE, umask: true };
  return { mode: parseMode(mode, READ_AND_WRITE, readUmask()) };
}

/** Labels of SELinux and SMACK are not set here; as the commands do, they are passed over where there are none. */
export function checkLabels(verb: string, { Z = false, context }: NodeOptions): void {
  if (!Z && context === undefined) return;
  if (LABELS.some((file) => existsSync(file))) {
    throw new UsageError(`${verb} sets no security labels: leave -Z and --context away, and use chcon(1) afterwards`);
  }
  if (context === undefined) return;
  process.stderr.write(
    `interproc ${verb}: warning: --context is ignored, since this kernel has neither SELinux nor SMACK\n`,
  );
}

/** Throws unless every word names something. */
export function checkNames(names: readonly string[]): void {
  if (names.includes('')) throw new UsageError('NAME must not be empty');
}

/** What became of a name that was made. */
export function madeAt(path: string, type: NodeType, device: Device | null = null): Made {
  const bits = (statusAt(path)?.mode ?? 0) & 0o7777;
  return { path, type, mode: bits.toString(8).padStart(4, '0'), device };
}

/** Prints what was made, if that was asked for. */
export async function tell(made: readonly Made[], { json = false }: NodeOptions, stop: AbortSignal): Promise<void> {
  if (json) await writeJson({ made }, stop);
}
