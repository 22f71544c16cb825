/** Who is in a process group. */
import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process is in the group that has not ended, and is none of these (proc_pid_stat(5)). */
export function hasOthers(group: number, known: readonly { readonly pid: number }[]): boolean {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || known.some(({ pid }) => pid === Number(name))) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, 'latin1');
    } catch {
      continue; // it has ended meanwhile
    }
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(pgrp) === group && state !== 'Z') return true;
  }
  return false;
}
