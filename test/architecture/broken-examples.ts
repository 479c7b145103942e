import type { SourceFile } from './source-file.js';

/** Made-up files that break a rule, and where. `at` is empty where the rule must hold its peace. */
export interface BrokenExample {
  rule: string;
  files: SourceFile[];
  at: string[];
}

/** One file, whose last line is the offence. */
function breaks(rule: string, path: string, ...lines: string[]): BrokenExample {
  return { rule, files: [{ path, text: `${lines.join('\n')}\n` }], at: [`${path}:${lines.length}`] };
}

function keeps(rule: string, path: string, ...lines: string[]): BrokenExample {
  return { ...breaks(rule, path, ...lines), at: [] };
}

const CORE = 'authz-service/src/authorize.ts';
const GRPC = 'authz-service/src/grpc/ext-authz.ts';
const CONFIG = 'authz-service/src/config.ts';

export const BROKEN: readonly BrokenExample[] = [
  breaks('R1', 'packages/domain/src/limits.ts', "import { z } from 'zod';"),
  breaks(
    'R1',
    'packages/domain/src/limits.ts',
    "import { hash } from 'node:crypto';",
    "import { readFile } from 'node:fs/promises';",
  ),
  breaks('R1', 'packages/domain/src/limits.ts', "import type { Database } from '@tollgate/postgres/database';"),
  breaks('R1', 'packages/domain/src/limits.ts', "export * from '../../cache/src/record-cache.js';"),
  breaks('R1', 'packages/domain/src/limits.ts', "type Server = import('node:http').Server;"),
  keeps('R1', 'packages/domain/src/limits.ts', "import { isUuid } from './uuid.js';", "import { hash } from 'node:crypto';"),

  breaks('R2', CORE, "import { openDatabase } from '@tollgate/postgres/database';"),
  breaks('R2', CORE, "import type { Database } from '@tollgate/postgres/database';"),
  breaks('R2', CORE, "import { readFile } from 'fs/promises';"),
  breaks('R2', CORE, "import { parse } from 'yaml';"),
  breaks('R2', CORE, "import type { AuthzConfig } from './config.js';"),
  breaks('R2', CORE, "const { extAuthz } = await import('./grpc/ext-authz.js');"),
  breaks('R2', 'usage-processor/src/writer/store-batch.ts', "import { storeUsage } from '@tollgate/postgres/usage';"),
  breaks('R2', 'ratelimit-service/src/decide.ts', "import { take } from '@tollgate/limit-store/limit-store';"),
  breaks('R2', 'authz-service/src/utils/strings.ts', "import { hash } from 'node:crypto';"),
  breaks('R2', 'packages/cache/src/record-cache.ts', "import { Redis } from 'ioredis';"),
  keeps(
    'R2',
    CORE,
    "import { hashApiKey } from '@tollgate/domain/api-key';",
    "import type { RecordCache } from '@tollgate/cache/record-cache';",
    "import type { LimitStore } from '@tollgate/limit-store/limit-store';",
    "import { keyFrom } from './presented-key.js';",
  ),

  breaks('R3', CORE, "import { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';"),
  breaks('R3', 'ratelimit-service/src/service.ts', "import { Redis } from 'ioredis';"),
  breaks('R3', 'authz-service/src/service.ts', "import { trace } from '@opentelemetry/api';"),
  breaks('R3', 'packages/limit-store/src/memory/store.ts', "import { Redis } from 'ioredis';"),
  breaks('R3', 'packages/event-log/src/file/log.ts', "import { Kafka } from 'kafkajs';"),
  breaks('R3', 'cli/src/commands/usage-show.ts', "import pg from 'pg';"),
  breaks('R3', 'standalone/src/main.ts', "import yargs from 'yargs/yargs';"),
  breaks('R3', GRPC, "import { Server } from '@grpc/grpc-js';"),
  breaks('R3', 'authz-service/src/metrics.ts', "import { Counter } from 'prom-client';"),
  breaks('R3', 'packages/service-kit/src/lifecycle.ts', "import { pino } from 'pino';"),
  breaks('R3', 'packages/service-kit/src/lifecycle.ts', "import { Server } from '@grpc/grpc-js';"),
  keeps('R3', GRPC, "import { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';"),
  keeps('R3', 'packages/service-kit/test/grpc-server.test.ts', "import { Client } from '@grpc/grpc-js';"),

  breaks('R4', 'ratelimit-service/src/grpc/rate-limit.ts', "import { read } from '../yaml/rules.js';"),
  breaks('R4', 'packages/limit-store/src/redis/store.ts', "import { memoryStore } from '../memory/store.js';"),
  breaks('R4', 'packages/event-log/src/kafka/log.ts', "import type { Log } from '@tollgate/event-log/file/log';"),
  keeps(
    'R4',
    'packages/limit-store/src/redis/store.ts',
    "import { take } from './take.js';",
    "import type { LimitStore } from '../limit-store.js';",
  ),

  breaks('R5 clients', CORE, "import { openDatabase } from '@tollgate/postgres/database';"),
  breaks(
    'R5 clients',
    'ratelimit-service/src/main.ts',
    "import { redisLimitStore } from '@tollgate/limit-store/redis/redis-limit-store';",
  ),
  breaks('R5 clients', GRPC, "import { startGrpcServer as start } from '@tollgate/service-kit/grpc-server';"),
  breaks('R5 clients', 'cli/src/commands/org-list.ts', "import { openDatabase } from '@tollgate/postgres/database';"),
  keeps('R5 clients', 'authz-service/src/service.ts', "import { openDatabase } from '@tollgate/postgres/database';"),
  keeps('R5 clients', 'authz-service/src/main.ts', "import { runService } from '@tollgate/service-kit/lifecycle';"),

  breaks('R6', 'authz-service/src/service.ts', "import { decide } from '@tollgate/ratelimit-service/decide';"),
  breaks('R6', 'usage-processor/src/writer/service.ts', "import { usageEventFrom } from '../collector/usage-event.js';"),
  breaks('R6', 'cli/src/main.ts', "import { startAuthzService } from '@tollgate/authz-service/service';"),
  breaks('R6', 'packages/postgres/src/usage.ts', "import { storeBatch } from '@tollgate/usage-processor/writer/store-batch';"),
  breaks('R6', 'standalone/src/gateway.ts', "import { authorize } from '@tollgate/authz-service/authorize';"),
  breaks('R6', 'standalone/src/gateway.ts', "await import('@tollgate/authz-service/main');"),
  keeps(
    'R6',
    'standalone/src/gateway.ts',
    "import { startWriter } from '@tollgate/usage-processor/writer/service';",
    "import { readConfig } from '@tollgate/usage-processor/writer/config';",
  ),

  breaks('R7 tests', CORE, "import { until } from '@tollgate/testing/until';"),
  breaks('R7 tests', CORE, "import { aKey } from '../test/a-key.js';"),
  breaks('R7 tests', CORE, "import { test } from 'vitest';"),
  keeps('R7 tests', 'packages/testing/src/until.ts', "import { expect } from 'vitest';"),

  breaks('R5 process', 'authz-service/src/service.ts', 'const env = 1;', "process.on('SIGTERM', () => env);"),
  breaks('R5 process', CONFIG, "export const port = process.env['PORT'];"),
  breaks('R5 process', CONFIG, 'export const { env } = process;'),
  breaks('R5 process', CONFIG, 'run(process);'),
  breaks('R5 process', CONFIG, 'globalThis.process.exit();'),
  keeps('R5 process', 'authz-service/src/main.ts', 'readConfig(process.env);'),
  keeps('R5 process', CONFIG, 'export function run(process: Signals) {', "  process.on('SIGTERM', () => process.exit());", '}'),
  keeps('R5 process', CONFIG, 'const process = spawn();', 'record.process = { process: 1 };', 'process.kill();'),

  breaks('R5 process import', CONFIG, "import { env } from 'node:process';"),
  breaks('R5 process import', CONFIG, "import process from 'process';"),
  breaks('R5 process import', 'packages/embedded/src/orphans.ts', "import { env, kill } from 'node:process';"),
  breaks('R5 process import', 'cli/src/commands/org-list.ts', "import { pid } from 'node:process';"),
  keeps('R5 process import', 'packages/embedded/src/orphans.ts', "import { kill } from 'node:process';"),

  breaks('R5 settings', 'authz-service/src/service.ts', "const listen = field('AUTHZ_LISTEN', listenAddress());"),
  breaks('R5 settings', 'authz-service/src/service.ts', "const listen = secretField('DATABASE_URL', url());"),
  breaks('R5 settings', 'authz-service/src/main.ts', "const listen = process.env['AUTHZ_LISTEN'];"),
  breaks('R5 settings', 'cli/src/commands/org-list.ts', 'const url = env.DATABASE_URL;'),
  breaks('R5 settings', 'packages/limit-store/src/redis/store.ts', "const url = secretField('REDIS_URL');"),
  keeps('R5 settings', CONFIG, "const listen = field('AUTHZ_LISTEN', listenAddress());"),

  breaks('R7 default export', CORE, 'export default 1;'),
  breaks('R7 default export', CORE, 'export default function f() {}'),
  breaks('R7 default export', 'test/x.test.ts', 'const x = 1;', 'export { x as default };'),
  keeps('R7 default export', CORE, 'switch (x) { case 1: break; default: f(); }'),
  keeps('R7 default export', 'vitest.config.ts', 'export default {};'),

  breaks('R7 any', CORE, 'const x = y as any;'),
  breaks('R7 any', 'packages/domain/test/x.test.ts', 'type X = Record<string, any>;'),
  keeps('R7 any', 'protos/gen/x.ts', 'type X = any;'),
  keeps('R7 any', CORE, "const any = 'any'; // any"),

  breaks('R7 enum', CORE, 'export enum Plan { Basic }'),
  breaks('R7 names', CORE, 'export interface ICache {}'),
  keeps('R7 names', CORE, 'export interface Import {}'),
  breaks('R7 barrel', 'packages/domain/src/index.ts', "export * from './limits.js';"),
  { ...breaks('R7 vague', 'cli/src/utils/text.ts', '', ''), at: ['cli/src/utils/text.ts:1'] },
  { ...breaks('R7 vague', 'packages/cache/src/helpers.ts', '', ''), at: ['packages/cache/src/helpers.ts:1'] },
  keeps('R7 vague', 'packages/domain/src/shared-limits.ts', ''),

  { ...breaks('R7 file length', CORE, ...new Array<string>(301).fill('f();')), at: [`${CORE}:1`] },
  keeps('R7 file length', CORE, ...new Array<string>(300).fill('f();')),
  {
    ...breaks('R7 function length', CORE, '', 'const f = () => {', ...new Array<string>(59).fill('f();'), '};'),
    at: [`${CORE}:2`],
  },
  keeps('R7 function length', CORE, 'function f() {', ...new Array<string>(58).fill('f();'), '}'),
  keeps(
    'R7 function length',
    CORE,
    'function f() {',
    '  return {',
    '    g() {',
    ...new Array<string>(55).fill('f();'),
    '    },',
    '    h() {',
    ...new Array<string>(55).fill('f();'),
    '    } };',
    '}',
  ),

  {
    rule: 'R7 file cycle',
    files: [
      { path: 'cli/src/a.ts', text: "import { b } from './b.js';" },
      { path: 'cli/src/b.ts', text: "\nimport { c } from './c.js';" },
      { path: 'cli/src/c.ts', text: "\n\nimport type { A } from './a.js';" },
    ],
    at: ['cli/src/c.ts:3'],
  },
  breaks('R7 file cycle', 'cli/src/a.ts', "import { a } from './a.js';"),
  {
    rule: 'R7 package cycle',
    files: [
      { path: 'packages/postgres/src/a.ts', text: "import { b } from '@tollgate/event-log/b';" },
      { path: 'packages/event-log/src/c.ts', text: "\nimport { d } from '@tollgate/postgres/d';" },
    ],
    at: ['packages/event-log/src/c.ts:2'],
  },
  keeps('R7 package cycle', 'packages/domain/src/a.ts', "import { b } from './b.js';"),
  {
    rule: 'R7 dependencies',
    files: [
      { path: 'cli/package.json', text: '{ "name": "@tollgate/cli", "dependencies": { "yargs": "1" } }' },
      {
        path: 'cli/src/main.ts',
        text: "import yargs from 'yargs/yargs';\nimport colors from 'picocolors';\nimport { x } from '@tollgate/domain/x';",
      },
    ],
    at: ['cli/src/main.ts:2', 'cli/src/main.ts:3'],
  },
  {
    rule: 'R7 dependencies',
    files: [
      { path: 'package.json', text: '{ "name": "tollgate", "devDependencies": { "pg": "8" } }' },
      { path: 'packages/testing/src/database.ts', text: "import pg from 'pg';" },
      { path: 'cli/src/main.ts', text: "import pg from 'pg';" },
    ],
    at: ['cli/src/main.ts:1'],
  },
];
