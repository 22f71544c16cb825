/** Starting the stages one after the other, each joined to the next by one pipe(2) that nobody else keeps open. */
import { native } from '../../sys/index.js';
import type { ChildDescriptor } from '../../proc/index.js';
import { toNumber } from '../../signal/index.js';
import { create } from '../create.js';
import type { PipeReader } from '../reader.js';
import type { PipeWriter } from '../writer.js';
import type { StageCommand } from './commandLine.js';
import { Edge } from './edge.js';
import type { End } from './ends.js';
import type { PipelineOptions } from './options.js';
import { applyRedirects } from './redirect.js';
import { RunningStage } from './stage.js';
import { Tap } from './tap.js';

/** What is shared by all stages. */
export interface Plan {
  commands: readonly StageCommand[];
  options: PipelineOptions;
  taps: (number | undefined)[];
  input: End;
  output: End;
  error: End;
}

/** What is between two stages: the end that the first writes to, and the one that the second reads. */
interface Joint {
  writer: PipeWriter;
  reader: PipeReader;
  edge: Edge;
}

function closeJoint({ writer, reader }: Joint): void {
  writer.close();
  reader.close();
}

/** A pipe, or two with a tap between them. */
function makeJoint(capacity: number | undefined, copy: number | undefined): Joint {
  const options = capacity === undefined ? {} : { capacity };
  const first = create(options);
  if (copy === undefined) return { ...first, edge: new Edge(first.writer.fd, undefined) };
  try {
    const second = create(options);
    try {
      const tap = new Tap(first.reader.fd, second.writer.fd, copy);
      first.reader.close();
      return { writer: first.writer, reader: second.reader, edge: new Edge(first.writer.fd, tap) };
    } catch (why) {
      second.reader.close();
      throw why;
    } finally {
      second.writer.close();
    }
  } catch (why) {
    first.close();
    throw why;
  }
}

/** Starts one stage, which reads `from` and writes to `to`. */
function startStage(
  plan: Plan,
  index: number,
  from: ChildDescriptor,
  to: ChildDescriptor,
  group: number,
): RunningStage {
  const { argv, redirects } = plan.commands[index] as StageCommand;
  const { env, cwd, terminal } = plan.options;
  const fds: Record<number, ChildDescriptor> = { 0: from, 1: to, 2: plan.error.child };
  const opened: number[] = [];
  try {
    applyRedirects(fds, redirects, cwd, opened);
    return new RunningStage(argv, {
      fds,
      ...(env === undefined ? {} : { env }),
      ...(cwd === undefined ? {} : { cwd }),
      ...(plan.options.processGroup === 'inherit' ? {} : { processGroup: group === 0 ? 'new' : group }),
      ...(terminal === undefined || group !== 0 ? {} : { terminal }),
    });
  } catch (why) {
    if (why instanceof Error) {
      why.message = `stage ${index + 1} of ${plan.commands.length} (${argv[0]}): ${why.message}`;
      Object.assign(why, { stage: index });
    }
    throw why;
  } finally {
    for (const fd of opened) native().close(fd);
  }
}

/** Starts all stages; if one cannot start, those that run are killed. */
export function startStages(plan: Plan): { stages: RunningStage[]; edges: Edge[] } {
  const stages: RunningStage[] = [];
  const edges: Edge[] = [];
  const inherits = plan.options.processGroup === 'inherit';
  let before: Joint | undefined;
  try {
    for (let index = 0; index < plan.commands.length; index++) {
      const copy = plan.taps[index];
      const behind = index === plan.commands.length - 1 ? undefined : makeJoint(plan.options.capacity, copy);
      try {
        const from = before?.reader ?? plan.input.child;
        const group = inherits ? 0 : (stages[0]?.pid ?? 0);
        const stage = startStage(plan, index, from, behind?.writer ?? plan.output.child, group);
        stages.push(stage);
        if (behind !== undefined) {
          behind.edge.from = stage.child;
          edges.push(behind.edge);
        }
      } catch (why) {
        if (behind !== undefined) closeJoint(behind);
        throw why;
      }
      behind?.writer.close();
      before?.reader.close();
      before = behind;
    }
  } catch (why) {
    before?.reader.close();
    for (const stage of stages) {
      stage.kill(toNumber('SIGKILL'));
      stage.release();
    }
    throw why;
  }
  return { stages, edges };
}
