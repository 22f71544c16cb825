/** Reading the memory of those who wait. */
import { readMemory } from '../../mmap/index.js';

/** So many bytes of a process; `undefined` where they cannot be read: it is gone, or not ours to see, or has nothing there. */
export function memoryOf(pid: number, address: bigint, length: number): DataView | undefined {
  try {
    const bytes = readMemory(pid, address, length);
    return bytes.length < length ? undefined : new DataView(bytes.buffer, bytes.byteOffset, length);
  } catch {
    return undefined;
  }
}
