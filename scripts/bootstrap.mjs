#!/usr/bin/env node
// The command line of a checkout: `node scripts/bootstrap.mjs VERB …` sets up what is missing and runs it.
import { prepared } from './lib/prepared.mjs';

prepared(async () => {
  const { main } = await import('../dist/bundle/cli/main.js');
  process.exitCode = await main(process.argv.slice(2));
}, 'the command line');
