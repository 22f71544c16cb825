/** What measurements say about the machine they were made on. */
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os';

/** The machine. */
export interface Machine {
  cpu: string;
  processors: number;
  memoryBytes: number;
  kernel: string;
  arch: string;
  node: string;
}

/** Describes this machine. */
export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    arch: arch(),
    node: process.version,
  };
}
