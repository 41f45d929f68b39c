import { Histogram } from 'prom-client';
import { FazendaError } from './errors';
import { registry } from './metrics';
import { tracedCall } from './tracing/outside';

/** Systems that we call and that may be slow or away. */
export type OutsideSystem = 'model' | 'payment' | 's3' | 'postgres' | 'kafka' | 'amqp' | 'smtp';

const callSeconds = new Histogram({
  name: 'fazenda_outside_call_seconds',
  help: 'Calls of outside systems: how many, how long, and whether they did what was asked',
  labelNames: ['system', 'operation', 'outcome'] as const,
  buckets: [0.005, 0.02, 0.1, 0.5, 1, 5, 30],
  registers: [registry],
});

/**
 * Times one call, and traces it where spans are recorded; a rejection counts as failed, and goes on to the caller. For calls that carry a batch, or that are
 * slow by nature: it costs about a microsecond.
 * @param operation a word of ours, or a name from the configuration; never anything that a request brought
 */
export async function timed<Answer>(system: OutsideSystem, operation: string, call: () => Promise<Answer>, ok: (answer: Answer) => boolean = () => true): Promise<Answer> {
  const began = performance.now();
  let outcome = 'failed';
  try {
    const answer = await tracedCall(system, operation, call);
    if (ok(answer)) outcome = 'ok';
    return answer;
  } finally {
    callSeconds.observe({ system, operation, outcome }, (performance.now() - began) / 1_000);
  }
}

const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** Who is to blame for what was thrown, as a label: a code of ours, or a kind. Never a text, of which there is no end. */
export function causeOf(thrown: unknown): string {
  if (thrown instanceof FazendaError) return thrown.code;
  if (!(thrown instanceof Error)) return 'other';
  if (thrown.name.startsWith('KafkaJS')) return 'kafka';
  // The client of Temporal hands on what gRPC says, whose codes are numbers.
  const code: unknown = 'code' in thrown ? thrown.code : undefined;
  if (typeof code === 'number' || /^(Service|Transport)Error$/.test(thrown.name)) return 'temporal';
  if (typeof code === 'string' && SQLSTATE.test(code)) return 'postgres';
  return 'syscall' in thrown || /connection|connect/i.test(thrown.message) ? 'connection' : 'other';
}
