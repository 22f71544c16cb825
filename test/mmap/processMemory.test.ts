import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import * as mmap from '../../src/mmap/index.js';
import * as shm from '../../src/shm/index.js';
import { attempt, commandElsewhere } from '../support/elsewhere.js';
import { until } from '../support/proc.js';
import { type Program, start } from '../support/program.js';
import { canTrace, peer } from '../support/skips.js';

const PAGE = 4096;

// Its memory: three pages, the middle one of which can be read only, and none behind them. It tells where they are.
const VICTIM = `
import ctypes, mmap, sys
PROT_NONE, PROT_READ = 0, 1
memory = mmap.mmap(-1, 4 * 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
memory[:] = bytes(i % 251 for i in range(4 * 4096))
mprotect = ctypes.CDLL(None, use_errno=True).mprotect
mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
assert mprotect(address + 4096, 4096, PROT_READ) == 0
assert mprotect(address + 3 * 4096, 4096, PROT_NONE) == 0
print(address, flush=True)
for line in sys.stdin:
    start, length = map(int, line.split())
    print(memory[start:start + length].hex(), flush=True)
`;

const content = (from: number, to: number): Uint8Array =>
  Uint8Array.from({ length: to - from }, (_, index) => (from + index) % 251);

/** The victim, and where its memory is. */
async function victim(t: TestContext): Promise<{ python: Program; pid: number; address: bigint } | undefined> {
  if (!peer(t, 'python3') || !canTrace(t)) return undefined;
  // The version manager's shim would have another pid than the program.
  const python = start(t, 'python3', ['-c', `import os; print(os.getpid(), flush=True)\n${VICTIM}`]);
  const pid = Number(await python.line());
  return { python, pid, address: BigInt(await python.line()) };
}

/** Where a mapping of this process begins. */
function addressOf(name: string): bigint {
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((one) => one.includes(name));
  return BigInt(`0x${line?.split('-')[0]}`);
}

test('the memory of another process is read as it is, and what is written there it sees', async (t) => {
  const found = await victim(t);
  if (found === undefined) return;
  const { python, pid, address } = found;
  assert.deepEqual(mmap.readMemory(pid, address + 10n, 300), content(10, 310));
  assert.deepEqual(mmap.readMemory(pid, Number(address) + 10, 300), content(10, 310), 'the address as a number');
  assert.equal(mmap.writeMemory(pid, address + 5n, Buffer.from('from node')), 9);
  python.say('5 9');
  assert.equal(Buffer.from(await python.line(), 'hex').toString(), 'from node');
  assert.equal(mmap.writeMemory(pid, Number(address), new Uint8Array(Buffer.alloc(8, 'x').buffer, 0, 2)), 2);
});

test('several ranges are read in their order, each as far as it can be', async (t) => {
  const found = await victim(t);
  if (found === undefined) return;
  const { pid, address } = found;
  const end = address + BigInt(3 * PAGE);
  const read = mmap.readMemory(pid, [
    { address: address + 100n, length: 5 },
    { address: end - 3n, length: 10 },
    { address: 8, length: 4 },
    { address, length: 0 },
    { address: Number(address), length: 3 * PAGE },
  ]);
  assert.deepEqual(read, [
    content(100, 105),
    content(3 * PAGE - 3, 3 * PAGE),
    new Uint8Array(0),
    new Uint8Array(0),
    content(0, 3 * PAGE),
  ]);
  assert.deepEqual(mmap.readMemory(pid, []), []);
  assert.deepEqual(mmap.readMemory(pid, [{ address: 8, length: 0 }]), [new Uint8Array(0)]);
  const unmapped = [
    { address: 8, length: 1 },
    { address: end, length: 1 },
    { address, length: 0 },
  ];
  assert.throws(() => mmap.readMemory(pid, unmapped), { code: 'EFAULT', syscall: 'process_vm_readv' });
});

