/**
 * What a program cannot take: signals that the kernel gives to nobody, those that Node or
 * interproc needs, and faults. Each is refused with the reason, and a hint says how to get what is
 * wanted.
 */
import { argumentError, IpcError } from '../core/errors.js';
import { realTimeRange, toName, toNumber } from './names.js';

interface Refusal {
  reason: string;
  hint: string;
}

const NODE_NEEDS: Record<string, Refusal> = {
  SIGCHLD: {
    reason: 'is reserved: without it node:child_process never hears that a child has ended',
    hint: 'the events of child_process, or of a child of interproc/proc, tell of exits, stops and continues',
  },
  SIGPROF: {
    reason: "is reserved: V8's profiler samples with it",
    hint: 'a timer with another signal does the same: signal.timer',
  },
  SIGUSR1: {
    reason: "is reserved: Node's inspector starts when it arrives",
    hint: "SIGUSR2 and the real-time signals are free; process.on('SIGUSR1') takes it from the inspector",
  },
};

const FAULTS: readonly string[] = ['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL'];

function ours(): number[] {
  const { last } = realTimeRange();
  return [last - 1, last - 2];
}

/** Whether Node or interproc needs this signal. */
export function isReserved(number: number): boolean {
  return ours().includes(number) || toName(number) in NODE_NEEDS;
}

function refusalOf(name: string, number: number): Refusal | undefined {
  const needed = NODE_NEEDS[name];
  if (needed !== undefined) return needed;
  const taken = ours();
  if (taken.includes(number)) {
    return {
      reason: `is reserved: interproc uses ${taken.map(toName).join(' and ')} for itself`,
      hint: 'the other real-time signals are free: SIGRTMIN to SIGRTMAX-3, and SIGRTMAX',
    };
  }
  if (!FAULTS.includes(name)) return undefined;
  return {
    reason: 'is a fault: the instruction that caused it would be made again, before any JavaScript could run',
    hint: 'the parent can observe it: how a child ended names the signal that killed it',
  };
}

/**
 * Throws for a signal that this process cannot take.
 *
 * @param syscall what the kernel would refuse, for SIGKILL and SIGSTOP
 * @throws IpcError EINVAL for SIGKILL and SIGSTOP, TypeError with a hint for the others
 */
export function checkTakeable(number: number, syscall: string): void {
  const name = toName(number);
  if (number === toNumber('SIGKILL') || number === toNumber('SIGSTOP')) {
    throw new IpcError({
      code: 'EINVAL',
      syscall,
      object: name,
      hint: 'the kernel lets nobody handle, ignore or block SIGKILL and SIGSTOP; SIGTERM and SIGTSTP ask for the same and can be',
    });
  }
  const refusal = refusalOf(name, number);
  if (refusal !== undefined) throw Object.assign(argumentError(`${name} ${refusal.reason}`), { hint: refusal.hint });
}
