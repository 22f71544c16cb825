#!/usr/bin/env node
// `node scripts/with-setup.mjs FILE ARGUMENT…` sets up what is missing and then runs that file of the checkout.
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { prepared } from './lib/prepared.mjs';

prepared(async () => {
  const file = resolve(fileURLToPath(new URL('..', import.meta.url)), process.argv[2]);
  process.argv.splice(1, 2, file);
  await import(pathToFileURL(file).href);
});
