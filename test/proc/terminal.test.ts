import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { create } from '../../src/pipe/index.js';
import { type ExitStatus, foreground, openPty, type Pty, session, setForeground } from '../../src/proc/index.js';
import { countDescriptors, openDescriptors, openPoller } from '../support/descriptors.js';
import { temporaryFolder } from '../support/folder.js';
import { until } from '../support/proc.js';
import { start } from '../support/program.js';
import { dumps, sleeper, started } from './support.js';

const CTRL_C = Buffer.of(3);
const CTRL_D = Buffer.of(4);
const CTRL_Z = Buffer.of(26);
const CTRL_BACKSLASH = Buffer.of(28);
const code = (wanted: string) => (why: NodeJS.ErrnoException) => why.code === wanted;

/** Reads what a terminal shows until it contains this. */
async function shows(pty: Pty, wanted: string): Promise<string> {
  let seen = '';
  while (!seen.includes(wanted)) {
    const chunk = await pty.read();
    assert.ok(chunk !== null, `the terminal ended after ${JSON.stringify(seen)}`);
    seen += Buffer.from(chunk).toString();
  }
  return seen;
}

interface Told extends ExitStatus {
  job: number;
  pid?: number;
  inForeground?: boolean;
  shellInForeground?: boolean;
}

/** A program that runs jobs as a shell does (test/fixtures/proc-jobs.ts), in a terminal of its own. */
function shell(t: TestContext): { pty: Pty; tell(command: object): void; heard(): Promise<Told> } {
  const pty = openPty();
  const [commands, reports] = [create(), create()];
  const folder = temporaryFolder(t);
  const file = fileURLToPath(new URL('../fixtures/proc-jobs.js', import.meta.url));
  t.after(() => {
    commands.writer.close();
    pty.close(); // hangs up
  });
  started(t, process.execPath, [file], {
    terminal: pty,
    cwd: folder, // for core files
    fds: { 3: commands.reader, 4: reports.writer },
  });
  commands.reader.close();
  reports.writer.close();
  const lines = createInterface({ input: reports.reader.toReadable() })[Symbol.asyncIterator]();
  return {
    pty,
    tell: (command) => commands.writer.writeSync(Buffer.from(`${JSON.stringify(command)}\n`)),
    async heard() {
      const { value, done } = await lines.next();
      if (done !== true) return JSON.parse(value) as Told;
      throw new Error(`the shell ended: ${Buffer.from(pty.tryRead() ?? []).toString()}`);
    },
  };
}

/** The end of a job that was continued a moment before: the kernel may forget to tell that, since it remembers the last change only. */
async function endOf(heard: () => Promise<Told>): Promise<Told> {
  const told = await heard();
  return told.state === 'continued' ? await heard() : told;
}

const FOREVER = 'ulimit -c "$(ulimit -Hc)"; echo up; exec sleep 1000';

test('Ctrl+C ends the foreground job, and a background job does not see it', async (t) => {
  const { pty, tell, heard } = shell(t);
  tell({ do: 'background', script: FOREVER });
  const background = await heard();
  assert.equal(background.inForeground, false);
  tell({ do: 'foreground', script: FOREVER });
  const job = await heard();
  assert.equal(job.inForeground, true);
  assert.equal(foreground(pty), job.pid);
  await pty.write(CTRL_C);
  const end = await heard();
  assert.equal(end.job, job.job);
  assert.equal(end.description, 'killed by SIGINT (interrupt, Ctrl+C)');
  assert.equal(end.shellInForeground, true);
  // Had the background job got SIGINT, that would have ended it first.
  tell({ do: 'kill', job: background.job });
  assert.equal((await heard()).description, 'killed by SIGTERM (terminated)');
});

test('Ctrl+\\ ends the foreground job with a core dump', async (t) => {
  const { pty, tell, heard } = shell(t);
  tell({ do: 'foreground', script: FOREVER });
  await heard();
  await shows(pty, 'up');
  await pty.write(CTRL_BACKSLASH);
  const end = await heard();
  assert.equal(end.signal, 'SIGQUIT');
  assert.equal(end.signalNumber, 3);
  if (dumps()) assert.equal(end.description, 'killed by SIGQUIT (quit, Ctrl+\\), core dumped');
  else t.diagnostic('no core file is written here, so the flag is not compared');
});

test('Ctrl+Z stops the foreground job, which goes on when it is continued', async (t) => {
  const { pty, tell, heard } = shell(t);
  tell({ do: 'foreground', script: 'echo up; exec cat' });
  const { job } = await heard();
  // A stop that comes while sh starts cat by vfork(2) would stop cat alone, and sh would wait for it in the kernel.
  await shows(pty, 'up');
  await pty.write(CTRL_Z);
  const stop = await heard();
  assert.equal(stop.description, 'stopped by SIGTSTP (stop from the terminal, Ctrl+Z)');
  assert.equal(stop.stopped, true);
  assert.equal(stop.shellInForeground, true);
  tell({ do: 'continue', job });
  assert.equal((await heard()).description, 'continued');
  await pty.write(Buffer.from('again\n'));
  await shows(pty, 'again\r\nagain\r\n');
  await pty.write(CTRL_D);
  assert.equal((await heard()).description, 'exited with code 0');
});

