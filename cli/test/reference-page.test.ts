import { expect, test } from 'vitest';
import { COMMANDS } from '../src/commands/all.js';
import { referencePage } from './reference-page.js';

test('docs/cli.md names every command with its example and its flags', async () => {
  await expect(referencePage()).toMatchFileSnapshot('../../docs/cli.md');
});

test('every example is of its own command', () => {
  for (const { noun, verb, example } of COMMANDS) expect(`${example} `).toContain(`tollgate ${noun} ${verb}`.trim());
});
