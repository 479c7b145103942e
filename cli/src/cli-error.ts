/** What a process tells its caller; see docs/cli.md. */
export const EXIT = { done: 0, failed: 1, wrongUse: 2, notFound: 3, conflict: 5, unavailable: 69, badSettings: 78 } as const;

/** A failure with a code for scripts, words for people, and the next step in them. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    readonly code: string,
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** The command was found wanting, and its output says why: only the exit code is left to tell. */
export class Unhappy extends Error {
  override readonly name = 'Unhappy';
}

export function wrongUse(message: string): CliError {
  return new CliError('wrong_use', EXIT.wrongUse, message);
}
