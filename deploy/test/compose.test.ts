import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SETTINGS as AUTHZ, readConfig as readAuthz } from '@tollgate/authz-service/config';
import { SETTINGS as CLI, readConfig as readCli } from '@tollgate/cli/config';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { SETTINGS as RATELIMIT, readConfig as readRateLimit } from '@tollgate/ratelimit-service/config';
import { type Environment, problemsOf, type Shape } from '@tollgate/service-kit/settings';
import { VERSION } from '@tollgate/service-kit/version';
import { readConfig as readUpstream, SETTINGS as UPSTREAM } from '@tollgate/standalone/demo-upstream/config';
import { SETTINGS as COLLECTOR, readConfig as readCollector } from '@tollgate/usage-processor/collector/config';
import { SETTINGS as RECONCILER, readConfig as readReconciler } from '@tollgate/usage-processor/reconciler/config';
import { readConfig as readWriter, SETTINGS as WRITER } from '@tollgate/usage-processor/writer/config';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { PROJECT, readProjectFile } from '../../test/architecture/project-files.js';
import { dockerIgnore } from './build-context.js';
import {
  aliasesOf,
  type ComposeService,
  isOurs,
  isTask,
  mountsOf,
  networkOwner,
  programOf,
  readComposeFile,
} from './compose-file.js';
import { parseDockerfile } from './dockerfile.js';

const compose = readComposeFile();
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => isOurs(service));

/** What each program of the image reads. */
const PROGRAMS: Readonly<Record<string, readonly [shape: Shape, read: (env: Environment) => unknown]>> = {
  authz: [AUTHZ, readAuthz],
  ratelimit: [RATELIMIT, readRateLimit],
  collector: [COLLECTOR, readCollector],
  writer: [WRITER, readWriter],
  // Where its own database is not named, it takes the one that all share.
  reconciler: [{ ...RECONCILER, shared: WRITER.mainDatabaseUrl }, readReconciler],
  upstream: [UPSTREAM, readUpstream],
  cli: [CLI, (env) => readCli(env, '/nowhere')],
};

/** Stand in for the files with secrets, which are made at the first start. */
const SECRET_FILES: Readonly<Record<string, string>> = {
  DATABASE_URL_FILE: 'postgres://tollgate:secret@postgres:5432/tollgate',
  REDIS_PASSWORD_FILE: 'secret',
};
let secretFolder: string;

beforeAll(async () => {
  secretFolder = await mkdtemp(join(tmpdir(), 'tollgate-compose-'));
  for (const [name, text] of Object.entries(SECRET_FILES)) await writeFile(join(secretFolder, name), text);
  return () => rm(secretFolder, { recursive: true, force: true });
});

test('every variable of a service is a setting of its program, and none that it needs is missing', () => {
  const programs = ours.flatMap(([name, service]) => {
    const program = programOf(service) ?? (name === 'tollgate' ? 'cli' : undefined);
    return program === undefined ? [] : [{ name, program, environment: service.environment ?? {} }];
  });
  expect(new Set(programs.map(({ program }) => program))).toEqual(new Set(Object.keys(PROGRAMS)));
  for (const { name, program, environment } of programs) {
    const [shape, read] = PROGRAMS[program] ?? [{}, () => undefined];
    const known = Object.values(shape).flatMap((each) => (each.isSecret ? [each.name, `${each.name}_FILE`] : [each.name]));
    expect(
      Object.keys(environment).filter((variable) => !known.includes(variable)),
      name,
    ).toEqual([]);
    expect(
      problemsOf(() => read(withSecretFiles(environment))),
      name,
    ).toEqual([]);
  }
});

function withSecretFiles(environment: Record<string, string>): Environment {
  const found = Object.entries(environment).map(([name, value]) => [
    name,
    name in SECRET_FILES ? join(secretFolder, name) : value,
  ]);
  return Object.fromEntries(found) as Environment;
}

test('every image is pinned by its version, and ours by the version of the code', () => {
  for (const [name, { image }] of services) {
    expect(image, name).toMatch(/^[a-z][a-z/]*:v?\d+\.\d+\.\d+(-[\w.]+)?$/);
    if (image.startsWith('tollgate')) expect(image).toBe(`tollgate:${VERSION}`);
  }
  const [base] = parseDockerfile(readProjectFile('deploy/Dockerfile').text);
  expect(base).toMatchObject({ word: 'ARG', rest: expect.stringMatching(/^NODE_IMAGE=node:\d+\.\d+\.\d+-bookworm-slim$/) });
  expect(compose.services['envoy']?.environment?.['TOLLGATE_VERSION']).toBe(VERSION);
});

