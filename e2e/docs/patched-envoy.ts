import { parseAllDocuments, stringify } from 'yaml';

type Tree = Record<string, unknown>;

/** One patch, of an EnvoyFilter of Istio or of an EnvoyPatchPolicy of Envoy Gateway. */
interface Patch {
  /** What of Envoy's configuration it goes into. */
  into: 'filter' | 'cluster' | 'virtual host' | 'connection manager';
  value: unknown;
}

const ROUTER = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
};

/** A configuration for Envoy with every patch of a manifest in it: what their controllers make needs more, but no less. */
export function patchedEnvoy(manifest: string): string {
  const documents = parseAllDocuments(manifest, { uniqueKeys: true });
  const patches = documents.flatMap((document) => {
    if (document.errors.length > 0) throw new Error(document.errors.map(({ message }) => message).join('\n'));
    return patchesOf(document.toJS() as Manifest);
  });
  if (patches.length === 0) throw new Error('there is no patch in it');
  const of = (into: Patch['into']): unknown[] => patches.filter((patch) => patch.into === into).map(({ value }) => value);
  const virtualHost = Object.assign(
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] },
    ...(of('virtual host') as Tree[]),
  ) as Tree;
  const manager = Object.assign(
    {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      stat_prefix: 'docs',
      route_config: { virtual_hosts: [virtualHost] },
      http_filters: [...of('filter'), ROUTER],
    },
    ...(of('connection manager') as Tree[]),
  ) as Tree;
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  return stringify({
    static_resources: {
      listeners: [{ name: 'docs', address, filter_chains: [{ filters }] }],
      clusters: of('cluster'),
    },
  });
}

interface Manifest {
  spec?: {
    configPatches?: { applyTo: string; patch: { value: Tree } }[];
    jsonPatches?: { type: string; operation: { path: string; value: unknown } }[];
  };
}

const ISTIO: Readonly<Record<string, Patch['into']>> = {
  HTTP_FILTER: 'filter',
  CLUSTER: 'cluster',
  VIRTUAL_HOST: 'virtual host',
  NETWORK_FILTER: 'connection manager',
};

function patchesOf({ spec }: Manifest): Patch[] {
  const istio = (spec?.configPatches ?? []).map(({ applyTo, patch }) => {
    const into = ISTIO[applyTo];
    if (into === undefined) throw new Error(`the test cannot apply a patch to ${applyTo}`);
    return { into, value: into === 'connection manager' ? patch.value['typed_config'] : patch.value };
  });
  return [...istio, ...(spec?.jsonPatches ?? []).map(ofEnvoyGateway)];
}

function ofEnvoyGateway({
  type,
  operation: { path, value },
}: {
  type: string;
  operation: { path: string; value: unknown };
}): Patch {
  if (type.endsWith('.Cluster')) return { into: 'cluster', value };
  const [, field = '', place] = /\/([a-z_]+)(?:\/(\d+|-))?$/.exec(path) ?? [];
  if (type.endsWith('.RouteConfiguration')) return { into: 'virtual host', value: { [field]: value } };
  if (field === 'http_filters' && place !== undefined) return { into: 'filter', value };
  return { into: 'connection manager', value: { [field]: value } };
}
