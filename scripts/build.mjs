#!/usr/bin/env node
// Installs and builds what is not up to date, and runs nothing.
import { prepared } from './lib/prepared.mjs';

prepared(() => {});
