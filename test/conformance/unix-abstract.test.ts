import { conformance } from './suite.js';
import { unixAbstract } from './support/ways.js';

conformance(unixAbstract);
