/** One stage: its process, from its start until nothing is to be asked of it any more. */
import type { WaitOptions } from '../../core/wait.js';
import { type Child, type ExitStatus, spawn, type SpawnOptions } from '../../proc/index.js';

/** What became of one stage. */
export interface StageResult {
  argv: readonly string[];
  pid: number;
  /** What it exited with, 0 to 255, or `null`. */
  code: number | null;
  /** The name of the signal that ended it, as `SIGPIPE`, or `null`. */
  signal: string | null;
  coreDumped: boolean;
  /** `killed by SIGPIPE (wrote to a pipe that nobody reads)`. */
  description: string;
  /** From its start to its end. */
  seconds: number;
  /** Bytes that left it; `null` where that cannot be known. */
  bytesOut: number | null;
  /**
   * Where `bytesOut` is from: `'tap'`, what passed the edge behind it, exactly; `'io'`, all that it and the children that it has waited for
   * wrote by write(2), wherever to, as the kernel has counted it (`wchar` of proc_pid_io(5)); `null`, neither.
   */
  countedBy: 'tap' | 'io' | null;
}

/** A stage that runs, or has ended. Its zombie stays until `release`, since the first one leads the group of all. */
export class RunningStage {
  readonly argv: readonly string[];
  readonly child: Child;
  /** Resolves when it has ended; rejects where that cannot be known. */
  readonly end: Promise<void>;
  readonly #letGo: () => void;
  readonly #begun: number;
  #ended: number | undefined;
  #status: ExitStatus | undefined;
  #written: number | null = null;

  /** Starts it. */
  constructor(argv: readonly string[], options: SpawnOptions) {
    const [file, ...args] = argv;
    this.argv = argv;
    this.#begun = performance.now();
    this.child = spawn(file as string, args, { ...options, accounts: true });
    let letGo!: () => void;
    this.end = new Promise((resolve, reject) => {
      letGo = this.child.keep((end) => {
        this.#ended = performance.now();
        if (end instanceof Error) {
          reject(end);
          return;
        }
        this.#status = end;
        this.#written = this.child.accounts()?.bytesWritten ?? null;
        resolve();
      });
    });
    this.#letGo = letGo;
    this.end.catch(() => {}); // the pipeline looks at it
  }

  /** Its process id. */
  get pid(): number {
    return this.child.pid;
  }

  /** Whether it has ended, however that was. */
  get ended(): boolean {
    try {
      return this.child.tryWait() !== undefined;
    } catch {
      return true;
    }
  }

  /** Sends it a signal, unless it has ended. */
  kill(signal: number): void {
    this.child.kill(signal);
  }

  /** Each change of it, and its end as the last. */
  changes(options?: WaitOptions): AsyncGenerator<ExitStatus, void, undefined> {
    return this.child.changes(options);
  }

  /** It need not stay a zombie any more. */
  release(): void {
    this.#letGo();
  }

  /** What became of it. @param tapped what passed the edge behind it, `null` without a tap */
  result(tapped: number | null): StageResult {
    const { code, signal, coreDumped, description } = this.#status as ExitStatus;
    return {
      argv: this.argv,
      pid: this.pid,
      code,
      signal,
      coreDumped,
      description,
      seconds: ((this.#ended as number) - this.#begun) / 1000,
      bytesOut: tapped ?? this.#written,
      countedBy: tapped !== null ? 'tap' : this.#written === null ? null : 'io',
    };
  }
}
