import { ERRORS, type ErrorCode } from '@tollgate/domain/error-code';
import type { EnvoyConfig } from './options.js';
import { indented, quoted, quotedFormat, stacked } from './yaml-text.js';

/** When the request began, in the form of every timestamp of ours. */
export const TIMESTAMP = '%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%';
export const READY_PATH = '^/health/ready(\\?.*)?$';

/**
 * Gives every answer that Envoy makes itself the JSON of our errors. An answer of the upstream is no local reply and is
 * never touched. The first mapper that matches wins.
 */
export function localReplies(config: EnvoyConfig): string {
  return stacked(PASS_THROUGH, readiness('ok', 'EQ', 200, config), readiness('unavailable', 'GE', 400, config), ...ERROR_MAPPERS);
}

const PASS_THROUGH = `# gRPC calls: Envoy puts the body into grpc-message, where JSON would be noise.
- filter: { header_filter: { header: { name: content-type, string_match: { prefix: application/grpc } } } }
  body_format_override: &as_it_is { text_format_source: { inline_string: "%LOCAL_REPLY_BODY%" } }
# Whoever set a content-type made its own body: our services do (denials of authz, 429 of ratelimit). Envoy sets the
# content-type of its own replies only after these mappers.
- filter:
    extension_filter:
      name: envoy.access_loggers.extension_filters.cel
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter
        expression: "'content-type' in response.headers"
  body_format_override: *as_it_is`;

export function healthBody(status: string, config: EnvoyConfig): string {
  const version = config.version === undefined ? '"%ENVIRONMENT(TOLLGATE_VERSION)%"' : quotedFormat(config.version);
  return `{ status: ${quoted(status)}, timestamp: "${TIMESTAMP}", version: ${version} }`;
}

function readiness(status: string, op: 'EQ' | 'GE', code: number, config: EnvoyConfig): string {
  const isReady = `header_filter: { header: { name: ":path", string_match: { safe_regex: { regex: ${quoted(READY_PATH)} } } } }`;
  return `- filter: { and_filter: { filters: [ { ${isReady} }, { ${statusFilter(op, code)} } ] } }
  body_format_override: { json_format: ${healthBody(status, config)} }`;
}

const RETRY_AFTER = `headers_to_add:
- header: { key: retry-after, value: "%CEL(request.time.getMilliseconds() / 200 + 1)%" }
  append_action: OVERWRITE_IF_EXISTS_OR_ADD`;

/** Which of Envoy's own failures is which error of ours. The flags are those of Envoy's %RESPONSE_FLAGS%. */
const ERROR_MAPPERS = [
  '# Envoy has no route, or no upstream that it could mean.',
  errorMapper('route_not_found', statusFilter('EQ', 404)),
  errorMapper('payload_too_large', statusFilter('EQ', 413)),
  errorMapper('headers_too_large', statusFilter('EQ', 431)),
  `# UAEX with a 5xx: authz did not answer, or answered that it cannot decide. Retry-After is 1 to 5 seconds, by the
# millisecond in which the request began, so that callers do not all come back at once.`,
  errorMapper('authorization_unavailable', bothOf(flagFilter('UAEX'), statusFilter('GE', 500)), RETRY_AFTER),
  '# Every way to be too late is a 504: the route timeout, an idle stream, the longest life of a stream.',
  errorMapper('upstream_timeout', statusFilter('EQ', 504)),
  '# No healthy host, refused, reset, broken off, overflow of the pool, retries used up, bad protocol, no DNS answer.',
  errorMapper('upstream_unavailable', flagFilter('UH', 'UF', 'UC', 'UR', 'LR', 'UO', 'URX', 'NC', 'UPE', 'DF')),
  errorMapper('gateway_error', statusFilter('GE', 500)),
  '# What is left are refusals of the request itself: broken HTTP, an escaped slash in the path, an underscore in a header.',
  errorMapper('bad_request', statusFilter('GE', 400)),
];

function errorMapper(code: ErrorCode, filter: string, more?: string): string {
  const { message } = ERRORS[code];
  return stacked(
    `- filter: { ${filter} }`,
    more === undefined ? undefined : indented(2, more),
    `  body_format_override:
    json_format:
      error: { code: ${code}, message: ${quotedFormat(message)} }
      timestamp: "${TIMESTAMP}"
      request_id: "%STREAM_ID%"`,
  );
}

function statusFilter(op: 'EQ' | 'GE', code: number): string {
  // The runtime key is demanded by Envoy; nobody sets it.
  return `status_code_filter: { comparison: { op: ${op}, value: { default_value: ${code}, runtime_key: tollgate.unused } } }`;
}

function flagFilter(...flags: string[]): string {
  return `response_flag_filter: { flags: [ ${flags.join(', ')} ] }`;
}

function bothOf(first: string, second: string): string {
  return `and_filter: { filters: [ { ${first} }, { ${second} } ] }`;
}
