/** What a statement was about does not exist. */
export class NotFound extends Error {
  override readonly name = 'NotFound';
}

/** What a statement asked for stands against what is there: a name that is taken, a change that another rule forbids. */
export class Conflict extends Error {
  override readonly name = 'Conflict';
}

/** A value that could not be stored as it is. The message holds every mistake, in words for a person. */
export class Invalid extends Error {
  override readonly name = 'Invalid';
}

/** The database cannot be asked right now; the same call may succeed later. `code` is an SQLSTATE or a system error. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
  constructor(
    message: string,
    readonly code: string | undefined,
  ) {
    super(message);
  }
}

/**
 * The error as it may leave this package: unavailability as {@link DatabaseUnavailable}, anything else as it is.
 * The driver's own error is not kept as a cause: it can carry the connection, and with that its URL and password.
 */
export function classified(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseUnavailable) return error;
  const code = errorCode(error);
  const isUnavailable =
    (code !== undefined && UNAVAILABLE_CODES.test(code)) || (code === undefined && UNAVAILABLE_MESSAGES.test(error.message));
  return isUnavailable ? new DatabaseUnavailable(`database unavailable: ${error.message || code}`, code) : error;
}

/**
 * True where PostgreSQL refused values for what they are, and would refuse them again: bad data (22), a constraint (23), a limit
 * of the program such as the size of a row (54). Deadlocks and the like (40) are not, nor is a schema that does not fit (42).
 */
export function isRefusal(error: unknown): boolean {
  return /^(22|23|54)...$/.test(errorCode(error) ?? '');
}

/** The SQLSTATE of a server's error, or the code of a system error. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

export const SQLSTATE = {
  foreignKeyViolation: '23503',
  uniqueViolation: '23505',
  checkViolation: '23514',
  lockNotAvailable: '55P03',
  deadlockDetected: '40P01',
} as const;

/**
 * Connection faults (08), too little of something (53: connections, memory, disk), cancelled by a timeout (57014) or by
 * a shutdown (57P0x), lock timeouts, a server that only reads (25006), input and output errors (58).
 */
const UNAVAILABLE_CODES =
  /^(08...|53...|57014|57P0.|55P03|25006|58...|ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ENOENT|EACCES)$/;
/** The driver's own errors have no code. */
const UNAVAILABLE_MESSAGES =
  /^(Connection terminated|timeout e|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool|Connection ended|The server does not support SSL)/i;
