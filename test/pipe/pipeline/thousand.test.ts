import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PipelineResult, pipeline } from '../../../src/pipe/index.js';
import { children } from '../../../src/proc/index.js';
import { countDescriptors, openPoller } from '../../support/descriptors.js';
import { until } from '../../support/proc.js';
import { ends, members, zombies } from './support.js';

const ROUNDS = 1000;

/** What can become of a pipeline; each is tried in turn. */
const KINDS: readonly ((round: number) => Promise<void>)[] = [
  async (round) => {
    const { ok, output } = await pipeline(`seq ${round} | cat | cat | wc -l`, { output: 'buffer' }).wait();
    assert.equal(ok, true);
    assert.equal(
      Buffer.from(output as Uint8Array)
        .toString()
        .trim(),
      String(round),
    );
  },
  async () => {
    const result = await pipeline('yes | cat | head -n 1 | true', { output: 'null' }).wait();
    assert.equal(result.stages.at(-1)?.code, 0);
    assert.equal(result.stages[0]?.signal, 'SIGPIPE');
  },
  async () => {
    assert.deepEqual(ends(await pipeline("true | false | sh -c 'exit 7' | true").wait()), [0, 1, 7, 0]);
  },
  async () => {
    assert.throws(() => pipeline('yes | cat | ./no-such-program | cat'), { code: 'ENOENT' });
  },
  async (round) => {
    const stop = new AbortController();
    const running = pipeline('yes | cat | cat | cat', { output: 'null', signal: stop.signal, taps: round % 2 === 0 });
    setImmediate(() => stop.abort());
    const why = (await running.wait().catch((error: unknown) => error)) as { name: string; result: PipelineResult };
    assert.equal(why.name, 'AbortError');
    assert.equal(why.result.stages.length, 4);
    assert.deepEqual(members(running.group), []);
  },
];

test('1,000 pipelines of four stages, some failing, some aborted, leave no zombie and no descriptor', async () => {
  openPoller();
  const before = countDescriptors();
  for (let round = 0; round < ROUNDS; round++) await KINDS[round % KINDS.length]!(round);
  await until('the last have been waited for', () => children().length === 0 && countDescriptors() === before);
  assert.deepEqual(zombies(), []);
});
