import { freshDatabase } from '@tollgate/testing/database';
import { expectSuccess } from './run-session.js';
import { newStory } from './story.js';
import type { Ended, Terminal } from './terminal.js';

/** What an example of docs/cli.md may end with; 0 unless it stands here. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  // Nobody watched the first days of that month.
  'usage reconcile': 1,
  // It goes on until Ctrl-C, which `timeout` stands for.
  'usage tail': 124,
};

/** Commands that make what the examples name: an organization is made by the first of them. */
const KEY_FOR_AN_EXAMPLE = 'tollgate key create --org "Acme Ltd" --name example';
const THINGS = /\b(?:0f8fad5b-d9cb-469f-a165-70867728950e|sk_live_4k2m)\b/;

/**
 * Runs one example of docs/cli.md in the gateway's folder. Each has a key of its own, under the names that the page gives
 * it, and finds the files it reads. What changes the schema does so in a database of its own.
 */
export async function runCommandExample(command: string, terminal: Terminal): Promise<void> {
  const subject = command.split(' ').slice(1, 3).join(' ');
  const real = THINGS.test(command) || command.includes('.txt') ? await withKey(command, terminal) : command;
  if (subject === 'key import') await terminal.run('tollgate key export --org "Acme Ltd" > keys.jsonl');
  const run = (env = {}): Promise<Ended> => terminal.run(subject === 'usage tail' ? `timeout 3 ${real}` : real, env);
  expectSuccess(command, await (subject.startsWith('migrate ') ? inOwnDatabase(run) : run()), EXIT_CODES[subject]);
}

async function withKey(command: string, terminal: Terminal): Promise<string> {
  const { printed } = await terminal.run(`${KEY_FOR_AN_EXAMPLE} -o json`);
  const key = JSON.parse(printed.slice(printed.indexOf('{'), printed.lastIndexOf('}') + 1)) as { id: string; key: string };
  await terminal.run(`printf %s ${key.key} > key.txt`);
  const story = newStory();
  story.learn('0f8fad5b-d9cb-469f-a165-70867728950e', key.id);
  story.learn('sk_live_4k2m', key.key.slice(0, 12));
  return story.real(command);
}

async function inOwnDatabase(run: (env: Record<string, string>) => Promise<Ended>): Promise<Ended> {
  const database = await freshDatabase();
  try {
    return await run({ DATABASE_URL: database.url });
  } finally {
    await database.close();
  }
}
