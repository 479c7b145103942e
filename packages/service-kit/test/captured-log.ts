import { createLogger, type Logger } from '@tollgate/service-kit/log';

export interface CapturedLog {
  log: Logger;
  /** All that was logged, as it was written. */
  text(): string;
  lines(): Record<string, unknown>[];
}

/** A logger whose lines stay in memory. */
export function capturedLog(): CapturedLog {
  let written = '';
  const write = (line: string): void => {
    written += line;
  };
  return {
    log: createLogger({ service: 'test', level: 'trace' }, { write }),
    text: () => written,
    lines: () =>
      written
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}
