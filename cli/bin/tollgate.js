#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { build, HELP } from '../../scripts/build.mjs';
import { runBuilt } from '../../scripts/run-built.mjs';

/** Of the help that is made with each build; a narrower terminal gets lines of its own. */
const HELP_COLUMNS = 120;

const words = process.argv.slice(2);
const help = asksForHelp() ? await helpAtHand() : undefined;
// Builds first where sources have changed since the last time.
if (help === undefined) await runBuilt('cli', words);
else process.stdout.write(help);

function asksForHelp() {
  const isWide = (process.stdout.columns ?? HELP_COLUMNS) >= HELP_COLUMNS;
  return isWide && words.length === 1 && ['--help', '-h'].includes(words[0] ?? '');
}

async function helpAtHand() {
  await build();
  return readFile(HELP, 'utf8').catch(() => undefined);
}
