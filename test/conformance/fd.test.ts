import { conformance } from './suite.js';
import { fd } from './support/ways.js';

conformance(fd);
