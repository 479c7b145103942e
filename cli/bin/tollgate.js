#!/usr/bin/env node
import { runBuilt } from '../../scripts/run-built.mjs';

// Builds first where sources have changed since the last time.
await runBuilt('cli', process.argv.slice(2));
