/** What memory is, beyond the process that has it mapped: /proc/PID/maps, proc_pid_maps(5). */
import { type Processes, readProc } from './processes.js';

/** A mapping of a process. */
interface Region {
  readonly start: bigint;
  readonly end: bigint;
  readonly isShared: boolean;
  readonly offset: bigint;
  /** Device and inode. */
  readonly file: string;
  readonly path: string;
}

/** A place in memory, the same for all who share it. */
export interface Place {
  /** Device and inode of shared memory; the process where it is that one's only. */
  readonly memory: string;
  /** Bytes from the beginning of the file; the address where it is private. */
  readonly offset: bigint;
  /** For people. */
  readonly name: string;
}

const LINE = /^([\da-f]+)-([\da-f]+) ..(?:.)(.) ([\da-f]+) ([\da-f]+:[\da-f]+ \d+) *(.*)$/;

/** The mappings that a file of /proc tells of. */
export function parseMaps(text: string): Region[] {
  return text.split('\n').flatMap((line) => {
    const [, start, end, kind, offset, file, path = ''] = LINE.exec(line) ?? [];
    if (start === undefined || file === undefined) return [];
    return {
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${end}`),
      isShared: kind === 's',
      offset: BigInt(`0x${offset}`),
      file,
      path,
    };
  });
}

/** The mappings of all processes, each read once. */
export class Maps {
  readonly #regions = new Map<number, readonly Region[]>();
  readonly #processes: Processes;

  constructor(processes: Processes) {
    this.#processes = processes;
  }

  #of(pid: number): readonly Region[] {
    const known = this.#regions.get(pid);
    if (known !== undefined) return known;
    const { through = pid } = this.#processes.get(pid) ?? {};
    const regions = parseMaps(readProc(`/proc/${through}/maps`, this.#processes.refusedBy(pid)) ?? '');
    this.#regions.set(pid, regions);
    return regions;
  }

  /** What is at an address of a process; `undefined` if nothing is. */
  placeAt(pid: number, address: bigint): Place | undefined {
    const region = this.#of(pid).find(({ start, end }) => start <= address && address < end);
    if (region === undefined) return undefined;
    // Private memory of a file is the process's own, whatever file it came from.
    if (!region.isShared) return { memory: `process ${pid}`, offset: address, name: `memory of process ${pid}` };
    return {
      memory: region.file,
      offset: region.offset + (address - region.start),
      name: region.path === '' ? `shared memory ${region.file}` : region.path,
    };
  }

  /** Whether a process has this place mapped: else it can neither hold nor release what is there. */
  has(pid: number, { memory, offset }: Place): boolean {
    if (memory.startsWith('process ')) return memory === `process ${pid}`;
    return this.#of(pid).some(
      ({ isShared, file, start, end, offset: from }) =>
        isShared && file === memory && from <= offset && offset < from + (end - start),
    );
  }
}
