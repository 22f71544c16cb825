#!/usr/bin/env node
// Builds what is not up to date: the addon (native/*.c) and the TypeScript (src, test, bench, examples).
import { dirname } from 'node:path';
import { exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { addonIsCurrent, buildAddon } from './build-addon.mjs';
import { buildTypescript, typescriptIsCurrent } from './lib/typescript.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const addon = addonIsCurrent() || buildAddon();
const typescript = typescriptIsCurrent(root) || buildTypescript(root);
exit(addon && typescript ? 0 : 1);
