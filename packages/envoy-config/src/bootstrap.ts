import type { EnvoyConfig } from './options.js';
import { envoyAddress, indented, quoted } from './yaml-text.js';

const MAX_HEAP_BYTES = 2 * 1024 ** 3;
const MAX_CONNECTIONS = 50_000;

/** The part of the file that is about the process itself. */
export function bootstrap(config: EnvoyConfig): string {
  return `# The node's id is part of every usage event's id: each gateway that writes into one event log needs its own.
node: { id: ${quoted(config.nodeId)}, cluster: tollgate }

admin:
  address: ${envoyAddress(config.admin)}
  # The admin interface can stop the gateway, so it listens on this machine alone and answers these paths only:
  # /ready, /stats, /listeners and /clusters to look; the rest to drain, stop and rotate the log file.
  allow_paths:
${indented(2, ADMIN_PATHS)}

# Memory is bounded: near the limit Envoy gives memory back, then refuses new requests rather than being killed.
overload_manager:
  refresh_interval: 0.25s
  resource_monitors:
  - name: envoy.resource_monitors.fixed_heap
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig
      max_heap_size_bytes: ${MAX_HEAP_BYTES}
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
      max_active_downstream_connections: ${MAX_CONNECTIONS}
  actions:
  - name: envoy.overload_actions.shrink_heap
    triggers: [ { name: envoy.resource_monitors.fixed_heap, threshold: { value: 0.95 } } ]
  - name: envoy.overload_actions.stop_accepting_requests
    triggers: [ { name: envoy.resource_monitors.fixed_heap, threshold: { value: 0.98 } } ]`;
}

const ADMIN_PATHS = `- { exact: /ready }
- { prefix: /stats }
- { prefix: /listeners }
- { prefix: /clusters }
- { exact: /healthcheck/fail }
- { prefix: /drain_listeners }
- { exact: /quitquitquit }
- { exact: /reopen_logs }`;
