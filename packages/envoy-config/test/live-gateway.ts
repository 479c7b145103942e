import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { runEnvoy } from '@tollgate/testing/envoy';
import type { EnvoyConfigOptions } from '../src/options.js';
import { renderEnvoyConfig } from '../src/render-envoy-config.js';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Gateway {
  port: number;
  adminUrl: string;
  /** Sends a request as it is: no path is tidied, no header added but Host. */
  ask(path: string, options?: { method?: string; headers?: Record<string, string | string[]>; body?: string }): Promise<Answer>;
  close(): Promise<void>;
}

/** A real Envoy with the rendered configuration, on ports that the system chose; `changed` makes a number small enough to reach. */
export async function startGateway(options: EnvoyConfigOptions, changed = (yaml: string) => yaml): Promise<Gateway> {
  const ports = { gateway: { host: '127.0.0.1', port: 0 }, admin: { host: '127.0.0.1', port: 0 } };
  const envoy = await runEnvoy(changed(renderEnvoyConfig({ ...ports, ...options })));
  const port = await gatewayPort(envoy.adminUrl);
  return { port, adminUrl: envoy.adminUrl, ask: (path, how = {}) => ask(port, path, how), close: () => envoy.close() };
}

async function gatewayPort(adminUrl: string): Promise<number> {
  const answer = await fetch(`${adminUrl}/listeners?format=json`);
  const { listener_statuses } = (await answer.json()) as {
    listener_statuses: { local_address: { socket_address: { port_value: number } } }[];
  };
  const port = listener_statuses[0]?.local_address.socket_address.port_value;
  if (port === undefined) throw new Error('Envoy has no listener');
  return port;
}

async function ask(port: number, path: string, how: NonNullable<Parameters<Gateway['ask']>[1]>): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = how;
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}
