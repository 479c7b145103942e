import type { Standalone } from './service.js';

/** The one line of `npm start -- --json`. */
export function readyJson({ gatewayUrl, upstreamUrl, databaseUrl, demo, adminUrl }: Standalone): string {
  const { organizationId, apiKey } = demo;
  return `${JSON.stringify({ gatewayUrl, upstreamUrl, databaseUrl, organizationId, apiKey, adminUrl })}\n`;
}

/** What a newcomer sees when the gateway is ready. */
export function readyText(standalone: Standalone, logPath: string): string {
  const { gatewayUrl, demo, adminUrl, upstreamUrl, routes } = standalone;
  const path = routes?.[0]?.prefix ?? '/hello';
  return `
Tollgate is ready.

  gateway       ${gatewayUrl}
  upstream      ${upstreamUrl ?? routes?.map(({ prefix, upstream }) => `${prefix} → ${upstream}`).join('\n                ')}
  Envoy admin   ${adminUrl}
  log           ${logPath}
  organization  ${demo.organizationId}  (Demo, plan basic)
  API key       ${demo.apiKey}

Try it:

  curl -i ${gatewayUrl}${path} -H "X-API-Key: ${demo.apiKey}"
  npx tollgate usage show --org Demo

Ctrl-C stops everything and loses nothing.
`;
}
