import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

interface Cluster {
  name: string;
  load_assignment?: { endpoints: { lb_endpoints: { endpoint: { address: { pipe?: { path: string } } } }[] }[] };
}

/** Where a running gateway's Envoy finds a service: `unix:/…`. */
export async function socketOf(dataFolder: string, service: 'authz' | 'ratelimit'): Promise<string> {
  const config = parse(await readFile(join(dataFolder, 'envoy', 'envoy.yaml'), 'utf8')) as {
    static_resources: { clusters: Cluster[] };
  };
  const cluster = config.static_resources.clusters.find(({ name }) => name === service);
  const path = cluster?.load_assignment?.endpoints[0]?.lb_endpoints[0]?.endpoint.address.pipe?.path;
  if (path === undefined) throw new Error(`the gateway's Envoy has no socket of ${service}`);
  return `unix:${path}`;
}
