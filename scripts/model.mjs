// Checks the models of the locks (src/lock/model/*.pml) with spin: every state that they can reach. A model's first comment names
// its runs, in which nothing may be found, and its checks: without one of them spin must find an error, or the model shows nothing.
//
//   node scripts/model.mjs [PART OF A RUN'S NAME…]
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './lib/setup.mjs';

const FOLDER = join(root, 'src/lock/model');
const DEPTH = 1_000_000;
const MEGABYTES = 950;
const AT_ONCE = 2;

const run = (folder, command, words) =>
  new Promise((resolve, reject) => {
    execFile(command, words, { cwd: folder, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (typeof error?.code === 'string') reject(error);
      else resolve({ code: error?.code ?? 0, output: stdout + stderr });
    });
  });

/** What the first comment of a model asks for. */
function jobsOf(model) {
  const text = readFileSync(join(FOLDER, model), 'utf8');
  const comment = text.slice(0, text.indexOf('*/'));
  const jobs = [...comment.matchAll(/^ \* run: ([^:\n]+): (.+)$/gm)].map(([, name, flags]) => ({
    model,
    name,
    flags: flags.split(' '),
  }));
  for (const [, check, flags, name] of comment.matchAll(/^ \* without: (\w+): (-[^:]+): (.+)$/gm)) {
    jobs.push({ model, check, name, flags: [...flags.split(' '), `-D${check}`] });
  }
  return jobs;
}

/** The steps that led to the error, each with the label of its line in the model. */
function readable(trail, lines) {
  const steps = [];
  for (const [, proc, file, line, step] of trail.matchAll(
    /^\s*\d+:\s+proc\s+\d+ \((\w+:\d+)\) (\S+\.pml):(\d+) \(state \d+\)\s+\[(.*)\]$/gm,
  )) {
    const label = /\[([a-z][\w-]*)\] *\*\//.exec(lines(file)[line - 1])?.[1];
    steps.push(`  ${proc.padEnd(10)} ${`${file}:${line}`.padEnd(16)} ${label ? `[${label}] ` : ''}${step}`);
  }
  return steps.join('\n');
}

async function check({ model, check: without, name, flags }) {
  const folder = mkdtempSync(join(tmpdir(), 'interproc-model-'));
  try {
    cpSync(FOLDER, folder, { recursive: true });
    const made = await run(folder, 'spin', ['-a', ...flags, model]);
    if (!existsSync(join(folder, 'pan.c')) || made.code !== 0) throw new Error(`${model}: ${made.output}`);
    // A handshake in an escape clause (who is killed) and partial order reduction exclude each other.
    const built = await run(folder, 'cc', [
      '-O2',
      '-w',
      '-DSAFETY',
      '-DNOREDUCE',
      `-DMEMLIM=${MEGABYTES}`,
      '-o',
      'pan',
      'pan.c',
    ]);
    if (built.code !== 0) throw new Error(built.output);
    const begun = performance.now();
    const { output } = await run(folder, './pan', [`-m${DEPTH}`]);
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const figure = (pattern) => pattern.exec(output)?.[1];
    const errors = Number(figure(/errors: (\d+)/) ?? Number.NaN);
    const complete = !/Search not completed|max search depth too small|out of memory/.test(output) || errors > 0;
    const found = /^pan:\d+: (.*?) \(at depth/m.exec(output)?.[1]?.slice(0, 100);
    const good = complete && (without === undefined ? errors === 0 : errors > 0);
    const what = errors > 0 ? `found: ${found}` : `${complete ? 'no errors' : 'NOT COMPLETE'}`;
    const figures = `${figure(/(\d+) states, stored/)} states, depth ${figure(/depth reached (\d+)/)}, ${seconds} s, ${Math.round(Number(figure(/([\d.]+)\s+total actual memory/)))} MB`;
    console.log(
      `${good ? 'ok   ' : 'WRONG'} ${model} ${without ?? ''}${without ? ': ' : ''}${name}\n      ${what}; ${figures}`,
    );
    if (!good && errors > 0) {
      const { output: trail } = await run(folder, 'spin', ['-t', '-p', ...flags, model]);
      console.log(readable(trail, (file) => readFileSync(join(folder, file), 'utf8').split('\n')));
    }
    return good;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const parts = process.argv.slice(2);
const jobs = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.pml'))
  .flatMap(jobsOf)
  .filter(
    (job) => parts.length === 0 || parts.some((part) => `${job.model} ${job.check ?? ''} ${job.name}`.includes(part)),
  );
if (jobs.length === 0) throw new Error('no run has such a name');
const waiting = [...jobs];
let good = true;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let job = waiting.shift(); job !== undefined && good; job = waiting.shift()) good = (await check(job)) && good;
  }),
);
if (!good) process.exitCode = 1;
