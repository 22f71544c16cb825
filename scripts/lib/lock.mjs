// One set-up at a time in a checkout, whatever happens to the one that holds the lock.
//
// The lock is a folder of numbered tickets. The highest ticket rules: if its holder lives and has not released it,
// everybody waits; otherwise whoever links the next number first is the holder. A ticket is written completely under
// a name of its own and then linked, so a ticket that can be seen can be read. The highest ticket is never removed,
// only replaced by "released"; therefore a number never comes back while somebody still believes in it, and taking
// over from a dead holder needs no lock of its own. Whoever got a number checks that it is still the highest: a slow
// process may link a number whose successors have been there and have tidied up.
//
// What a dead holder had started counts as the holder: an orphaned npm still writes into the folder.
//
// A holder is a pid with its start time, since pids are used again, in a boot and a pid namespace, since a container
// that shares the folder has pids of its own; the life of such a stranger cannot be seen, so its ticket expires.
import {
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const STRANGER_EXPIRES_MS = 15 * 60_000;
const LOOK_AGAIN_MS = 50;

/** In the environment of what a holder starts: names the holder. */
const HELPER_MARK = 'INTERPROC_SETUP_HOLDER';

function readOr(fallback, read) {
  try {
    return read();
  } catch {
    return fallback;
  }
}

/** The start time of a process in clock ticks since boot, or undefined when it is gone or a zombie. */
export function startTime(pid) {
  const stat = readOr('', () => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The second field, the command, may itself contain blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat === '' || 'ZX'.includes(fields[0]) ? undefined : fields[19];
}

function whoAmI() {
  return {
    pid: process.pid,
    start: startTime(process.pid) ?? null,
    boot: readOr(null, () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: readOr(null, () => readlinkSync('/proc/self/ns/pid')),
  };
}

function isHeld(file, me) {
  const holder = readOr(undefined, () => JSON.parse(readFileSync(file, 'utf8')));
  if (!holder?.pid || holder.boot !== me.boot) return false;
  if (holder.namespace !== me.namespace) {
    return Date.now() - readOr(0, () => statSync(file).mtimeMs) < STRANGER_EXPIRES_MS;
  }
  return startTime(holder.pid) === holder.start || aHelperLives(holder);
}

const mark = (holder) => `${HELPER_MARK}=${holder.pid}.${holder.start}`;

/** What a dead holder had started may live on: an npm that still writes, for example. Its environment tells. */
function aHelperLives(holder) {
  return readdirSync('/proc').some(
    (pid) =>
      /^\d+$/.test(pid) &&
      readOr('', () => readFileSync(`/proc/${pid}/environ`, 'utf8'))
        .split('\0')
        .includes(mark(holder)),
  );
}

function tickets(dir) {
  return readdirSync(dir)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => b - a);
}

/** Takes the lock if nobody has it. @returns {(() => void) | undefined} what releases it */
function tryLock(dir, me) {
  const highest = tickets(dir)[0] ?? 0;
  if (highest > 0 && isHeld(join(dir, String(highest)), me)) return undefined;

  const mine = join(dir, String(highest + 1));
  const draft = join(dir, `draft-${me.pid}-${me.start}`);
  writeFileSync(draft, JSON.stringify(me));
  try {
    linkSync(draft, mine);
  } catch (error) {
    if (error.code === 'EEXIST') return undefined;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const [now, ...older] = tickets(dir);
  if (now !== highest + 1) {
    rmSync(mine, { force: true });
    return undefined;
  }
  for (const ticket of older) rmSync(join(dir, String(ticket)), { force: true });

  process.env[HELPER_MARK] = mark(me).slice(HELPER_MARK.length + 1);
  return () => {
    delete process.env[HELPER_MARK];
    writeFileSync(draft, 'released');
    renameSync(draft, mine);
  };
}

/**
 * Waits for the lock.
 * @param {string} dir the folder of tickets; made if it is not there
 * @param {() => void} onWait called once if somebody else has it
 * @returns {Promise<() => void>} what releases it; the end of the process does too
 */
export async function lock(dir, onWait = () => {}) {
  mkdirSync(dir, { recursive: true });
  const me = whoAmI();
  for (let tries = 0; ; tries++) {
    const release = tryLock(dir, me);
    if (release) return release;
    if (tries === 0) onWait();
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
