import { SETTINGS as AUTHZ } from '@tollgate/authz-service/config';
import { SETTINGS as RATELIMIT } from '@tollgate/ratelimit-service/config';
import { describeSettings, type SettingDescription, type Shape } from '@tollgate/service-kit/settings';
import { SETTINGS as COLLECTOR } from '@tollgate/usage-processor/collector/config';
import { SETTINGS as RECONCILER } from '@tollgate/usage-processor/reconciler/config';
import { SETTINGS as WRITER } from '@tollgate/usage-processor/writer/config';
import { SETTINGS as CLI } from '../../cli/src/config.js';
import { SETTINGS as STANDALONE } from '../../standalone/src/config.js';
import { SETTINGS as UPSTREAM } from '../../standalone/src/demo-upstream/config.js';

/** Each program with the settings that it defines, under the name that one starts it by. */
const PROGRAMS: readonly (readonly [string, Shape])[] = [
  ['authz', AUTHZ],
  ['ratelimit', RATELIMIT],
  ['collector', COLLECTOR],
  ['writer', WRITER],
  ['reconciler', RECONCILER],
  ['npm start', STANDALONE],
  ['upstream', UPSTREAM],
  ['tollgate', CLI],
];

export interface DocumentedSetting extends SettingDescription {
  programs: readonly string[];
}

/** Every setting of every program; one that means the same to several stands once. */
export function documentedSettings(): DocumentedSetting[] {
  const rows = new Map<string, SettingDescription & { programs: string[] }>();
  for (const [program, shape] of PROGRAMS) {
    for (const setting of describeSettings(shape)) {
      const key = JSON.stringify(setting);
      const row = rows.get(key) ?? { ...setting, programs: [] };
      row.programs.push(program);
      rows.set(key, row);
    }
  }
  return [...rows.values()].toSorted((a, b) => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1));
}

/** docs/configuration.md, made from the definitions in each config.ts. */
export function configurationPage(): string {
  return `${HEAD}
| setting | of | may be | default | |
|---|---|---|---|---|
${documentedSettings().map(row).join('\n')}
`;
}

const HEAD = `<!-- Made from the definitions in each config.ts: npm run docs -->
# Configuration

Settings come from the environment and are read once, at the start. Every mistake is told at once, by its name, with exit code 78. An empty
variable counts as not set.

- **secret**: \`NAME_FILE\` may name a file that holds the value, in place of \`NAME\`. Secrets are never printed.
- **duration**: a whole number with its unit: \`200ms\`, \`15s\`, \`10m\`, \`1h\`. **size**: the same with \`B\`, \`KiB\`, \`MiB\`, \`GiB\`.
- **default**: *needed* has none; without a default and not needed, what is said holds where it is not set.
- Needed together: ratelimit takes \`REDIS_URL\` or \`RATELIMIT_STORE=memory\`, and \`DATABASE_URL\` or \`RATELIMIT_CONFIG\`; writer and reconciler take
  \`USAGE_DATABASE_URL\` or \`DATABASE_URL\`; the reconciler \`USAGE_FILE\` or \`ENVOY_ADMIN_URL\` or both.
- \`npm start\` hands the settings of the services on to them, but for addresses, TLS between Envoy and them, and where data lies: those it chooses itself.
  \`npm start -- --help\` prints its own. How some of them play together is told in [operations](operations.md) and [limits](limits.md).
`;

function row({ name, programs, kind, default: preset, isRequired, description, secret }: DocumentedSetting): string {
  const shown = preset === undefined ? (isRequired ? '*needed*' : '') : `\`${preset}\``;
  const cells = [`\`${name}\`${secret ? ' (secret)' : ''}`, programs.join(', '), kind, shown, description];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
