import { bootstrap } from './bootstrap.js';
import { configProblems } from './check-config.js';
import { listener } from './listener.js';
import { adminCluster, metricsListener } from './metrics-listener.js';
import { type EnvoyConfig, type EnvoyConfigOptions, withDefaults } from './options.js';
import { serviceClusters } from './service-clusters.js';
import { tracingCluster, tracingRuntime } from './tracing.js';
import { upstreamClusters } from './upstream-clusters.js';
import { asItem, indented, stacked } from './yaml-text.js';

/** The options make no configuration; `problems` names everything that is wrong with them. */
export class EnvoyConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`No Envoy configuration can be made:\n  ${problems.join('\n  ')}`);
  }
}

/**
 * The gateway's whole Envoy configuration as YAML with comments, for Envoy 1.40 or later. The same options give the same
 * text. Throws {@link EnvoyConfigError} on options that make no sense.
 */
export function renderEnvoyConfig(options: EnvoyConfigOptions = {}): string {
  const config = withDefaults(options);
  const problems = configProblems(config);
  if (problems.length > 0) throw new EnvoyConfigError(problems);
  const text = `# The gateway: Envoy 1.40 or later. Written by \`tollgate config render\`; see envoy/README.md for the pieces.
# A caller's request meets, in this order: header clean-up, /health, CORS, authz, ratelimit, the upstream. Its end is told
# to the usage collector.
${stacked(bootstrap(config), tracingRuntime(config))}

static_resources:
  listeners:
${indented(2, stacked(asItem(listener(config)), config.metrics && asItem(metricsListener(config.metrics))))}

  clusters:
${indented(2, clusters(config))}
`;
  return text.replace(/\n{3,}/g, '\n\n');
}

function clusters(config: EnvoyConfig): string {
  const admin = config.metrics && adminCluster(config.admin);
  return stacked(serviceClusters(config), tracingCluster(config), upstreamClusters(config), admin);
}