test('what ends in the middle is read and written up to there, and the length says so', async (t) => {
  const found = await victim(t);
  if (found === undefined) return;
  const { python, pid, address } = found;
  const end = 3 * PAGE;
  assert.deepEqual(mmap.readMemory(pid, address + BigInt(end - 100), 1_000_000), content(end - 100, end));
  assert.deepEqual(mmap.readMemory(pid, address, 4 * PAGE), content(0, end));
  assert.equal(mmap.writeMemory(pid, address + BigInt(PAGE - 4), Buffer.alloc(PAGE, 'z')), 4, 'read-only behind that');
  python.say(`${PAGE - 5} 6`);
  const [before, ...written] = Buffer.from(await python.line(), 'hex');
  const behind = written.pop();
  assert.deepEqual([before, behind], [(PAGE - 5) % 251, PAGE % 251]);
  assert.equal(Buffer.from(written).toString(), 'zzzz');
});

test('where nothing is mapped, or may not be read or written, it is EFAULT, and the hint says where to look', async (t) => {
  const found = await victim(t);
  if (found === undefined) return;
  const { pid, address } = found;
  const kernel = 0xffff_8880_0000_0000n;
  for (const bad of [0, 8, address + BigInt(3 * PAGE), kernel, 2n ** 64n - 1n, 2n ** 63n, 2n ** 47n]) {
    assert.throws(() => mmap.readMemory(pid, bad, 1), {
      name: 'IpcError',
      code: 'EFAULT',
      errno: -14,
      syscall: 'process_vm_readv',
      object: `pid ${pid}`,
      hint: /maps tells what is/,
    });
  }
  for (const bad of [0, kernel, address + BigInt(PAGE), address + BigInt(3 * PAGE)]) {
    assert.throws(() => mmap.writeMemory(pid, bad, new Uint8Array(1)), {
      code: 'EFAULT',
      syscall: 'process_vm_writev',
      hint: /may be written/,
    });
  }
});

test('a length of 0 is nothing, and looks at nothing', async (t) => {
  const found = await victim(t);
  if (found === undefined) return;
  const { pid, address } = found;
  assert.deepEqual(mmap.readMemory(pid, address, 0), new Uint8Array(0));
  assert.deepEqual(mmap.readMemory(pid, 0, 0), new Uint8Array(0));
  assert.equal(mmap.writeMemory(pid, 2n ** 64n, new Uint8Array(0)), 0);
});

test('this process reaches its own memory, too', () => {
  const name = `own-${process.pid}`;
  using memory = shm.memfd({ size: 3 * PAGE, name });
  using mapping = memory.map();
  mapping.bytes.set(content(0, 3 * PAGE));
  const address = addressOf(`memfd:${name}`);
  assert.deepEqual(mmap.readMemory(process.pid, address + 7n, PAGE), content(7, 7 + PAGE));
  assert.equal(mmap.writeMemory(process.pid, address, Buffer.from('mine')), 4);
  assert.equal(Buffer.from(mapping.bytes.subarray(0, 4)).toString(), 'mine');
});

test('4 MiB come whole', () => {
  const name = `large-${process.pid}`;
  const size = 4 << 20;
  using memory = shm.memfd({ size, name });
  using mapping = memory.map();
  mapping.bytes.set(content(0, size));
  assert.deepEqual(mmap.readMemory(process.pid, addressOf(`memfd:${name}`), size), content(0, size));
});

test('a process that has ended is ESRCH, as zombie and when it is gone', async (t) => {
  const found = await victim(t);
  if (found === undefined) return;
  const { python, pid, address } = found;
  // It becomes the child of one that does not wait for it: a zombie until that ends.
  const parent = start(t, 'sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000']);
  const zombie = Number(await parent.line());
  process.kill(zombie, 'SIGKILL');
  const gone = { code: 'ESRCH', errno: -3, hint: /no process has this pid, or it has ended/ };
  await until('it is a zombie', () => / Z /.test(readFileSync(`/proc/${zombie}/stat`, 'utf8')));
  assert.throws(() => mmap.readMemory(zombie, address, 1), { ...gone, object: `pid ${zombie}` });
  process.kill(pid, 'SIGKILL');
  await python.ended;
  await until('it is gone', () => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
  assert.throws(() => mmap.readMemory(pid, address, 1), { ...gone, syscall: 'process_vm_readv' });
  assert.throws(() => mmap.writeMemory(pid, address, new Uint8Array(1)), { ...gone, syscall: 'process_vm_writev' });
  assert.throws(() => mmap.readMemory(pid, [{ address, length: 1 }]), gone);
});

