/**
 * Signals: signal(7). Sending with a value (sigqueue(3)), and receiving real-time signals in order
 * with sender and value.
 *
 * @example
 * for await (const { pid, value } of signal.events('SIGRTMIN+1')) console.log(pid, value);
 */
export { list, type SignalAction, type SignalInfo, type SignalSource } from './list.js';
export { realTimeRange, type SignalName, toName, toNumber } from './names.js';
export { events, open, type SignalEvent, SignalReceiver } from './receive.js';
export { kill, killGroup, killThread, queue, raise, sendToPidfd, tryQueue } from './send.js';
export { type SignalState, table } from './table.js';
