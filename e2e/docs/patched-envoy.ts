import { parseAllDocuments, stringify } from 'yaml';

type Tree = Record<string, unknown>;

/** One patch, of an EnvoyFilter of Istio or of an EnvoyPatchPolicy of Envoy Gateway. */
interface Patch {
  /** What of Envoy's configuration it goes into. */
  into: 'filter' | 'cluster' | 'connection manager';
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
  const manager = Object.assign(
    {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      stat_prefix: 'docs',
      route_config: {
        virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] }],
      },
      http_filters: [...of('filter'), ROUTER],
    },
    ...(of('connection manager') as Tree[]),
  ) as Tree;
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  return stringify({
    static_resources: {
      listeners: [{ name: 'docs', address, filter_chains: [{ filters }] }],
      clusters: [...of('cluster'), ...meshClusters(manifest)],
    },
  });
}

interface GatewayPatch {
  type: string;
  operation: { path?: string; jsonPath?: string; value: unknown };
}

interface Manifest {
  spec?: {
    configPatches?: { applyTo: string; patch: { value: Tree } }[];
    jsonPatches?: GatewayPatch[];
  };
}

const ISTIO: Readonly<Record<string, Patch['into']>> = {
  HTTP_FILTER: 'filter',
  CLUSTER: 'cluster',
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

function ofEnvoyGateway({ type, operation: { path = '', jsonPath = '', value } }: GatewayPatch): Patch {
  if (type.endsWith('.Cluster')) return { into: 'cluster', value };
  if (jsonPath.startsWith('..http_filters[')) return { into: 'filter', value };
  const field = /\/typed_config\/([a-z_]+)\/-$/.exec(path)?.[1];
  if (field === undefined) throw new Error(`the test cannot apply a patch at ${path}${jsonPath}`);
  return { into: 'connection manager', value: { [field]: [value] } };
}

/** Clusters that Istio makes by itself, of the mesh's services. */
function meshClusters(manifest: string): unknown[] {
  const names = new Set(manifest.match(/outbound\|\d+\|\|[\w.-]+/g));
  return [...names].map((name) => ({ name, load_assignment: { cluster_name: name } }));
}
