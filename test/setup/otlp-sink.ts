import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { parse } from 'protobufjs';

/**
 * Stands in for a collector: it keeps what it is sent, and has no other use. What comes in is what the real exporter
 * sends: OTLP over HTTP, protobuf. https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto
 */
export interface OtlpSink {
  readonly url: string;
  readonly spans: readonly TakenSpan[];
  /** Headers of the last request. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  close(): Promise<void>;
}

export interface TakenSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty at a root. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: number;
  /** Milliseconds since 1970, with their fraction. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 2 is an error. */
  readonly status: number;
}

const ExportTraceServiceRequest = parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9; repeated Link links = 13; Status status = 15;
  }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`).root.lookupType('Request');

interface KeyValue { key: string; value?: Record<string, unknown> }
interface WireSpan {
  traceId: string; spanId: string; parentSpanId?: string; name: string; kind?: number; startTimeUnixNano: string; endTimeUnixNano: string;
  attributes?: KeyValue[]; links?: { traceId: string; spanId: string }[]; status?: { code?: number };
}
interface WireRequest { resourceSpans?: { resource?: { attributes?: KeyValue[] }; scopeSpans?: { spans?: WireSpan[] }[] }[] }

export async function openOtlpSink(): Promise<OtlpSink> {
  const spans: TakenSpan[] = [];
  let headers: OtlpSink['headers'] = {};
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part)).on('end', () => {
      headers = request.headers;
      const body = Buffer.concat(parts);
      spans.push(...spansOf(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body));
      response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get headers() {
      return headers;
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

function spansOf(body: Buffer): TakenSpan[] {
  const request = ExportTraceServiceRequest.toObject(ExportTraceServiceRequest.decode(body), { bytes: String, longs: String }) as WireRequest;
  return (request.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) => {
    const service = String(attributesOf(resource?.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans = [] }) => spans.map((span): TakenSpan => ({
      service, traceId: hex(span.traceId), spanId: hex(span.spanId), parentId: hex(span.parentSpanId ?? ''), name: span.name, kind: span.kind ?? 0,
      startMs: Number(span.startTimeUnixNano) / 1e6, endMs: Number(span.endTimeUnixNano) / 1e6, attributes: attributesOf(span.attributes),
      links: (span.links ?? []).map((link) => ({ traceId: hex(link.traceId), spanId: hex(link.spanId) })), status: span.status?.code ?? 0,
    })));
  });
}

function attributesOf(pairs: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value = {} }) => {
    const [held] = Object.values(value);
    return [key, 'intValue' in value ? Number(held) : held];
  }));
}

function hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
