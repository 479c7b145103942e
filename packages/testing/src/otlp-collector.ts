import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import protobuf from 'protobufjs';

export interface CollectedSpan {
  /** `service.name` of its resource. */
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentSpanId: string;
  kind: 'internal' | 'server' | 'client' | 'other';
  isError: boolean;
  attributes: Record<string, unknown>;
}

export interface ReceivedExport {
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface OtlpCollector {
  /** As OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string;
  /** Whole messages, in the order of their arrival, whatever was answered. */
  received: readonly ReceivedExport[];
  /** All spans that it has answered with 200, of one trace if named. */
  spans(traceId?: string): CollectedSpan[];
  /** From now on: takes spans, answers with this status, or never answers. */
  behave(how: 'take' | 'hang' | number): void;
  /** Nobody listens any more. May be called again. */
  close(): Promise<void>;
}

/** What OTLP over HTTP has of traces, as far as tests look: https://opentelemetry.io/docs/specs/otlp/ */
const TRACES = `
syntax = "proto3";
message Export { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { repeated Span spans = 2; }
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  bytes parent_span_id = 4;
  string name = 5;
  int32 kind = 6;
  repeated KeyValue attributes = 9;
  Status status = 15;
}
message Status { int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string text = 1; bool flag = 2; int64 whole = 3; double number = 4; } }
`;
const EXPORT = protobuf.parse(TRACES, { keepCase: true }).root.lookupType('Export');
const KINDS: Readonly<Record<number, CollectedSpan['kind']>> = { 1: 'internal', 2: 'server', 3: 'client' };
const ERROR = 2;

/** A collector on loopback that keeps what it gets by OTLP over HTTP in protobuf. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const received: ReceivedExport[] = [];
  const taken: CollectedSpan[] = [];
  let how: 'take' | 'hang' | number = 'take';
  let closed: Promise<void> | undefined;
  const answer = (body: Buffer, response: ServerResponse): void => {
    if (how === 'hang') return;
    if (how === 'take') taken.push(...spansIn(body));
    response.writeHead(how === 'take' ? 200 : how, { 'content-type': 'application/x-protobuf' }).end();
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      received.push({ path: request.url ?? '', headers: request.headers, body });
      answer(body, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    spans: (traceId) => taken.filter((span) => traceId === undefined || span.traceId === traceId),
    behave(next) {
      how = next;
    },
    close() {
      closed ??= closeServer(server);
      return closed;
    },
  };
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

interface KeyValue {
  key: string;
  value?: Record<string, unknown>;
}
interface WireSpan {
  trace_id: string;
  span_id: string;
  parent_span_id?: string;
  name: string;
  kind: number;
  attributes?: KeyValue[];
  status?: { code: number };
}
interface WireExport {
  resource_spans?: { resource?: { attributes?: KeyValue[] }; scope_spans?: { spans?: WireSpan[] }[] }[];
}

function spansIn(body: Buffer): CollectedSpan[] {
  const { resource_spans = [] } = EXPORT.toObject(EXPORT.decode(body), { longs: Number, bytes: String }) as WireExport;
  return resource_spans.flatMap(({ resource, scope_spans = [] }) => {
    const service = String(attributesOf(resource?.attributes)['service.name']);
    return scope_spans.flatMap(({ spans = [] }) => spans.map((span) => collected(service, span)));
  });
}

function collected(service: string, span: WireSpan): CollectedSpan {
  return {
    service,
    name: span.name,
    traceId: hex(span.trace_id),
    spanId: hex(span.span_id),
    parentSpanId: hex(span.parent_span_id ?? ''),
    kind: KINDS[span.kind] ?? 'other',
    isError: span.status?.code === ERROR,
    attributes: attributesOf(span.attributes),
  };
}

function attributesOf(attributes: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value = {} }) => [key, Object.values(value)[0]]));
}

function hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
