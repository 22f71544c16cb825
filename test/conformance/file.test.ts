import { conformance } from './suite.js';
import { file } from './support/ways.js';

conformance(file);
