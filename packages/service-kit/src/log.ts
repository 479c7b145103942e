/** One JSON object a line. Nothing is logged on a hot path: a line costs what a hundred decisions do. */
import { pino } from 'pino';
import { scrub } from './scrub.js';
import { field, oneOf } from './settings.js';

export type Logger = pino.Logger;
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/** The setting that every service has. */
export const LOG_LEVEL = field('LOG_LEVEL', oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), {
  default: 'info',
  describe: 'The least severe lines that are logged.',
});

/**
 * Logs to stdout, or to the stream given: `level` as a word, `time` as ISO 8601, `service`, `msg`, and an error under `err`
 * with its stack and causes. Every finished line is scrubbed of secrets, whatever part of it they came in.
 */
export function createLogger(options: { service: string; level: LogLevel }, stream?: pino.DestinationStream): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
      hooks: { streamWrite: scrub },
    },
    // Synchronous, so that the last line of a process that dies is not lost.
    stream ?? pino.destination({ dest: 1, sync: true }),
  );
}
