import driver from 'pg';
import { onTestFinished } from 'vitest';

/** A single connection, for tests about who sees what when. */
export async function pg(url: string): Promise<driver.Client> {
  const client = new driver.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}
