import { conformance } from './suite.js';
import { unixPath } from './support/ways.js';

conformance(unixPath);