test('our image is built once, for the service that all others wait for, and never looked for elsewhere', () => {
  expect(ours.filter(([, { build }]) => build !== undefined).map(([name]) => name)).toEqual(['secrets']);
  expect(ours.map(([, each]) => each.pull_policy)).toEqual(ours.map(([name]) => (name === 'secrets' ? 'build' : 'never')));
});

test('every container is confined: no root, no right, no way to write but where it must, and bounds', () => {
  /** Whose images have a user of their own. */
  const hasUser = /^(tollgate|apache\/kafka):/;
  for (const [name, service] of services) {
    expect(service.read_only, name).toBe(true);
    expect(service.cap_drop, name).toEqual(['ALL']);
    expect(service.security_opt, name).toEqual(['no-new-privileges:true']);
    expect(new Set(Object.keys(service.deploy?.resources.limits ?? {})), name).toEqual(new Set(['cpus', 'memory', 'pids']));
    expect(service.logging?.options['max-size'], name).toBeDefined();
    if (hasUser.test(service.image)) expect(service.user).toBeUndefined();
    else expect(service.user, name).toMatch(/^(?!root|0)/);
    expect(isTask(service) || service.restart === 'unless-stopped', name).toBe(true);
  }
});

test('the gateway is all that other machines can reach', () => {
  const open = services.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
  expect(open).toEqual(['gateway 8080:8080', 'prometheus 127.0.0.1:9090:9090', 'grafana 127.0.0.1:3001:3000']);
  expect(compose.networks['backend']?.internal).toBe(true);
  const onBackend = ([, { networks = [] }]: [string, ComposeService]) =>
    new Set(Array.isArray(networks) ? networks : Object.keys(networks)).has('backend');
  expect(services.filter(onBackend).map(([name]) => name)).not.toContain('upstream');
});

test('whoever waits for a service waits for one that can come to be so, and none for itself', () => {
  for (const [name, { depends_on: needs = {}, profiles }] of services) {
    for (const [need, { condition }] of Object.entries(needs)) {
      const needed = compose.services[need];
      expect(needed, `${name} needs ${need}`).toBeDefined();
      if (needed === undefined) continue;
      if (profiles === undefined) expect(needed.profiles, `${name} needs ${need}`).toBeUndefined();
      expect(condition, `${name} needs ${need}`).toBe(
        isTask(needed)
          ? 'service_completed_successfully'
          : needed.healthcheck === undefined || name === 'reconciler'
            ? 'service_started'
            : 'service_healthy',
      );
    }
    expect(needsOf(name, new Set())).not.toContain(name);
  }
});

function needsOf(name: string, seen: Set<string>): Set<string> {
  for (const need of Object.keys(compose.services[name]?.depends_on ?? {})) {
    if (seen.has(need)) continue;
    seen.add(need);
    needsOf(need, seen);
  }
  return seen;
}

test('no secret stands in the file: whoever needs one reads a file of a volume that only he and its maker mount', () => {
  for (const [name, { environment = {}, command = [] }] of services) {
    const spoken = Object.entries(environment).filter(([variable]) => /PASSWORD|SECRET|TOKEN/.test(variable));
    for (const [variable, value] of spoken) {
      expect(variable, name).toMatch(/_FILE$/);
      expect(
        mountsOf(compose.services[name] as ComposeService).some(({ target }) => value.startsWith(`${target}/`)),
        name,
      ).toBe(true);
    }
    expect(
      [...Object.values(environment), ...command].filter((text) => /:\/\/[^/\s]*:[^/\s]*@|requirepass/.test(text)),
      name,
    ).toEqual([]);
  }
  const mounted = services.flatMap(([name, service]) =>
    mountsOf(service).flatMap(({ source, isReadOnly }) => (source.endsWith('-secrets') ? [{ source, name, isReadOnly }] : [])),
  );
  const readers = (volume: string) =>
    mounted.filter(({ source, isReadOnly }) => source === volume && isReadOnly).map(({ name }) => name);
  expect(mounted.filter(({ isReadOnly }) => !isReadOnly).map(({ name }) => name)).toEqual(Array(4).fill('secrets'));
  expect(readers('postgres-secrets')).toEqual(['postgres']);
  expect(readers('database-secrets')).toEqual(['migrate', 'authz', 'ratelimit', 'writer', 'reconciler', 'tollgate']);
  expect(readers('redis-secrets')).toEqual(['redis', 'ratelimit', 'tollgate']);
  expect(readers('grafana-secrets')).toEqual(['grafana']);
});

