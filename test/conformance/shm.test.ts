import { conformance } from './suite.js';
import { shm } from './support/ways.js';

conformance(shm);
