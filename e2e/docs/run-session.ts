import { until } from '@tollgate/testing/until';
import { expect } from 'vitest';
import type { Story } from './story.js';
import type { Ended, Terminal } from './terminal.js';

/** What a page shows of usage has to be stored first. */
const STORED_WITHIN_MS = 20_000;
const LOOKS_AT_USAGE = /^npx tollgate usage /;

interface Step {
  command: string;
  /** Empty where the page shows nothing: then only the exit code counts. */
  shown: string;
}

/** Runs the commands of a block that a page shows as a terminal, and holds what they print to what it shows. */
export async function runSession(text: string, terminal: Terminal, story: Story): Promise<void> {
  for (const { command, shown } of stepsOf(text)) await runStep(command, shown, terminal, story);
}

async function runStep(command: string, shown: string, terminal: Terminal, story: Story): Promise<void> {
  let last: Ended = await terminal.run(story.real(command));
  if (shown === '') return expectSuccess(command, last);
  let difference = story.compare(shown, last.printed);
  if (difference !== undefined && LOOKS_AT_USAGE.test(command)) {
    await until(
      async () => {
        last = await terminal.run(story.real(command));
        difference = story.compare(shown, last.printed);
        return difference === undefined;
      },
      STORED_WITHIN_MS,
      command,
    ).catch(() => undefined);
  }
  expect(difference?.printed, `what "${command}" prints (exit code ${last.code})`).toBe(difference?.shown);
}

export function expectSuccess(command: string, { code, printed }: Ended, wanted = 0): void {
  expect({ code, printed }, command).toEqual({ code: wanted, printed });
}

function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  for (const line of text.split('\n')) {
    const step = steps.at(-1);
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), shown: '' });
    else if (step === undefined) throw new Error(`output without a command: ${line}`);
    else if (step.shown === '' && step.command.endsWith('\\')) step.command += `\n${line}`;
    else step.shown += step.shown === '' ? line : `\n${line}`;
  }
  return steps;
}