test('a process of another user is EPERM, and the hint says what it would take', async (t) => {
  const outcomes = await attempt(t, { asNobody: true }, [
    ['mmap.readMemory', process.pid, 4096, 1],
    ['mmap.writeMemory', process.pid, 4096, { bytes: 1 }],
    ['mmap.readMemory', process.pid, 4096, 0],
    ['mmap.readMemory', process.pid, [{ address: 4096, length: 1 }]],
  ]);
  if (outcomes === undefined) return;
  assert.deepEqual(
    outcomes.map(({ code, value }) => code ?? value),
    ['EPERM', 'EPERM', '', 'EPERM'],
  );
  for (const index of [0, 1, 3]) assert.match(outcomes[index]?.hint ?? '', /ptrace_scope.*CAP_SYS_PTRACE/);
});

test('root reaches into the process of another user', async (t) => {
  if (!peer(t, 'python3') || !canTrace(t)) return;
  const words = commandElsewhere(t, ['/usr/bin/python3', '-c', VICTIM], { asNobody: true });
  if (words === undefined) return;
  const python = start(t, words[0] as string, words.slice(1));
  const address = BigInt(await python.line());
  assert.deepEqual(mmap.readMemory(python.pid, address, 1000), content(0, 1000));
  assert.equal(mmap.writeMemory(python.pid, address, Buffer.from('root')), 4);
  python.say('0 4');
  assert.equal(Buffer.from(await python.line(), 'hex').toString(), 'root');
});

test('pids, addresses, lengths and data that cannot be meant are refused before any system call', () => {
  const { readMemory, writeMemory } = mmap;
  for (const pid of [0, -1, 1.5, 2 ** 31, Number.NaN]) {
    assert.throws(() => readMemory(pid, 0, 0), { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /pid/ });
    assert.throws(() => writeMemory(pid, 0, new Uint8Array(0)), { code: 'ERR_INTERPROC_RANGE' });
  }
  assert.throws(() => readMemory('1' as never, 0, 0), { name: 'TypeError', message: /pid must be a number/ });
  const pid = process.pid;
  for (const address of [-1, -1n, 2n ** 64n, 2n ** 64n - 1n, 2 ** 53, 0.5, Number.NaN]) {
    const refused = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /address/ };
    assert.throws(() => readMemory(pid, address, 2), refused);
    assert.throws(() => writeMemory(pid, address, new Uint8Array(2)), refused);
    assert.throws(() => readMemory(pid, [{ address, length: 2 }]), refused);
  }
  for (const address of ['0x10', undefined, null, {}] as never[]) {
    assert.throws(() => readMemory(pid, address, 1), { name: 'TypeError', message: /a number or a bigint/ });
  }
  for (const length of [-1, 0.5, 2 ** 31, Infinity]) {
    const refused = { name: 'RangeError', code: 'ERR_INTERPROC_RANGE', message: /length/ };
    assert.throws(() => readMemory(pid, 0, length), refused);
    assert.throws(() => readMemory(pid, [{ address: 0, length }]), refused);
  }
  for (const length of ['1', undefined, 1n] as never[]) {
    assert.throws(() => readMemory(pid, 0, length), { name: 'TypeError', message: /length must be a number/ });
  }
  for (const range of [undefined, null, 5] as never[]) {
    assert.throws(() => readMemory(pid, [range]), { name: 'TypeError', code: 'ERR_INTERPROC_ARGUMENT' });
  }
  assert.throws(() => readMemory(pid, [{ address: 0, size: 1 } as never]), /unknown option 'size'/);
  for (const data of ['x', [1], new ArrayBuffer(1), undefined] as never[]) {
    assert.throws(() => writeMemory(pid, 0, data), { name: 'TypeError', message: /data must be a Uint8Array/ });
  }
});
