import { EnvoyConfigError } from '@tollgate/envoy-config/render-envoy-config';
import { Conflict, DatabaseUnavailable, errorCode, Invalid, NotFound } from '@tollgate/postgres/errors';
import { scrub } from '@tollgate/service-kit/scrub';
import { CliError, EXIT } from './cli-error.js';
import { plainLines } from './printable.js';

export interface Failure {
  /** For scripts. */
  code: string;
  /** For people. */
  message: string;
  exitCode: number;
}

/** Where the database's address came from: it decides what a person should do next. */
export type DatabaseSource = 'settings' | 'gateway file' | undefined;

/** Tables and columns that are not there: the database is older than this code. */
const MISSING_SCHEMA = /^(42P01|42703|42883|3F000)$/;
/** Wrong user, password or database. */
const REFUSED = /^(28...|3D000)$/;
const UNREADABLE_URL = /^the database URL cannot be read/;

/** What to tell of an error. Secrets and control characters that its words may hold are taken out. */
export function failureOf(error: unknown, source: DatabaseSource): Failure {
  const { message, ...failure } = judge(error, source);
  return { ...failure, message: sentence(plainLines(scrub(message))) };
}

function judge(error: unknown, source: DatabaseSource): Failure {
  if (error instanceof CliError) return error;
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  const code = errorCode(error) ?? '';
  if (error instanceof Invalid || error instanceof EnvoyConfigError) return { code: 'invalid', message, exitCode: EXIT.wrongUse };
  if (error instanceof NotFound) return { code: 'not_found', message, exitCode: EXIT.notFound };
  if (error instanceof Conflict) return { code: 'conflict', message, exitCode: EXIT.conflict };
  if (error instanceof DatabaseUnavailable)
    return { code: 'unavailable', message: `${message}.${nextStep(source)}`, exitCode: EXIT.unavailable };
  if (name === 'StoreUnavailable')
    return { code: 'unavailable', message: `${message}; tollgate doctor looks further`, exitCode: EXIT.unavailable };
  if (name.startsWith('Kafka')) return { code: 'unavailable', message, exitCode: EXIT.unavailable };
  if (name === 'SchemaMismatch') return { code: 'schema_mismatch', message, exitCode: EXIT.failed };
  if (name === 'ServerTooOld') return { code: 'server_too_old', message, exitCode: EXIT.failed };
  if (MISSING_SCHEMA.test(code)) return outdated(message);
  if (REFUSED.test(code)) return refused(message, source);
  if (name === 'SettingsError' || UNREADABLE_URL.test(message))
    return { code: 'bad_settings', message, exitCode: EXIT.badSettings };
  return { code: 'internal', message: `This should not have happened: ${message}`, exitCode: EXIT.failed };
}

function nextStep(source: DatabaseSource): string {
  if (source === 'gateway file')
    return ' The gateway of this folder has probably ended: start it with npm start, or set DATABASE_URL.';
  return source === 'settings'
    ? ' Check that the server runs and that DATABASE_URL names it; tollgate doctor looks further.'
    : '';
}

function outdated(message: string): Failure {
  const text = `The database's schema is older than this version (${message}): run tollgate migrate up.`;
  return { code: 'schema_outdated', message: text, exitCode: EXIT.failed };
}

function refused(message: string, source: DatabaseSource): Failure {
  const text = `The database refused the connection: ${message}.`;
  if (source === 'gateway file')
    return { code: 'unavailable', message: `${text}${nextStep(source)}`, exitCode: EXIT.unavailable };
  return { code: 'bad_settings', message: `${text} Check DATABASE_URL.`, exitCode: EXIT.badSettings };
}

/** Packages word their errors as parts of a sentence. */
function sentence(text: string): string {
  const whole = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?)\n]$/.test(whole) || whole.includes('\n') ? whole : `${whole}.`;
}
