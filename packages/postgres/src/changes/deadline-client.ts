import pg from 'pg';
import { connectionOptions } from '../connection-options.js';

export interface ClientOptions {
  url: string;
  applicationName: string;
  /** For connecting, and for each statement. */
  deadlineMs: number;
}

/** Opens one connection outside of the pool. `onLost` is called once, when it ends without {@link dropClient}. */
export async function openClient(options: ClientOptions, onLost: () => void): Promise<pg.Client> {
  const client = new pg.Client(
    connectionOptions({
      url: options.url,
      applicationName: options.applicationName,
      connectTimeoutMs: options.deadlineMs,
      statementTimeoutMs: options.deadlineMs,
    }),
  );
  // A query under way reports the error itself, and "end" follows in any case; unheard, it would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    dropClient(client);
    throw error;
  }
  client.once('end', onLost);
  return client;
}

/** Lets go at once: a goodbye to a server that is gone would wait for ever. */
export function dropClient(client: pg.Client): void {
  client.removeAllListeners();
  client.on('error', () => {});
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
