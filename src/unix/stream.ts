/** Stream sockets: a connection carries bytes in both directions, in order, without boundaries. */
export { activated } from './activated.js';
export { connectWhenListening } from './appear.js';
export { connect, connectSync, fromFd, pair, tryConnect } from './connect.js';
export { listen, listenerFromFd } from './listener.js';
