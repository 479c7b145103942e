import { readGatewayFile } from '@tollgate/embedded/gateway-file';
import type { Counters } from '@tollgate/limit-store/counters';
import { CliError, EXIT } from './cli-error.js';
import type { CliConfig } from './config.js';

/**
 * Where limits are counted: the Redis of the settings, else whatever the gateway of this folder counts in. Throws a CliError
 * where there is neither.
 */
export async function openCounters({ redis, dataFolder }: CliConfig): Promise<Counters> {
  if (redis !== undefined) {
    const { openRedisCounters } = await import('@tollgate/limit-store/redis/redis-counters');
    return openRedisCounters(redis);
  }
  const gateway = await readGatewayFile(dataFolder).catch((error: Error) => {
    throw new CliError('no_counters', EXIT.badSettings, `${error.message}. Start the gateway anew, or set REDIS_URL.`);
  });
  const url = gateway?.services['ratelimit'];
  if (gateway?.adminToken === undefined || url === undefined)
    throw new CliError(
      'no_counters',
      EXIT.badSettings,
      'It is not known where limits are counted: set REDIS_URL, or run this in the folder of a gateway that npm start has started.',
    );
  const { createRemoteCounters } = await import('@tollgate/limit-store/http/remote-counters');
  return createRemoteCounters({ url, token: gateway.adminToken });
}
