// What a test run must not leave behind: processes, named objects of the kernel, files in the temporary folder.
//
// Objects are compared before and after. Another program may make objects of its own meanwhile: what is new and in use
// by a process that does not belong to the run is taken to be that program's, and so is what soon goes away by itself.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MARK = 'INTERPROC_TEST_RUN';
const LAST_BREATH_MS = 10_000;

function readOr(fallback, read) {
  try {
    return read();
  } catch {
    return fallback;
  }
}

const names = (dir) => readOr([], () => readdirSync(dir));

/** Lines of /proc/sysvipc/msg, sem or shm, each `key id perms …`, in their fields. */
function systemVFields(kind) {
  const lines = readOr('', () => readFileSync(`/proc/sysvipc/${kind}`, 'utf8')).trim();
  return lines
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

/** The objects as "System V kind id (key)". */
function systemV(kind) {
  return systemVFields(kind).map(([key, id]) => `System V ${kind} ${id} (key ${key})`);
}

/**
 * The POSIX queues, as "POSIX queue /name". Where their file system is not mounted, root sees it through a mount that
 * ends with the command, and others do not see it.
 */
function queues() {
  let found = names('/dev/mqueue');
  if (found.length === 0 && process.getuid() === 0) {
    const look = 'mount -t mqueue none /proc/sys/fs/mqueue && ls -A /proc/sys/fs/mqueue';
    const run = spawnSync('unshare', ['--mount', 'sh', '-c', look], { encoding: 'utf8' });
    if (run.status === 0) found = run.stdout.split('\n').filter(Boolean);
  }
  return found.map((name) => `POSIX queue /${name}`);
}

function objects() {
  return new Set([
    ...names('/dev/shm').map((name) => `/dev/shm/${name}`),
    ...queues(),
    ...['msg', 'sem', 'shm'].flatMap(systemV),
  ]);
}

function processes() {
  return names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function heldByOthers(isOurs) {
  const held = new Set();
  for (const pid of processes()) {
    if (isOurs(pid)) continue;
    for (const fd of names(`/proc/${pid}/fd`)) {
      const target = readOr('', () => readlinkSync(`/proc/${pid}/fd/${fd}`));
      held.add(target).add(`POSIX queue ${target}`);
    }
    for (const line of readOr('', () => readFileSync(`/proc/${pid}/maps`, 'utf8')).split('\n')) {
      const [, , , , inode, path] = line.split(/\s+/, 6);
      if (path?.startsWith('/dev/shm/')) held.add(path);
      if (path?.startsWith('/SYSV')) held.add(`System V shm ${inode} (key ${Number.parseInt(path.slice(5), 16) | 0})`);
    }
  }
  // A queue is no descriptor: who sent or received last, and lives, is taken to use it.
  for (const [key, id, , , , sender, receiver] of systemVFields('msg')) {
    const users = [sender, receiver].map(Number).filter((pid) => pid > 0 && existsSync(`/proc/${pid}`));
    if (users.some((pid) => !isOurs(pid))) held.add(`System V msg ${id} (key ${key})`);
  }
  return held;
}

/**
 * Starts watching.
 * @returns {{ env: Record<string, string>, finish(): Promise<string[]> }} the variables that the run needs in its
 *   environment, and the end of the watch: what was left behind, one line each; the temporary folder is removed then
 */
export function watchForLeftovers() {
  const mark = `${MARK}=${randomUUID()}`;
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'interproc-tests-')));
  chmodSync(folder, 0o1777);
  const before = objects();

  const isOurs = (pid) =>
    readOr('', () => readFileSync(`/proc/${pid}/environ`, 'utf8'))
      .split('\0')
      .includes(mark);
  const living = () => processes().filter(isOurs);

  function leftNow() {
    const left = living().map((pid) => {
      const command = readOr('', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      return `process ${pid}: ${command.replaceAll('\0', ' ').trim()}`;
    });
    const added = [...objects()].filter((name) => !before.has(name));
    if (added.length > 0) {
      const held = heldByOthers(isOurs);
      left.push(...added.filter((name) => !held.has(name)));
    }
    // node-compile-cache is npm's own, which it keeps in the temporary folder for ever.
    const files = names(folder).filter((name) => name !== 'node-compile-cache');
    left.push(...files.map((name) => `temporary file ${name}`));
    return left;
  }

  async function finish() {
    const end = Date.now() + LAST_BREATH_MS;
    let left = leftNow();
    while (left.length > 0 && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      // What comes and goes, as long as another program works, is that one's.
      const still = new Set(leftNow());
      left = left.filter((name) => still.has(name));
    }
    rmSync(folder, { recursive: true, force: true });
    return left;
  }

  return { env: { [MARK]: mark.slice(MARK.length + 1), TMPDIR: folder }, finish };
}
