/** What a process does with a lock while it is killed at one of its steps. All objects lie at the same place of the memory. */
import * as lock from '../../src/lock/index.js';
import type { Mapping } from '../../src/mmap/index.js';

/** Opens what is there and takes what is needed; the answer does what is to be interrupted. */
export function prepare(act: string, memory: Mapping): () => unknown {
  switch (act) {
    case 'mutex lock': {
      const mutex = lock.Mutex.open(memory, 0);
      return () => mutex.lockSync();
    }
    case 'two mutexes': {
      const [one, other] = [lock.Mutex.open(memory, 0), lock.Mutex.open(memory, 128)];
      return () => [one.lockSync(), other.lockSync()];
    }
    case 'mutex release': {
      const guard = lock.Mutex.open(memory, 0).lockSync();
      return () => guard.release();
    }
    case 'read': {
      const rwlock = lock.RwLock.open(memory, 0);
      return () => rwlock.lockSync('read');
    }
    case 'try to read': {
      const rwlock = lock.RwLock.open(memory, 0);
      return () => rwlock.tryLock('read');
    }
    case 'write': {
      const rwlock = lock.RwLock.open(memory, 0);
      return () => rwlock.lockSync('write');
    }
    case 'release of a reader': {
      const guard = lock.RwLock.open(memory, 0).lockSync('read');
      return () => guard.release();
    }
    case 'release of a writer': {
      const guard = lock.RwLock.open(memory, 0).lockSync('write');
      return () => guard.release();
    }
    case 'release without repair': {
      const guard = lock.RwLock.open(memory, 0).lockSync('write');
      if (!guard.ownerDied) throw new Error('nobody died');
      return () => guard.release();
    }
    case 'acquire': {
      const semaphore = lock.Semaphore.open(memory, 0);
      return () => semaphore.acquireSync();
    }
    case 'release of a permit': {
      const guard = lock.Semaphore.open(memory, 0).acquireSync();
      return () => guard.release();
    }
    case 'signal': {
      const condition = lock.Condition.open(memory, 64);
      return () => condition.signal();
    }
    case 'broadcast': {
      const condition = lock.Condition.open(memory, 64);
      return () => condition.broadcast();
    }
    case 'wait for a signal': {
      const condition = lock.Condition.open(memory, 64);
      const guard = lock.Mutex.open(memory, 0).lockSync();
      return () => condition.waitSync(guard);
    }
    case 'arrive': {
      const barrier = lock.Barrier.open(memory, 0);
      // So that it takes part.
      if (!isLate(() => barrier.waitSync({ timeoutMs: 0 }))) throw new Error('it passed');
      return () => barrier.waitSync();
    }
    case 'count down': {
      const latch = lock.Latch.open(memory, 0);
      return () => latch.countDown();
    }
    case 'do once': {
      const once = lock.Once.open(memory, 0);
      return () => once.runSync(() => {});
    }
    default:
      throw new Error(`there is no ${act}`);
  }
}

function isLate(wait: () => void): boolean {
  try {
    wait();
    return false;
  } catch (why) {
    return (why as { code?: string }).code === 'ETIMEDOUT';
  }
}
