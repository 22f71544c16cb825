/**
 * What happens inside, for those who look: `NODE_DEBUG=interproc:<family>` prints it, and the
 * diagnostics_channel `interproc:<family>` publishes it. Both cost a comparison when off.
 */
import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';

/** What a family tells of: an action, and what it was done to. */
export interface TraceEvent {
  action: string;
  [detail: string]: unknown;
}

/** Tells of one event. */
export type Trace = (action: string, detail?: Record<string, unknown>) => void;

/** The trace of one family: `const trace = traceOf('mq'); trace('open', { name })`. */
export function traceOf(family: string): Trace {
  const name = `interproc:${family}`;
  const log = debuglog(name);
  const published = channel(name);
  return (action, detail) => {
    if (log.enabled) log('%s %o', action, detail ?? {});
    if (published.hasSubscribers) published.publish({ action, ...detail } satisfies TraceEvent);
  };
}
