import { conformance } from './suite.js';
import { fifo } from './support/ways.js';

conformance(fifo);