test('a background job that reads the terminal is stopped by SIGTTIN, and reads when it is continued in the foreground', async (t) => {
  const { pty, tell, heard } = shell(t);
  tell({ do: 'background', script: 'read line; echo got "$line"' });
  const { job } = await heard();
  assert.equal((await heard()).description, 'stopped by SIGTTIN (read from the terminal in the background)');
  tell({ do: 'continue', job });
  assert.equal((await heard()).state, 'continued');
  await pty.write(Buffer.from('it\n'));
  await shows(pty, 'got it');
  assert.equal((await heard()).description, 'exited with code 0');
});

test('a background job that changes the terminal, or writes to it where that is forbidden, is stopped by SIGTTOU', async (t) => {
  const { tell, heard } = shell(t);
  tell({ do: 'background', script: 'stty tostop' });
  const { job } = await heard();
  assert.equal((await heard()).description, 'stopped by SIGTTOU (wrote to the terminal in the background)');
  tell({ do: 'continue', job });
  assert.equal((await endOf(heard)).description, 'exited with code 0');
  tell({ do: 'background', script: 'echo something' });
  const writer = await heard();
  assert.equal((await heard()).signal, 'SIGTTOU');
  tell({ do: 'kill', job: writer.job });
  assert.equal((await endOf(heard)).signal, 'SIGTERM');
});

test('a child with a pseudo-terminal leads its session, and has it on 0, 1 and 2 and nothing else', async (t) => {
  const pty = openPty({ columns: 132, rows: 50 });
  const child = sleeper(t, { terminal: pty });
  assert.equal(session(child.pid), child.pid);
  const wanted = [0, 1, 2].map((fd) => `${fd} ${pty.path}`).join();
  const found = (): string => [...openDescriptors(child.pid)].map(([fd, to]) => `${fd} ${to}`).join();
  await until('it has just those', () => found() === wanted);
  assert.equal(foreground(pty), child.pid);
  pty.close();
  assert.equal((await child.wait()).signal, 'SIGHUP', 'who closes the terminal hangs up');
});

test('a terminal shows what the child writes and ends with it; its size is what was asked for', async (t) => {
  const pty = openPty({ columns: 132, rows: 50 });
  t.after(() => pty.close());
  assert.deepEqual(pty.size, { columns: 132, rows: 50 });
  const child = started(
    t,
    'sh',
    ['-c', 'tty; stty size; trap "stty size; exit 4" WINCH; echo ready; while :; do read x; done'],
    {
      terminal: pty,
    },
  );
  assert.equal(await shows(pty, 'ready\r\n'), `${pty.path}\r\n50 132\r\nready\r\n`);
  pty.resize(100, 40);
  await pty.write(Buffer.from('\n'));
  assert.match(await shows(pty, '40 100'), /40 100/);
  assert.equal((await child.wait()).code, 4);
  const rest: Uint8Array[] = [];
  for await (const chunk of pty) rest.push(chunk);
  assert.equal(await pty.read(), null);
  assert.equal(pty.tryRead(), null);
  assert.equal(pty.readSync(), null);
});

test('a pseudo-terminal and its child leave no descriptor', async (t) => {
  openPoller();
  const before = countDescriptors();
  for (let count = 0; count < 5; count++) {
    using pty = openPty();
    const child = started(t, 'true', [], { terminal: pty });
    await child.wait();
  }
  await until('the descriptors are back', () => countDescriptors() === before);
});

test('who has no terminal is told so, and what is none is refused', async (t) => {
  const file = fileURLToPath(new URL('../fixtures/attempts.js', import.meta.url));
  const calls = [['proc.foreground'], ['proc.setForeground'], ['proc.spawn', 'true', [], { terminal: 'foreground' }]];
  const program = start(t, 'setsid', ['-w', process.execPath, file, JSON.stringify(calls)]);
  for (const outcome of JSON.parse(await program.line()) as { code: string; hint: string }[]) {
    assert.equal(outcome.code, 'ENXIO');
    assert.match(outcome.hint, /openPty/);
  }
  const fd = openSync('/dev/null', 'r');
  t.after(() => closeSync(fd));
  assert.throws(() => foreground(fd), code('ENOTTY'));
  assert.throws(() => setForeground(1, fd), code('ENOTTY'));
  assert.throws(() => setForeground(0), RangeError);
  assert.throws(() => foreground('tty' as never), TypeError);
  assert.throws(() => openPty({ rows: 0 }), RangeError);
  assert.throws(() => openPty({ colums: 80 } as never), /did you mean columns\?/);
});
