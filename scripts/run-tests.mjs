// Runs the tests that have been compiled.
//
//   node scripts/run-tests.mjs [--stress] [PART OF A FILE NAME…] [--test-name-pattern=… and other options of node]
import { relative } from 'node:path';
import { runTests, testFiles } from './lib/test-run.mjs';
import { root } from './lib/setup.mjs';

const given = process.argv.slice(2);
const stress = given.includes('--stress');
const options = given.filter((word) => word.startsWith('-') && word !== '--stress');
const parts = given.filter((word) => !word.startsWith('-'));

const isStress = (file) => relative(root, file).startsWith('dist/test/stress/');
const files = testFiles('dist/test')
  .filter((file) => isStress(file) === stress)
  .filter((file) => parts.length === 0 || parts.some((part) => relative(root, file).includes(part)));

const filtered = options.some((option) => option.startsWith('--test-name-pattern') || option.startsWith('--test-only'));
process.exitCode = (await runTests({ files, options, everyFileMustTest: !filtered })) ? 0 : 1;
