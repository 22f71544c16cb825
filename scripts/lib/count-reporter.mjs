// A reporter for node's test runner that writes one line for each test that was really run: as JSON its file, its
// name, why it was skipped if it was, and what went wrong if it failed.
// A file in which no test is declared is reported by the runner as one passed test with the file's name: not counted.
import { resolve } from 'node:path';
import { inspect } from 'node:util';

export default async function* countReporter(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite' || !data.file) continue;
    if (type === 'test:pass' && resolve(data.name) === data.file) continue;
    const failed = type === 'test:fail' ? whatFailed(data.details?.error) : undefined;
    yield `${JSON.stringify({ file: data.file, name: data.name, skip: data.skip, failed })}\n`;
  }
}

/** The runner wraps what the test threw. */
function whatFailed(error) {
  return inspect(error?.cause ?? error, { depth: 4, maxStringLength: 2000 });
}
