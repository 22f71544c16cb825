import { conformance } from './suite.js';
import { posixshm } from './support/ways.js';

conformance(posixshm);
