import { conformance } from './suite.js';
import { queue } from './support/ways.js';

conformance(queue);
