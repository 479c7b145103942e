import { describeSettings, type Shape } from '@tollgate/service-kit/settings';

const USAGE = `Starts the whole gateway on this machine: Envoy, PostgreSQL, authz, ratelimit, collector, writer and reconciler.

  npm start                until Ctrl-C
  npm start -- --json      prints one JSON line when ready, for scripts
  npm start -- --help

Settings, from the environment:
`;

/** What \`npm start -- --help\` prints. */
export function helpOf(settings: Shape): string {
  const rows = describeSettings(settings);
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(({ name, description, default: preset }) => {
    const suffix = preset === undefined ? '' : ` (${preset})`;
    return `  ${name.padEnd(width)}  ${description}${suffix}`;
  });
  return `${USAGE}${lines.join('\n')}\n`;
}
