/** The settings of every program that speaks to Redis: where it is, and what proves who we are and who it is. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseRedisAddress } from './redis-address.js';
import { field, SettingsError, type SettingsOf, type SettingValue, type Shape, secretField, text } from './settings.js';

/** What a client of Redis is told. */
export interface RedisServer {
  /** See `parseRedisAddress`. */
  url: string;
  /** In the place of one in the URL. */
  password?: string;
  sentinelUsername?: string;
  sentinelPassword?: string;
  /** PEM texts. Without a CA the system's are trusted. */
  tls?: { ca?: string; cert?: string; key?: string };
}

/** The text of an address that `parseRedisAddress` takes. */
export function redisUrl(): SettingValue<string> {
  return z
    .string()
    .superRefine((given, context) => {
      try {
        parseRedisAddress(given);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
      }
    })
    .describe('redis://…, rediss://…, redis+sentinel://… or redis+cluster://…');
}

export const REDIS_SETTINGS = {
  redisUrl: secretField('REDIS_URL', redisUrl(), {
    optional: true,
    describe:
      'Redis with buckets and quotas: redis://host:port, redis+sentinel://host:port,host:port/master-name or redis+cluster://host:port,host:port; rediss… for TLS.',
  }),
  redisPassword: secretField('REDIS_PASSWORD', text(), {
    optional: true,
    describe: 'The password of Redis, in the place of one in REDIS_URL; the user, if any, stays there.',
  }),
  redisSentinelUsername: field('REDIS_SENTINEL_USERNAME', text(), {
    optional: true,
    describe: 'The user at the Sentinels, where they have one.',
  }),
  redisSentinelPassword: secretField('REDIS_SENTINEL_PASSWORD', text(), {
    optional: true,
    describe: 'The password of the Sentinels, where they have one.',
  }),
  redisTlsCaFile: field('REDIS_TLS_CA_FILE', text(), {
    optional: true,
    describe: "The CA of Redis (PEM), with rediss:// addresses; the system's CAs if not set.",
  }),
  redisTlsCertFile: field('REDIS_TLS_CERT_FILE', text(), {
    optional: true,
    describe: 'The certificate that Redis asks its clients for (PEM), where it does.',
  }),
  redisTlsKeyFile: field('REDIS_TLS_KEY_FILE', text(), { optional: true, describe: 'The key of that certificate (PEM).' }),
} satisfies Shape;

/** What a client is told by these settings; undefined without REDIS_URL. Throws one SettingsError for all that does not fit together. */
export function redisServer(settings: SettingsOf<typeof REDIS_SETTINGS>): RedisServer | undefined {
  const { redisUrl: url, redisPassword: password, redisSentinelUsername, redisSentinelPassword } = settings;
  const problems: string[] = [];
  const read = (name: string, path: string | undefined): string | undefined => {
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      problems.push(`${name} cannot be read (${(error as NodeJS.ErrnoException).code}): check its path and its mode.`);
      return undefined;
    }
  };
  const ca = read('REDIS_TLS_CA_FILE', settings.redisTlsCaFile);
  const cert = read('REDIS_TLS_CERT_FILE', settings.redisTlsCertFile);
  const key = read('REDIS_TLS_KEY_FILE', settings.redisTlsKeyFile);
  problems.push(...mismatches(settings));
  if (problems.length > 0) throw new SettingsError(problems);
  if (url === undefined) return undefined;
  return {
    url,
    ...(password !== undefined && { password }),
    ...(redisSentinelUsername !== undefined && { sentinelUsername: redisSentinelUsername }),
    ...(redisSentinelPassword !== undefined && { sentinelPassword: redisSentinelPassword }),
    tls: { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) },
  };
}

function mismatches(settings: SettingsOf<typeof REDIS_SETTINGS>): string[] {
  const { redisTlsCaFile, redisTlsCertFile, redisTlsKeyFile } = settings;
  const problems: string[] = [];
  if ((redisTlsCertFile === undefined) !== (redisTlsKeyFile === undefined))
    problems.push('REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE belong together: set both or none.');
  if (settings.redisUrl === undefined) return problems;
  const address = parseRedisAddress(settings.redisUrl);
  if (!address.isTls && (redisTlsCaFile ?? redisTlsCertFile) !== undefined)
    problems.push('REDIS_TLS_… files are set, but REDIS_URL asks for no TLS: begin it with rediss.');
  if (address.password !== undefined && settings.redisPassword !== undefined)
    problems.push('REDIS_PASSWORD and a password in REDIS_URL are both set: keep one of them.');
  if (address.kind !== 'sentinel' && (settings.redisSentinelPassword ?? settings.redisSentinelUsername) !== undefined)
    problems.push('REDIS_SENTINEL_… is set, but REDIS_URL names no Sentinels: begin it with redis+sentinel://.');
  return problems;
}
