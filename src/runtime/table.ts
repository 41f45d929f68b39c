import type { Endpoints } from './parts';

export interface StartTable {
  readonly endpoints: Endpoints;
  readonly how: Readonly<Record<string, string | undefined>>;
  /** Parts that are done without, and why. */
  readonly missing: Readonly<Record<string, string | undefined>>;
  readonly processes: readonly string[];
  /** The remote codec for Temporal's Web UI, where there is one. */
  readonly codecUrl?: string | null;
  readonly adminToken: string;
  readonly home: string;
  readonly tookMs: number;
}

/** What a person needs to know once all runs: where everything is, how it was got, what to try next. */
export function startTable({ endpoints, how, missing, processes, codecUrl, adminToken, home, tookMs }: StartTable): string {
  const api = forBrowsers(endpoints.api ?? '');
  const rows: [string, string, string][] = [
    ['API and page', api, ''],
    ['API documentation', `${api}/docs`, ''],
    ['Events', `${api}/docs/events`, ''],
    ['Temporal Web UI', endpoints.temporalUi ?? '(not known)', how.temporal ?? ''],
    ...(codecUrl ? [['Its codec endpoint', codecUrl, ''] satisfies [string, string, string]] : []),
    ['Temporal', endpoints.temporal ?? '', how.temporal ?? ''],
    ['Kafka', endpoints.kafka ?? '', how.kafka ?? ''],
    ['PostgreSQL', withoutPassword(endpoints.postgres ?? ''), how.postgres ?? ''],
    ['S3', endpoints.s3 === null ? '' : `${endpoints.s3.endpoint}/${endpoints.s3.bucket}`, how.s3 ?? ''],
    ['RabbitMQ', endpoints.amqp === null ? 'none: a Kafka topic carries notifications' : withoutPassword(endpoints.amqp), how.rabbitmq ?? missing.rabbitmq ?? ''],
    ['Schema registry', endpoints.schemaRegistry === null ? 'none: schemas are held against docs/schemas, and new ones are written as JSON' : withoutPassword(endpoints.schemaRegistry), how.registry ?? missing.registry ?? ''],
    ['ClickHouse', endpoints.clickhouse === null ? 'none: analytics and windows of time are off' : withoutPassword(endpoints.clickhouse), how.clickhouse ?? missing.clickhouse ?? ''],
    endpoints.mailbox === null
      ? ['Mail server', withoutPassword(endpoints.smtp ?? ''), 'external']
      : ['Mailbox', forBrowsers(endpoints.mailbox), 'every letter that is sent'],
    ...(endpoints.redis === null ? [] : [['Redis', endpoints.redis, how.redis ?? ''] satisfies [string, string, string]]),
    ['Processes', processes.join(' · '), ''],
    ['Admin token', adminToken, ''],
    ['Logs', `${home}/logs`, ''],
    ['All endpoints', `${home}/endpoints.json`, ''],
  ];
  const widths = [0, 1].map((column) => Math.max(...rows.filter((row) => column === 0 || row[2] !== '').map((row) => row[column]?.length ?? 0)));
  const lines = rows.map(([name, where, got]) => `  ${name.padEnd(widths[0] ?? 0)}  ${got === '' ? where : `${where.padEnd(widths[1] ?? 0)}  ${got}`}`);
  return ['', `fazenda is ready, after ${(tookMs / 1000).toFixed(1)} s.`, '', ...lines, '', 'Try it:  npx fazenda submit --watch', 'Stop it: Ctrl-C', ''].join('\n');
}

/** A name that people know; programs are given the address, which no resolver can mistake. */
function forBrowsers(url: string): string {
  return url.replace('//127.0.0.1:', '//localhost:');
}

function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^:@/]+):[^@/]*@/, '$1@');
}
