/** The command line as a person meets it: typed into an interactive bash, in a terminal of its own. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { openPty, type Pty } from '../../src/proc/index.js';
import { started } from '../proc/support.js';
import { temporaryFolder } from '../support/folder.js';
import { MAIN } from './cli.js';

export const CTRL_C = '\x03';
export const CTRL_Z = '\x1a';
export const CTRL_BACKSLASH = '\x1c';

/** A shell that waits for what is typed. */
export interface ShellInTerminal {
  pty: Pty;
  /** Its pid. */
  shell: number;
  type(text: string): Promise<void>;
  /** Reads on until this is shown: everything up to its end. */
  shows(wanted: string): Promise<string>;
}

/** A shell in a terminal of its own, and what it shows. */
export function shellInTerminal(t: TestContext): ShellInTerminal {
  const pty = openPty({ columns: 200, rows: 50 });
  t.after(() => pty.close());
  const env = { ...process.env, PS1: 'ready> ', INTERPROC: MAIN, NODE: process.execPath, TERM: 'dumb' };
  const child = started(t, 'bash', ['--norc', '--noprofile', '--noediting', '-i'], {
    terminal: pty,
    env,
    cwd: temporaryFolder(t), // for core files
  });
  let seen = '';
  return {
    pty,
    shell: child.pid,
    type: (text) => pty.write(Buffer.from(text)),
    async shows(wanted) {
      while (!seen.includes(wanted)) {
        const chunk = await pty.read({ timeoutMs: 20_000 });
        assert.ok(chunk !== null, `the terminal ended after ${JSON.stringify(seen)}`);
        seen += Buffer.from(chunk).toString();
      }
      const upTo = seen.indexOf(wanted) + wanted.length;
      const shown = seen.slice(0, upTo);
      seen = seen.slice(upTo);
      return shown;
    },
  };
}
