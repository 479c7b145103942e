import { SETTINGS as AUTHZ, readConfig as readAuthzConfig } from '@tollgate/authz-service/config';
import { SETTINGS as RATELIMIT, readConfig as readRateLimitConfig } from '@tollgate/ratelimit-service/config';
import { type Environment, SettingsError, type Shape } from '@tollgate/service-kit/settings';
import { readConfig as readStandaloneConfig, SETTINGS as STANDALONE } from '@tollgate/standalone/config';
import { SETTINGS as COLLECTOR, readConfig as readCollectorConfig } from '@tollgate/usage-processor/collector/config';
import { readConfig as readWriterConfig, SETTINGS as WRITER } from '@tollgate/usage-processor/writer/config';
import { expect } from 'vitest';
import { fuzz } from './fuzz.js';
import { mutatedText } from './mutate.js';

const READERS: readonly (readonly [shape: Shape, read: (env: Environment) => unknown])[] = [
  [AUTHZ, readAuthzConfig],
  [RATELIMIT, readRateLimitConfig],
  [COLLECTOR, readCollectorConfig],
  [WRITER, readWriterConfig],
  [STANDALONE, (env) => readStandaloneConfig(env, '/nowhere')],
];

const PASSWORD = 'hunter2correcthorse';
const VALUES = [
  ...['127.0.0.1:50051', '[::1]:0', 'unix:/tmp/a.sock', '0.0.0.0:80', 'localhost:1'],
  ...[
    `postgres://user:${PASSWORD}@127.0.0.1:5432/tollgate?sslmode=require`,
    `rediss://:${PASSWORD}@redis:6379/0`,
    'https://a.example',
  ],
  ...[
    '200ms',
    '15s',
    '10m',
    '1h',
    '0s',
    '4',
    '100000',
    'true',
    'false',
    'info',
    'redis',
    'memory',
    'full',
    'a,b, c',
    '.tollgate',
  ],
];
const WORDS = ['ms', ':', '://', '@', '%', '\0', '\n', '-', '9'.repeat(40), '[', 'unix:', 'e308', ',,,,', '\u2028', PASSWORD];

fuzz('settings', (random) => {
  const [shape, read] = random.pick(READERS);
  const env: Record<string, string> = {};
  for (const { name, isSecret } of Object.values(shape)) {
    if (random.chance(0.3)) continue;
    // Nothing is read from this machine's files.
    const inFile = isSecret && random.chance(0.1);
    const value = mutatedText(random.pick(VALUES), { others: VALUES, words: WORDS }, random);
    env[inFile ? `${name}_FILE` : name] = inFile || /_FILE$/.test(name) ? `/nowhere/${value}` : value;
  }
  try {
    read(env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    for (const { name, isSecret } of Object.values(shape)) {
      const given = env[name] ?? '';
      if (isSecret && given.includes(PASSWORD) && !isGivenElsewhere(env, name)) expect(error.message).not.toContain(PASSWORD);
    }
  }
});

/** Whoever writes a password into a setting that is none is beyond help. */
function isGivenElsewhere(env: Record<string, string>, name: string): boolean {
  return Object.entries(env).some(([other, value]) => other !== name && value.includes(PASSWORD));
}
