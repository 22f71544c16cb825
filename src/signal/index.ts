/**
 * Signals: signal(7). Sending to processes, groups and threads, with a value (sigqueue(3)); receiving with sender
 * and value, real-time signals in order; dispositions; what any process does with its signals.
 *
 * @example
 * for await (const { pid, value } of signal.events('SIGRTMIN+1')) console.log(pid, value);
 */
export { disposition, type Disposition, DispositionChange, ignore, restoreDefault } from './disposition.js';
export type { SignalEvent } from './event.js';
export { handle, type SignalCallback, SignalHandler } from './handle.js';
export { hold, pending, SignalHold, wait, waitSync } from './hold.js';
export { list, type SignalAction, type SignalInfo, type SignalSource } from './list.js';
export { realTimeRange, type SignalName, toName, toNumber } from './names.js';
export { notify, type NotifyOptions, type NotifyTarget, ReadyNotice } from './notify.js';
export { events, open, SignalReceiver, type Signals } from './receive.js';
export { kill, killGroup, killThread, queue, raise, sendToPidfd, tryQueue } from './send.js';
export { type SignalState, table } from './table.js';
export { SignalTimer, timer, type TimerOptions, type TimerTimes } from './timer.js';
