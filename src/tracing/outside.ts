import { currentTrace } from './current';
import { inSpan, tracing, type Attributes } from './tracing';

/** What a span says of each system, beside its name: https://opentelemetry.io/docs/specs/semconv/ */
const SPOKEN: Readonly<Record<string, (operation: string) => Attributes>> = {
  model: (operation) => ({ 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': operation }),
  s3: (operation) => ({ 'rpc.system': 'aws-api', 'rpc.service': 'S3', 'rpc.method': operation }),
  postgres: (operation) => ({ 'db.system.name': 'postgresql', 'db.operation.name': operation }),
  amqp: (operation) => ({ 'messaging.system': 'rabbitmq', 'messaging.operation.name': operation }),
};

/** Records of many callers share one request to Kafka: each caller has a span of its own instead. */
const SHARED = 'kafka';

/**
 * One call of an outside system, in a span below whatever makes it. What is said or sent is nobody's business there,
 * and no trace is sent along to strangers.
 * @param operation one of few words
 */
export function tracedCall<Answer>(system: string, operation: string, call: () => Promise<Answer>): Promise<Answer> {
  if (!tracing() || !currentTrace() || system === SHARED) return call();
  const attributes = { 'peer.service': system, ...SPOKEN[system]?.(operation) };
  return inSpan({ name: `${system} ${operation}`, kind: 'client', attributes }, async (span) => {
    const answer = await call();
    if (system === 'model') span?.set(usageOf(answer));
    return answer;
  });
}

/** https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ */
function usageOf(answer: unknown): Attributes {
  const { model, usage } = (answer ?? {}) as { model?: unknown; usage?: { inputTokens?: unknown; outputTokens?: unknown } };
  return {
    'gen_ai.response.model': typeof model === 'string' ? model : undefined,
    'gen_ai.usage.input_tokens': numberOf(usage?.inputTokens), 'gen_ai.usage.output_tokens': numberOf(usage?.outputTokens),
  };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
