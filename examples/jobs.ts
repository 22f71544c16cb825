/**
 * Jobs for any number of workers, urgent ones first, in a queue that outlives all of them.
 *
 *   node dist/examples/jobs.js add 0 'water the plants'
 *   node dist/examples/jobs.js add 9 'put out the fire'
 *   node dist/examples/jobs.js work           in as many shells as you like; ends when there is nothing left
 *   node dist/examples/jobs.js forget
 */
import { mq } from 'interproc';

const NAME = '/interproc-jobs';

function add(priority: number, job: string): void {
  using jobs = mq.openOrCreate(NAME, { maxMessages: 10, messageSize: 1024, access: 'send' });
  if (!jobs.trySend(Buffer.from(job), { priority })) throw new Error('there is too much to do already');
}

function work(): void {
  using jobs = mq.open(NAME, { access: 'receive' });
  for (let job = jobs.tryReceive(); job !== undefined; job = jobs.tryReceive()) {
    console.log(`${Buffer.from(job.data)} (priority ${job.priority})`);
  }
}

const [what, priority, job] = process.argv.slice(2);
if (what === 'add' && job !== undefined) add(Number(priority), job);
else if (what === 'work') work();
else if (what === 'forget') mq.unlink(NAME);
else {
  console.error('usage: jobs.js add PRIORITY JOB | work | forget');
  process.exitCode = 2;
}
