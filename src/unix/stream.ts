/** Stream sockets: a connection carries bytes in both directions, in order, without boundaries. */
export { connectWhenListening } from './appear.js';
export { connect, connectSync, fromFd, pair, tryConnect } from './connect.js';
export { listen } from './listener.js';