test('every volume is used, every file that is mounted is there', () => {
  const mounts = services.flatMap(([, service]) => mountsOf(service));
  const named = mounts.filter(({ source }) => !source.startsWith('./')).map(({ source }) => source);
  expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)));
  const files = mounts.filter(({ source }) => source.startsWith('./'));
  expect(files.filter(({ source }) => !existsSync(join(PROJECT, source)))).toEqual([]);
});

test('Prometheus reaches all that it scrapes, Grafana finds Prometheus and the dashboards', () => {
  const aliases = aliasesOf(compose.services['gateway'] as ComposeService);
  const admin = ours.flatMap(([name, service]) => {
    const port = service.environment?.['ADMIN_LISTEN']?.split(':')[1];
    const hosts = networkOwner(name, service) === name ? [name] : aliases;
    return port === undefined ? [] : hosts.map((host) => `${host}:${port}`);
  });
  const metricsPort = /--metrics-port (\d+)/.exec(compose.services['envoy-config']?.command?.join(' ') ?? '')?.[1];
  const { scrape_configs: jobs } = parse(readProjectFile('deploy/prometheus/prometheus.yml').text) as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  const targets = jobs.flatMap(({ static_configs: configs }) => configs.flatMap((each) => each.targets));
  expect(targets.length).toBeGreaterThan(0);
  expect(targets.filter((target) => ![...admin, `envoy:${metricsPort}`].includes(target))).toEqual([]);

  const provisioning = (path: string) => readProjectFile(`deploy/grafana/provisioning/${path}`).text;
  expect(provisioning('datasources/prometheus.yml')).toContain('url: http://prometheus:9090\n');
  const dashboards = mountsOf(compose.services['grafana'] as ComposeService).find(({ source }) => source.endsWith('/dashboards'));
  expect(provisioning('dashboards/tollgate.yml')).toContain(`path: ${dashboards?.target} `);
});

test('volumes of ours are mounted where the image has a folder that its user owns', () => {
  const dockerfile = parseDockerfile(readProjectFile('deploy/Dockerfile').text);
  const made = dockerfile.flatMap(({ word, rest }) =>
    word === 'RUN' ? [/for folder in ([^;]+); do mkdir -p state/.exec(rest)?.[1]] : [],
  );
  const folders = made.flatMap((list) => list?.split(' ') ?? []).map((folder) => `/var/lib/tollgate/${folder}`);
  expect(dockerfile).toContainEqual({ word: 'COPY', rest: '--from=build --chown=node:node /app/state /var/lib/tollgate' });
  const targets = ours.flatMap(([, service]) => mountsOf(service).map(({ target }) => target));
  expect(new Set(targets)).toEqual(new Set(folders));
});

test('the reconciler reads the file of the Envoy beside it, whose node it names', () => {
  const { reconciler, envoy, 'envoy-config': config } = compose.services as Record<string, ComposeService>;
  const { USAGE_FILE = '', USAGE_NODE_ID, ENVOY_ADMIN_URL } = reconciler?.environment ?? {};
  const rendered = parse(renderEnvoyConfig()) as {
    node: { id: string };
    admin: { address: { socket_address: { address: string; port_value: number } } };
  };
  const { address, port_value: port } = rendered.admin.address.socket_address;
  expect(USAGE_NODE_ID).toBe(rendered.node.id);
  expect(ENVOY_ADMIN_URL).toBe(`http://${address}:${port}`);
  expect(config?.command?.join(' ')).toContain(`--usage-file ${USAGE_FILE}`);
  for (const service of [reconciler, envoy]) {
    expect(networkOwner('', service as ComposeService)).toBe('gateway');
    expect(mountsOf(service as ComposeService)).toContainEqual({
      source: 'envoy-log',
      target: USAGE_FILE.replace(/\/[^/]+$/, ''),
      isReadOnly: false,
    });
  }
});

test('no file with a secret, and nothing that was built here, is sent to Docker', () => {
  const isIgnored = dockerIgnore(readProjectFile('.dockerignore').text);
  for (const path of [
    '.env',
    '.git/config',
    '.tollgate/demo.json',
    'node_modules/a/b.js',
    'cli/node_modules/a.js',
    'dist/authz.js',
  ])
    expect(isIgnored(path), path).toBe(true);
  for (const path of [
    'package.json',
    'packages/testing/package.json',
    'migrations/0001_organizations.up.sql',
    'deploy/health-check.mjs',
  ])
    expect(isIgnored(path), path).toBe(false);
});
