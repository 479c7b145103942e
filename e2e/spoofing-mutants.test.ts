import { beforeAll, expect, test } from 'vitest';
import { FRAMING_CASES } from './spoofing/framing-cases.js';
import { IDENTITY_CASES } from './spoofing/identity-cases.js';
import { faultsOf } from './spoofing/judge.js';
import { KEY_CASES } from './spoofing/key-cases.js';
import { PATH_CASES } from './spoofing/path-cases.js';
import { ROUTE_CASES } from './spoofing/route-cases.js';
import { type RoutedGateway, startRoutedGateway } from './spoofing/world.js';

/** Each defence of the configuration taken away: the table of attempts must notice, or it proves nothing. */

const CASES = [...IDENTITY_CASES, ...KEY_CASES, ...PATH_CASES, ...FRAMING_CASES, ...ROUTE_CASES];

interface Mutant {
  /** What is replaced in the YAML, and by what. */
  change: readonly [from: RegExp, to: string];
  /** Attempts that succeed then, over either protocol. */
  noticedBy: readonly string[];
}

const MUTANTS: Record<string, Mutant> = {
  'names of our identity are not removed early': {
    change: [/^ *- remove: x-(organization-id|api-key-id|plan-tier)\n/gm, ''],
    noticedBy: ['a public route tells no identity', 'a websocket on a public route', 'public gRPC with a forged identity'],
  },
  'no header is removed early': {
    change: [/^( *)early_header_mutation_extensions:\n(\1[ -].*\n)*/m, ''],
    noticedBy: [
      'a public route tells no identity',
      'a reserved name',
      "the caller's request id",
      'x-envoy-peer-metadata',
      'X-Forwarded-Host',
    ],
  },
  'what authz removes stays': {
    change: [
      /^( *)allowed_headers: \{ patterns: \[ \{ exact: x-api-key/m,
      '$1decoder_header_mutation_rules: { disallow_expression: { regex: "x-api-key|authorization" } }\n$&',
    ],
    noticedBy: ['the organization is ours', 'the same key in both headers', 'bearer in small letters'],
  },
  'underscores pass': {
    change: [/headers_with_underscores_action: REJECT_REQUEST/, 'headers_with_underscores_action: ALLOW'],
    noticedBy: ['x_organization_id with underscores', 'underscores on a public route'],
  },
  'paths are not normalised': {
    change: [/normalize_path: true\n *merge_slashes: true/, 'normalize_path: false'],
    noticedBy: ['the scope holds for //scoped', 'the scope holds for /x/../scoped', 'the scope holds for /public/../scoped'],
  },
  'escaped slashes stay': {
    change: [/path_with_escaped_slashes_action: REJECT_REQUEST/, 'path_with_escaped_slashes_action: KEEP_UNCHANGED'],
    noticedBy: ['/scoped%2Fx is refused', '/public%2F..%2Fscoped is refused'],
  },
  'path parameters pass': {
    change: [/regex: "\.\*\(;\|%3\[bB\]\)\.\*"/, 'regex: "/never"'],
    noticedBy: ['/scoped;a=b is refused', '/public/%2e%2e;/scoped is refused'],
  },
  'trailers pass': {
    change: [/request_trailers_mutations:\n( *- .*\n)+/, 'request_trailers_mutations: []\n'],
    noticedBy: [
      'gRPC with a forged identity and the key in trailers',
      'public gRPC with a forged identity and the key in trailers',
    ],
  },
  'a public route passes the key on': {
    change: [/request_headers_to_remove: \[.*\]/g, 'request_headers_to_remove: []'],
    noticedBy: ['a public route passes no key on', 'a public route tells no identity, though a key is sent'],
  },
  'the address that a caller tells is believed': {
    change: [/use_remote_address: true/, 'use_remote_address: false'],
    noticedBy: ['X-Forwarded-For ends with', 'X-Forwarded-Proto tells'],
  },
};

let gateway: RoutedGateway;
beforeAll(async () => {
  gateway = await startRoutedGateway();
  return () => gateway.close();
});

test.each(Object.entries(MUTANTS))('the attempts notice when %s', async (_, { change: [from, to], noticedBy }) => {
  const world = await gateway.open((yaml) => {
    expect(yaml).toMatch(from);
    return yaml.replace(from, to);
  });
  const noticing: string[] = [];
  try {
    for (const attempt of CASES) if ((await faultsOf(world, attempt)).length > 0) noticing.push(attempt.title);
  } finally {
    await world.close();
  }
  for (const title of noticedBy) expect(noticing).toContainEqual(expect.stringContaining(title));
});
