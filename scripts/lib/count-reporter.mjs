// A reporter for node's test runner that writes one line for each test that was really run: as JSON its file, its
// name, and why it was skipped if it was.
// A file in which no test is declared is reported by the runner as one passed test with the file's name: not counted.
import { resolve } from 'node:path';

export default async function* countReporter(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite' || !data.file || resolve(data.name) === data.file) continue;
    yield `${JSON.stringify({ file: data.file, name: data.name, skip: data.skip })}\n`;
  }
}
