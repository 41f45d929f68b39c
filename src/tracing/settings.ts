import { z } from 'zod';
import { Secret } from '../secret';

/**
 * Settings of traces by their usual names, as the one reader of the environment takes them:
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and …/protocol/exporter/.
 * Certificates, compression and time limits of the exporter (OTEL_EXPORTER_OTLP_…) are read by its library.
 */

const url = () => z.url({ protocol: /^https?$/ }).transform((text) => new Secret(text)).optional();
const count = (preset: number) => z.coerce.number().int().min(1).max(1_000_000).default(preset);

const SAMPLERS = ['always_on', 'always_off', 'traceidratio', 'parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const;
export type SamplerName = (typeof SAMPLERS)[number];

export const tracingSettings = {
  /** Where spans go; `v1/traces` is added. Unset, nothing is recorded and no library is loaded. */
  OTEL_EXPORTER_OTLP_ENDPOINT: url(),
  /** The same for traces alone, and as it stands. */
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url(),
  /** `name=value` by commas, percent-encoded; tokens mostly. */
  OTEL_EXPORTER_OTLP_HEADERS: headers(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z.literal('http/protobuf', 'only http/protobuf is spoken: take the port of OTLP over HTTP, 4318').default('http/protobuf'),
  OTEL_SDK_DISABLED: z.enum(['true', 'false']).default('false').transform((text) => text === 'true'),
  OTEL_TRACES_EXPORTER: z.enum(['otlp', 'none']).default('otlp'),
  /** Unset, each process is a service: `fazenda-api`, `fazenda-worker`, … */
  OTEL_SERVICE_NAME: z.string().min(1).max(255).optional(),
  /** `name=value` by commas, percent-encoded, about all that runs here: `deployment.environment.name=prod`. */
  OTEL_RESOURCE_ATTRIBUTES: z.string().transform((text, context) => pairsOf(text, context)).default({}),
  OTEL_TRACES_SAMPLER: z.enum(SAMPLERS).default('parentbased_always_on'),
  /** The share of traces that a ratio sampler takes, 0 to 1. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  /** How long a span waits for others before they are sent, ms. */
  OTEL_BSP_SCHEDULE_DELAY: z.coerce.number().int().min(10).max(60_000).default(5_000),
  /** Spans that wait at most; beyond it they are dropped. */
  OTEL_BSP_MAX_QUEUE_SIZE: count(8_192),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: count(512),
};

/** What is wrong between settings that are each right. */
export function tracingFaults(given: Readonly<Record<string, string>>): { path: string; message: string }[] {
  const { OTEL_BSP_MAX_QUEUE_SIZE: queue = '8192', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: batch = '512' } = given;
  if (Number(batch) <= Number(queue)) return [];
  return [{ path: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', message: 'is more than OTEL_BSP_MAX_QUEUE_SIZE' }];
}

function headers() {
  return z.string().transform((text, context) => {
    return Object.fromEntries(Object.entries(pairsOf(text, context)).map(([name, value]) => [name, new Secret(value)]));
  }).default({});
}

/** W3C Baggage without its properties. What is wrong is named by its place, never by its text. */
function pairsOf(text: string, context: z.RefinementCtx): Readonly<Record<string, string>> {
  const pairs: Record<string, string> = {};
  for (const [at, entry] of text.split(',').map((one) => one.trim()).filter(Boolean).entries()) {
    const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+)\s*=\s*([^\s,;"\\]*)$/.exec(entry) ?? [];
    const decoded = value === undefined ? undefined : decodedOf(value);
    if (name === undefined || decoded === undefined) context.addIssue({ code: 'custom', message: `entry ${at + 1} is not name=value, percent-encoded` });
    else pairs[name] = decoded;
  }
  return pairs;
}

function decodedOf(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined; // Said by its place.
  }
}
