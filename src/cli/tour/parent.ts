/**
 * A parent of the tour: `parent.js URL BACK JOB`, with the pipes' ends as descriptors 3 to 6. It starts the receiver as its child,
 * which gets 5 and 6 and reports through the same standard output, and is the sender itself.
 */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { say } from './program.js';

const CHILDS = [5, 6] as const;

const child = spawn(process.execPath, [fileURLToPath(new URL('./receiver.js', import.meta.url)), 'fd:3', 'fd:4'], {
  stdio: ['inherit', 'inherit', 'inherit', ...CHILDS],
});
for (const fd of CHILDS) closeSync(fd); // else the child's death would not be seen
child.once('error', (why) => {
  say({ ofChild: `the receiver could not be started: ${why.message}` });
  process.exit(1);
});
child.once('exit', (code, killedBy) => {
  if (code === 0) return;
  if (killedBy !== null) say({ ofChild: `the receiver was killed by ${killedBy}` });
  process.exit(1);
});
void import('./sender.js');
