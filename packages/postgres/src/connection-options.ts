import pg from 'pg';

export interface ConnectionOptions {
  /** `postgres://user:password@host:port/database`. */
  url: string;
  connectTimeoutMs: number;
  /** 0 for none. */
  statementTimeoutMs: number;
  applicationName: string;
}

/** How much longer than the server's deadline we wait for its word that the deadline has passed. */
const ANSWER_MARGIN_MS = 100;
const KEEP_ALIVE_DELAY_MS = 5_000;

/**
 * The driver's settings for this URL. Throws on a URL that cannot be read, without showing it: it holds a password, and
 * the errors of URL parsers quote what they could not read.
 */
export function connectionOptions(options: ConnectionOptions): pg.ClientConfig {
  const config: pg.ClientConfig = {
    connectionString: options.url,
    connectionTimeoutMillis: options.connectTimeoutMs,
    application_name: options.applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    ...(options.statementTimeoutMs > 0
      ? { statement_timeout: options.statementTimeoutMs, query_timeout: options.statementTimeoutMs + ANSWER_MARGIN_MS }
      : {}),
  };
  if (!isReadable(config))
    throw new Error('the database URL cannot be read; it has the form postgres://user:password@host:port/database');
  return config;
}

function isReadable(config: pg.ClientConfig): boolean {
  try {
    new pg.Client(config);
    return /^(postgres(ql)?:\/\/|socket:|\/)/.test(config.connectionString ?? '');
  } catch {
    return false;
  }
}
