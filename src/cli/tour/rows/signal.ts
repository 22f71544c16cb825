/** A real-time signal that carries a value: it notifies, and moves 32 bits. */
import type { Row } from '../row.js';

const SIGNAL = 'SIGRTMIN+1';

/** The row. */
export const row: Row = {
  name: 'signal',
  mechanism: 'real-time signal with a value',
  way: 'kernel',
  family: 'signal',
  processes: 'unrelated',
  coalesce: false,
  passes: 1,
  prepare() {
    const url = `signal:${SIGNAL}`;
    return {
      url,
      receiver: { program: 'signalReceiver', urls: [url] },
      // Whom to send to is known by its pid; the receiver learns the sender's from the first signal.
      sender: (pid) => ({ program: 'signalSender', urls: [`${url}?pid=${pid}`] }),
      cleanUp: () => undefined,
    };
  },
};
