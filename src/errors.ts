/**
 * What can go wrong, as data. Each code says three things that a caller has to know: whether trying
 * again can help, which HTTP status it is at the edge, and what to do next. The wording of a failure
 * is free to improve; its code is a contract.
 */
export interface ErrorKind {
  /** HTTP status at the REST edge. */
  readonly status: number;
  /** True where the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** What the reader can do about it; one sentence. */
  readonly next: string;
}

export const ERROR_CATALOGUE = {
  FZ_CONFIG_INVALID: { status: 500, retryable: false, next: 'Correct the named environment variables and start again.' },
  FZ_BODY_NOT_JSON: { status: 400, retryable: false, next: 'Send one JSON document.' },
  FZ_BODY_TOO_DEEP: { status: 400, retryable: false, next: 'Nest at most 32 levels.' },
  FZ_BODY_TOO_LARGE: { status: 413, retryable: false, next: 'Send at most 256 KiB.' },
  FZ_MEDIA_TYPE: { status: 415, retryable: false, next: 'Send content-type: application/json.' },
  FZ_HEADER_INVALID: { status: 400, retryable: false, next: 'Header ids are 1 to 255 visible characters.' },
  FZ_QUERY_INVALID: { status: 422, retryable: false, next: 'Correct the named query parameter.' },
  FZ_SCHEMA_INVALID: { status: 422, retryable: false, next: 'Correct the named fields.' },
  FZ_TEXT_UNSTORABLE: { status: 422, retryable: false, next: 'Remove NUL characters and lone surrogates from text.' },
  FZ_REFERENCE_UNKNOWN: { status: 422, retryable: false, next: 'Name something that exists.' },
  FZ_NOT_FOUND: { status: 404, retryable: false, next: 'Check the id.' },
  FZ_METHOD_NOT_ALLOWED: { status: 405, retryable: false, next: 'See /docs for the methods of this path.' },
  FZ_CONFLICT: { status: 409, retryable: false, next: 'See what is there; use a new id for something new.' },
  FZ_ALREADY_REDRIVEN: { status: 409, retryable: false, next: 'If it died again there is a new dead letter of it; redrive that one.' },
  FZ_REDRIVE_UNFINISHED: { status: 409, retryable: false, next: 'Redrive it without an edit: that finishes the one that was begun.' },
  FZ_IDEMPOTENCY_MISMATCH: { status: 422, retryable: false, next: 'Use a new Idempotency-Key for a new request.' },
  FZ_IDEMPOTENCY_BUSY: { status: 409, retryable: true, next: 'The first request with this key is still running; try again.' },
  FZ_UNAUTHORIZED: { status: 401, retryable: false, next: 'Send Authorization: Bearer and a token; npm start shows the one of FAZENDA_ADMIN_TOKEN.' },
  FZ_FORBIDDEN: { status: 403, retryable: false, next: 'Use a token of the role that it needs, or name yourself.' },
  FZ_IDENTITY_AWAY: { status: 503, retryable: true, next: 'Try again when the identity provider of JWT_JWKS_URL answers.' },
  FZ_VERSION_CHANGED: { status: 412, retryable: false, next: 'Read it again, and send the ETag that it has now in If-Match.' },
  FZ_KAFKA_DISABLED: { status: 503, retryable: false, next: 'Start the api with OBSERVABILITY__KAFKA_ENABLED=true.' },
  FZ_KAFKA_AWAY: { status: 503, retryable: true, next: 'Nothing was accepted; send the same request again later.' },
  FZ_PAYLOAD_SEALED: { status: 500, retryable: false, next: 'Give TEMPORAL_PAYLOAD_KEYS every key that was ever used, the newest first.' },
  FZ_TEMPORAL_AWAY: { status: 503, retryable: true, next: 'Try again when Temporal is back.' },
  FZ_OUTCOME_OPEN: { status: 503, retryable: true, next: 'It is still being decided; send the same request again.' },
  FZ_POSTGRES_AWAY: { status: 503, retryable: true, next: 'Try again when PostgreSQL is back.' },
  FZ_STORAGE_AWAY: { status: 503, retryable: true, next: 'Try again when the object store is back.' },
  FZ_PAYMENTS_AWAY: { status: 503, retryable: true, next: 'The payment provider is asked again until it answers; its keys keep that safe.' },
  FZ_ANALYTICS_OFF: { status: 503, retryable: false, next: 'Let npm start bring ClickHouse, or set CLICKHOUSE_URL to a server that runs.' },
  FZ_CLICKHOUSE_AWAY: { status: 503, retryable: true, next: 'Try again when ClickHouse is back; what happens meanwhile waits in Kafka.' },
  FZ_CLICKHOUSE_EMPTY: { status: 503, retryable: true, next: 'Try again in a moment: the analytics process makes its tables and fills them from the topics.' },
  FZ_QUEUE_AWAY: { status: 503, retryable: true, next: 'Notifications wait in Kafka and go on when their queue is back.' },
  FZ_GATEWAY_AWAY: { status: 503, retryable: true, next: 'Connect again later with the last version that you saw.' },
  FZ_RECORD_EMPTY: { status: 422, retryable: false, next: 'Send a record with a value.' },
  FZ_RECORD_TOO_LARGE: { status: 413, retryable: false, next: 'Keep a record value at or below 1 MiB.' },
  FZ_RECORD_UNDECODABLE: { status: 422, retryable: false, next: 'Send UTF-8 JSON, or Avro in the Confluent wire format.' },
  FZ_RECORD_UNSTORABLE: { status: 422, retryable: false, next: 'The database refused the data of this record; correct it and redrive it.' },
  FZ_MODEL_FAULT: { status: 502, retryable: true, next: 'The model endpoint failed; it is tried again until its deadline.' },
  FZ_MODEL_DEADLINE: { status: 504, retryable: false, next: 'The model did not answer within MODEL_DEADLINE; check its endpoint.' },
  FZ_DRAFT_TOO_LARGE: { status: 422, retryable: false, next: 'Ask the model for a shorter draft.' },
  FZ_SUBSCRIPTION_INVALID: { status: 422, retryable: false, next: 'Name one story and the last version that you saw.' },
  FZ_SUBSCRIPTIONS_MAX: { status: 429, retryable: false, next: 'Unsubscribe from a story, or open another connection.' },
  FZ_SOCKETS_MAX: { status: 503, retryable: true, next: 'Connect again later.' },
  FZ_CLIENT_SLOW: { status: 503, retryable: true, next: 'Connect again with the last version that you saw.' },
  FZ_USAGE: { status: 400, retryable: false, next: 'See npx fazenda --help.' },
  FZ_NOT_RUNNING: { status: 503, retryable: true, next: 'Start it with npm start, set FAZENDA_HOME to where it runs, or name the API with --api.' },
  FZ_API_AWAY: { status: 503, retryable: true, next: 'See npx fazenda doctor.' },
  FZ_FACT_GAP: { status: 500, retryable: false, next: 'Run npx fazenda audit: a fact has no predecessor.' },
  FZ_FACTS_LOST: { status: 503, retryable: true, next: 'Run npx fazenda recover postgres: the topics have what it lost.' },
  FZ_STILL_AT_WORK: { status: 409, retryable: true, next: 'Stop ingress and dispatcher, or start them again: they wait while a database has to be recovered.' },
  FZ_INTERNAL: { status: 500, retryable: true, next: 'Try again; if it stays, report the correlation id.' },
  FZ_SCHEMA_REGISTRY_AWAY: { status: 503, retryable: true, next: 'Records wait until the schema registry at SCHEMA_REGISTRY_URL answers.' },
  FZ_SCHEMA_BREAKS: { status: 500, retryable: false, next: 'Records that were written before could not be read any more: give a new field a default, and leave old ones their types.' },
  FZ_SCHEMA_UNFILED: { status: 500, retryable: false, next: 'Run npx fazenda schemas --write and commit what it changes.' },
  FZ_PART_UNAVAILABLE: { status: 500, retryable: false, next: 'Follow the hint of the message.' },
  FZ_HOME_IN_USE: { status: 500, retryable: false, next: 'Stop that process, or give this one another FAZENDA_HOME.' },
  FZ_PROCESS_UNREADY: { status: 500, retryable: true, next: 'The log above says why; start again when that is put right.' },
  FZ_CACHE_CORRUPT: { status: 500, retryable: false, next: 'Delete the named cache folder and start again.' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** Whether a text is a code of ours. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CATALOGUE, text);
}

/** An error with a code of the catalogue. `message` is the case at hand; `kind.next` is the general advice. */
export class FazendaError extends Error {
  override readonly name = 'FazendaError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: { fields?: { path: string; message: string }[]; retryAfterS?: number; bearer?: 'invalid_token' | 'insufficient_scope'; scope?: string } = {},
    cause?: unknown,
  ) {
    super(message, { cause });
  }

  get kind(): ErrorKind {
    return ERROR_CATALOGUE[this.code];
  }

  /** One line for logs, dead letters and terminals: `FZ_CODE: what happened. What to do next.` */
  get line(): string {
    const said = /[.!?]$/.test(this.message) ? this.message : `${this.message}.`;
    return `${this.code}: ${said} ${this.kind.next}`;
  }
}

/** The text of anything thrown, never empty, for logs. */
export function textOf(thrown: unknown): string {
  if (thrown instanceof FazendaError) return thrown.line;
  if (thrown instanceof AggregateError) return thrown.errors.map(textOf).join('; ');
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown);
}
