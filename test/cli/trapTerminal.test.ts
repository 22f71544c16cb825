import { test } from 'node:test';
import { children } from '../../src/proc/index.js';
import { stateOf, until } from '../support/proc.js';
import { peer } from '../support/skips.js';
import { CTRL_C, CTRL_Z, shellInTerminal } from './shell.js';

/** Says that it is up, lives through SIGINT, and ends with 7 when a line is typed. */
const COMMAND = `sh -c 'trap "echo command saw it" INT; echo is up; until read line; do :; done; exit 7'`;

test('in a terminal Ctrl+C reaches COMMAND, the action is done, and the exit status is that of COMMAND', async (t) => {
  if (!peer(t, 'bash')) return;
  const shell = shellInTerminal(t);
  await shell.shows('ready> ');
  await shell.type(`"$NODE" "$INTERPROC" trap 'echo action for $INTERPROC_SIGNAL' INT -- ${COMMAND}\n`);
  await shell.shows('\r\nis up');
  await shell.type(CTRL_C);
  const both = [await shell.shows('action for SIGINT')];
  if (!both.join().includes('command saw it')) both.push(await shell.shows('command saw it'));
  await shell.type('over\n');
  await shell.shows('ready> ');
  await shell.type('echo "status $?"\n');
  await shell.shows('status 7');
});

test('in a terminal Ctrl+C that is not trapped ends COMMAND, and the status is 130', async (t) => {
  if (!peer(t, 'bash')) return;
  const shell = shellInTerminal(t);
  await shell.shows('ready> ');
  await shell.type(`"$NODE" "$INTERPROC" trap 'echo no' HUP -- sh -c 'echo is up; exec sleep 1000'\n`);
  await shell.shows('\r\nis up');
  await shell.type(CTRL_C);
  await shell.shows('ready> ');
  await shell.type('echo "status $?"\n');
  await shell.shows('status 130');
});

test('in a terminal an ignored Ctrl+C changes nothing; Ctrl+Z stops both, and fg lets both go on', async (t) => {
  if (!peer(t, 'bash')) return;
  const shell = shellInTerminal(t);
  await shell.shows('ready> ');
  await shell.type(`"$NODE" "$INTERPROC" trap '' INT -- sh -c 'echo is up; exec cat'\n`);
  await shell.shows('\r\nis up');
  await shell.type(CTRL_C);
  await shell.type('still here\n');
  await shell.shows('still here\r\nstill here');
  const [cli = 0] = children(shell.shell);
  const [command = 0] = children(cli);
  await shell.type(CTRL_Z);
  await shell.shows('Stopped');
  await shell.shows('ready> ');
  for (const pid of [cli, command]) await until('it has stopped', () => stateOf(pid) === 'T');
  await shell.type('fg\n');
  await until('both go on', () => stateOf(cli) === 'S' && stateOf(command) === 'S');
  await shell.type('again\n');
  await shell.shows('again\r\nagain');
  await shell.type('\x04');
  await shell.shows('ready> ');
  await shell.type('echo "status $?"\n');
  await shell.shows('status 0');
});
