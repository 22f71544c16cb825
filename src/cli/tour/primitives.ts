/**
 * The primitives of synchronization in the order in which they run. Adding one is adding a file to primitives/ and naming it here.
 */
import type { Primitive } from './primitive.js';
import { primitive as barrier } from './primitives/barrier.js';
import { primitive as condition } from './primitives/condition.js';
import { primitive as eventfd } from './primitives/eventfd.js';
import { primitive as flock } from './primitives/flock.js';
import { primitive as futex } from './primitives/futex.js';
import { primitive as latch } from './primitives/latch.js';
import { primitive as lockFile } from './primitives/lockFile.js';
import { primitive as mutex } from './primitives/mutex.js';
import { primitive as ofd } from './primitives/ofd.js';
import { primitive as once } from './primitives/once.js';
import { primitive as record } from './primitives/record.js';
import { primitive as rwlock } from './primitives/rwlock.js';
import { primitive as sem } from './primitives/sem.js';
import { primitive as semMapped } from './primitives/semMapped.js';
import { primitive as semRecovering } from './primitives/semRecovering.js';
import { primitive as semSet } from './primitives/semSet.js';
import { primitive as semaphore } from './primitives/semaphore.js';

/** Every primitive. */
export const PRIMITIVES: readonly Primitive[] = [
  sem,
  semMapped,
  semRecovering,
  semSet,
  flock,
  record,
  ofd,
  lockFile,
  eventfd,
  futex,
  mutex,
  rwlock,
  condition,
  barrier,
  semaphore,
  latch,
  once,
];
