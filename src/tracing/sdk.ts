import { diag, DiagLogLevel, ROOT_CONTEXT, SpanKind as Kind, SpanStatusCode, trace, TraceFlags, type Context, type Span as OtelSpan } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler, AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider, type Sampler,
} from '@opentelemetry/sdk-trace';
import { randomUUID } from 'node:crypto';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import type { Logger } from '../log';
import { LINKS_MAX, type Attributes, type Span, type SpanKind, type SpanStart, type Tracing } from './tracing';
import type { TraceContext } from './trace-context';

/** Characters of an attribute's text, and attributes of a span. */
const ATTRIBUTE_LENGTH_MAX = 1_024;
const ATTRIBUTES_MAX = 64;
/** What is not sent by then at the end of a process is lost, ms; below the time that a stop has. */
const STOP_MS = 2_000;
/** A collector that is away is said so often, ms: each try of each process would say it. */
const SAY_EVERY_MS = 60_000;

const KINDS: Readonly<Record<SpanKind, Kind>> = {
  internal: Kind.INTERNAL, server: Kind.SERVER, client: Kind.CLIENT, producer: Kind.PRODUCER, consumer: Kind.CONSUMER,
};

/** OpenTelemetry's own SDK behind our port: samples, batches, and sends by OTLP over HTTP. Never slows or fails who records. */
export function openSdk(config: Config, log: Logger, process: string): Tracing {
  sayTroubles(log);
  const exporter = new OTLPTraceExporter({ url: endpointOf(config), headers: headersOf(config) });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.namespace': 'fazenda',
      'service.instance.id': randomUUID(),
      'fazenda.process': process,
      ...config.OTEL_RESOURCE_ATTRIBUTES,
      'service.name': config.OTEL_SERVICE_NAME ?? config.OTEL_RESOURCE_ATTRIBUTES['service.name'] ?? `fazenda-${process}`,
    }),
    sampler: samplerOf(config),
    spanLimits: { attributeValueLengthLimit: ATTRIBUTE_LENGTH_MAX, attributeCountLimit: ATTRIBUTES_MAX, linkCountLimit: LINKS_MAX },
    spanProcessors: [new BatchSpanProcessor({
      exporter,
      scheduledDelayMillis: config.OTEL_BSP_SCHEDULE_DELAY,
      maxQueueSize: config.OTEL_BSP_MAX_QUEUE_SIZE,
      maxExportBatchSize: config.OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    })],
  });
  const tracer = provider.getTracer('fazenda');

  return {
    start: ({ name, kind, parent, links = [], attributes, startMs }: SpanStart) => spanOf(tracer.startSpan(name, {
      kind: KINDS[kind],
      root: parent === undefined,
      links: links.slice(0, LINKS_MAX).map((to) => ({ context: contextOf(to) })),
      ...(attributes && { attributes: { ...attributes } }),
      ...(startMs !== undefined && { startTime: startMs }),
    }, below(parent))),
    async stop() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, STOP_MS)));
      const stopped = provider.shutdown().catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'the last spans could not be sent'));
      await Promise.race([stopped, late]);
      clearTimeout(timer);
    },
  };
}

function spanOf(span: OtelSpan): Span {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    context: { traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 },
    recording: span.isRecording(),
    rename: (name) => void span.updateName(name),
    set: (attributes: Attributes) => void span.setAttributes({ ...attributes }),
    link: (to) => void span.addLink({ context: contextOf(to) }),
    fail(thrown) {
      span.setAttribute('error.type', thrown instanceof FazendaError ? thrown.code : thrown instanceof Error ? thrown.name : typeof thrown);
      span.setStatus({ code: SpanStatusCode.ERROR, message: textOf(thrown).slice(0, ATTRIBUTE_LENGTH_MAX) });
    },
    end: (endMs) => span.end(endMs),
  };
}

function below(parent: TraceContext | undefined): Context {
  return parent ? trace.setSpanContext(ROOT_CONTEXT, contextOf(parent)) : ROOT_CONTEXT;
}

function contextOf({ traceId, spanId, sampled }: TraceContext) {
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true };
}

function samplerOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }: Config): Sampler {
  const inner = name.replace('parentbased_', '');
  const root = inner === 'always_on' ? new AlwaysOnSampler() : inner === 'always_off' ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp */
function endpointOf({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ofTraces, OTEL_EXPORTER_OTLP_ENDPOINT: base }: Config): string {
  return ofTraces?.reveal() ?? `${(base?.reveal() ?? '').replace(/\/$/, '')}/v1/traces`;
}

function headersOf({ OTEL_EXPORTER_OTLP_HEADERS: headers }: Config): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
}

/** The library's complaints, in our log. A collector that is away is nobody's fault here, and not said at every try. */
function sayTroubles(log: Logger): void {
  let saidAt = -Infinity;
  const say = (message: string): void => {
    if (Date.now() - saidAt < SAY_EVERY_MS) return;
    saidAt = Date.now();
    log.warn({ cause: message.slice(0, ATTRIBUTE_LENGTH_MAX) }, 'spans cannot be sent; whatever traces show, something is missing');
  };
  const quiet = (): void => undefined;
  diag.setLogger({ error: say, warn: say, info: quiet, debug: quiet, verbose: quiet }, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}
