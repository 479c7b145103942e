import type { GatewayFile } from '@tollgate/embedded/gateway-file';
import { type Finding, fail, ok, warn } from './finding.js';

const DEADLINE_MS = 3_000;
const RESTART = 'Start the gateway with npm start; its log tells more.';

/** Envoy and each service, asked for their own word. */
export function checkGateway({ adminUrl, services }: GatewayFile): Promise<Finding[]> {
  const parts = [{ name: 'envoy', url: `${adminUrl}/ready` }];
  for (const [name, url] of Object.entries(services))
    parts.push({ name, url: url.startsWith('unix:') ? url : `${url}/health/ready` });
  return Promise.all(parts.map(({ name, url }) => checkReady(name, url)));
}

async function checkReady(name: string, url: string): Promise<Finding> {
  if (url.startsWith('unix:')) return ok(name, `not asked: it answers on the socket ${url.slice('unix:'.length)}`);
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS), redirect: 'error' });
    const body = await response.text();
    const state = stateOf(body);
    if (!response.ok) return fail(name, `not ready: ${state}`, RESTART);
    return state.startsWith('degraded') ? warn(name, state, `See ${url} and its log.`) : ok(name, 'ready');
  } catch (error) {
    const { name: kind, cause } = error as Error & { cause?: { code?: string } };
    const why = kind === 'TimeoutError' ? `no answer within ${DEADLINE_MS / 1_000} s` : (cause?.code ?? 'no answer');
    return fail(name, `${url}: ${why}`, RESTART);
  }
}

/** The status in a service's answer, with the components that are not well; else the beginning of what was said. */
function stateOf(body: string): string {
  try {
    const { status, components = {} } = JSON.parse(body) as {
      status: string;
      components?: Record<string, { status: string; detail?: string }>;
    };
    const unwell = Object.entries(components).filter(([, component]) => component.status !== 'ok');
    return [
      status,
      ...unwell.map(([name, { status, detail }]) => `${name} ${status}${detail === undefined ? '' : ` (${detail})`}`),
    ].join(', ');
  } catch {
    return body.trim().slice(0, 100);
  }
}
