import type { ZodType } from 'zod';
import { z } from 'zod';
import type { Domain, HttpCommand, HttpUpdate } from '../../workflows/kernel/definition';
import { ERROR_CATALOGUE, type ErrorCode } from '../errors';
import { analyticsOperations } from '../analytics/routes';
import { deadLetterOperations } from '../deadletters/operations';
import { itemOperations } from '../items/operations';
import { pushOperations } from '../path/routes';
import { replayOperations } from '../replay/routes';
import { windowOperations } from '../windows/routes';
import { kafkaOperations } from './kafka-routes';
import type { Operation } from './operation';
import { LIMIT_MAX, LIMIT_PRESET } from './paging';

type Json = { readonly [name: string]: unknown };

const READING_FAULTS = ['FZ_BODY_NOT_JSON', 'FZ_BODY_TOO_DEEP', 'FZ_HEADER_INVALID', 'FZ_BODY_TOO_LARGE', 'FZ_MEDIA_TYPE'] as const;
const BODY_FAULTS = [...READING_FAULTS, 'FZ_SCHEMA_INVALID', 'FZ_TEXT_UNSTORABLE', 'FZ_IDEMPOTENCY_MISMATCH', 'FZ_IDEMPOTENCY_BUSY', 'FZ_CONFLICT', 'FZ_POSTGRES_AWAY'] as const;

/** OpenAPI 3.1 of everything that the domains offer, made from the same definitions that serve it. */
export function openApiOf(domains: readonly Domain[]): Json {
  const schemas: Record<string, Json> = { Problem: PROBLEM };
  const paths: Record<string, Json> = {};
  const add = (path: string, method: string, operation: Json): void => {
    const at = path.replaceAll(/:(\w+)/g, '{$1}');
    paths[at] = { ...paths[at], [method]: operation };
  };
  for (const { name, http } of domains) {
    for (const command of http.commands) add(command.path, 'post', commandOperation(name, command, schemas));
    for (const { path, summary, body } of http.resources) {
      const tags = [name];
      const schema = schemaOf(nameOf(path, schemas), body, schemas);
      add(path, 'post', { tags, summary: `Add to: ${summary}`, parameters: POST_HEADERS, requestBody: bodyOf(schema), responses: { 201: answer('Added'), ...faults(...BODY_FAULTS) } });
      add(path, 'get', { tags, summary, parameters: PAGING, responses: { 200: answer('A page', LIST), ...faults('FZ_QUERY_INVALID', 'FZ_POSTGRES_AWAY') } });
      add(`${path}/:id`, 'get', { tags, summary: `One of: ${summary}`, parameters: [ID], responses: { 200: answer('As it is'), ...faults('FZ_NOT_FOUND', 'FZ_POSTGRES_AWAY') } });
    }
    for (const { path, summary, list, statuses } of http.queries) {
      const tags = [name];
      const responses = { 200: answer('As it is; the ETag is its version'), 304: { description: 'Still the version named in If-None-Match' }, ...faults('FZ_NOT_FOUND', 'FZ_POSTGRES_AWAY') };
      add(`${path}/:id`, 'get', { tags, summary: `One of: ${summary}`, parameters: [ID, IF_NONE_MATCH], responses });
      if (!list) continue;
      const status = { name: 'status', in: 'query', schema: { type: 'string', enum: statuses } };
      add(path, 'get', { tags, summary, parameters: [status, ...PAGING], responses: { 200: answer('A page, newest first', LIST), ...faults('FZ_QUERY_INVALID', 'FZ_POSTGRES_AWAY') } });
    }
    for (const update of http.updates ?? []) add(`${update.path}/:id`, 'patch', updateOperation(name, update, schemas));
    add(http.live.path, 'get', { tags: [name], summary: 'Every version of one story, pushed over a WebSocket', parameters: [ID, LAST_VERSION], responses: { 101: { description: `Messages {${http.live.idField}, version, status, event, at}` } } });
  }
  for (const operation of OPERATIONS) add(operation.path, operation.method, operationOf(operation, schemas));
  for (const [path, summary] of PROBES) add(path, 'get', { tags: ['probes'], summary, responses: { 200: answer(summary) } });
  return {
    openapi: '3.1.0',
    info: { title: 'fazenda', version: '1', description: 'Durable business work on Temporal, with Kafka on both sides.' },
    paths,
    components: { schemas, securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  };
}

/** What no domain's definition describes. */
const OPERATIONS: readonly Operation[] = [...itemOperations, ...kafkaOperations, ...replayOperations, ...pushOperations, ...analyticsOperations, ...windowOperations, ...deadLetterOperations];

function operationOf({ path, tag, summary, reads, body, answers, list, faults: codes }: Operation, schemas: Record<string, Json>): Json {
  const parameters = [...(path.includes('/:id') ? [ID] : []), ...READS[reads ?? 'nothing']];
  const said = Object.entries(answers).map(([status, text]) => [status, ['204', '304'].includes(status) ? { description: text } : answer(text, list ? LIST : undefined)]);
  return {
    tags: [tag], summary, parameters,
    ...(body && { requestBody: bodyOf(schemaOf(body.name, body.schema, schemas), exampleOf(body.schema)) }),
    responses: { ...(Object.fromEntries(said) as Json), ...faults(...codes) },
  };
}

function commandOperation(tag: string, { path, summary, body, status }: HttpCommand, schemas: Record<string, Json>): Json {
  return {
    tags: [tag], summary, parameters: POST_HEADERS,
    requestBody: bodyOf(schemaOf(nameOf(path, schemas), body, schemas), exampleOf(body)),
    responses: { [status]: answer('Kafka has acknowledged it'), ...faults(...BODY_FAULTS, 'FZ_REFERENCE_UNKNOWN', 'FZ_KAFKA_AWAY') },
  };
}

/** What its author gave as an example of a body, by `.meta({ examples })`. */
export function exampleOf(schema: ZodType): unknown {
  const examples = z.globalRegistry.get(schema)?.examples;
  return Array.isArray(examples) ? (examples[0] as unknown) : undefined;
}

/** `/…/do-something` → `DoSomething`; with as much more of the path as makes it a name of its own. */
function nameOf(path: string, taken: Readonly<Record<string, unknown>>): string {
  const words = path.split('/').filter(Boolean).map((part) => part.split('-').map(capital).join(''));
  const names = words.map((_word, at) => words.slice(words.length - 1 - at).join(''));
  return names.find((name) => !(name in taken)) ?? names.at(-1) ?? path;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** Puts a schema among the components, with the definitions that it refers to, and answers the reference. */
function schemaOf(name: string, type: ZodType, schemas: Record<string, Json>): Json {
  const { $schema: _dialect, $defs = {}, ...schema } = z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' });
  const moved = (part: object): Json =>
    JSON.parse(JSON.stringify(part).replaceAll('"#/$defs/', `"#/components/schemas/${name}.`).replaceAll('"$ref":"#"', `"$ref":"#/components/schemas/${name}"`)) as Json;
  schemas[name] = moved(schema);
  for (const [key, part] of Object.entries($defs)) schemas[`${name}.${key}`] = moved(part as object);
  return { $ref: `#/components/schemas/${name}` };
}

function bodyOf(schema: Json, example?: unknown): Json {
  return { required: true, content: { 'application/json': { schema, ...(example !== undefined && { example }) } } };
}

function answer(description: string, schema: Json = { type: 'object' }): Json {
  return { description, content: { 'application/json': { schema } } };
}

/** By status, the codes that a caller may meet. */
export function faults(...codes: readonly ErrorCode[]): Json {
  const byStatus: Record<string, Json> = {};
  for (const status of [...new Set(codes.map((code) => ERROR_CATALOGUE[code].status))].sort()) {
    const here = codes.filter((code) => ERROR_CATALOGUE[code].status === status);
    byStatus[status] = {
      description: here.map((code) => `${code}: ${ERROR_CATALOGUE[code].next}`).join(' '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  }
  return byStatus;
}

function updateOperation(tag: string, { path, summary, body }: HttpUpdate, schemas: Record<string, Json>): Json {
  return {
    tags: [tag], summary, parameters: [ID, CORRELATION],
    requestBody: bodyOf(schemaOf(`${nameOf(path, schemas)}Update`, body, schemas), exampleOf(body)),
    responses: {
      200: answer('What was asked has become of it; the ETag is its version'),
      ...faults(...READING_FAULTS, 'FZ_SCHEMA_INVALID', 'FZ_TEXT_UNSTORABLE', 'FZ_NOT_FOUND', 'FZ_CONFLICT', 'FZ_OUTCOME_OPEN', 'FZ_TEMPORAL_AWAY', 'FZ_POSTGRES_AWAY'),
    },
  };
}

const PROBLEM: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'next', 'correlationId'],
  properties: {
    type: { type: 'string', format: 'uri' }, title: { type: 'string' }, status: { type: 'integer' }, detail: { type: 'string' },
    code: { type: 'string', enum: Object.keys(ERROR_CATALOGUE) }, next: { type: 'string', description: 'What to do next' },
    errors: { type: 'array', items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } } },
    correlationId: { type: 'string' },
  },
    traceId: { type: 'string', description: 'W3C trace id of the request, 32 hex digits; the answer\'s `traceresponse` names it too' },
};
const LIST: Json = {
  type: 'object', required: ['items', 'nextCursor'],
  properties: { items: { type: 'array', items: { type: 'object' } }, nextCursor: { type: ['string', 'null'] } },
};
const HEADER_ID: Json = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' };
const ID: Json = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
const IF_NONE_MATCH: Json = { name: 'If-None-Match', in: 'header', schema: { type: 'string' } };
const LAST_VERSION: Json = { name: 'lastVersion', in: 'query', description: 'The last version seen; 0 for all', schema: { type: 'integer', minimum: 0, default: 0 } };
const CORRELATION: Json = { name: 'x-correlation-id', in: 'header', description: 'Travels with all that follows; made where none is given', schema: HEADER_ID };
const POST_HEADERS: readonly Json[] = [
  { name: 'Idempotency-Key', in: 'header', description: 'The same key with the same body: the same answer, one effect', schema: HEADER_ID },
  CORRELATION,
];
const PAGING: readonly Json[] = [
  { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: LIMIT_PRESET } },
  { name: 'cursor', in: 'query', description: 'nextCursor of the page before', schema: { type: 'string' } },
];
const SPAN: readonly Json[] = [
  { name: 'domain', in: 'query', description: 'Of one domain alone', schema: { type: 'string' } },
  { name: 'from', in: 'query', description: 'Told at this instant or later, ISO 8601', schema: { type: 'string', format: 'date-time' } },
  { name: 'until', in: 'query', description: 'Told before this instant', schema: { type: 'string', format: 'date-time' } },
];
const WINDOWS: readonly Json[] = [
  { name: 'stream', in: 'query', required: true, description: 'Topic of the windows, as orders.stats.1m', schema: { type: 'string' } },
  { name: 'from', in: 'query', description: 'Begun at this instant or later, ISO 8601', schema: { type: 'string', format: 'date-time' } },
  { name: 'until', in: 'query', description: 'Begun before this instant', schema: { type: 'string', format: 'date-time' } },
];
const READS = { nothing: [], keyed: POST_HEADERS, correlation: [CORRELATION], page: PAGING, span: SPAN, windows: WINDOWS } as const;
const PROBES: readonly (readonly [string, string])[] = [
  ['/livez', 'The process answers'],
  ['/readyz', 'Every dependency answers; 503 names who is away'],
  ['/health', 'Who is connected'],
  ['/metrics', 'Prometheus metrics of every process'],
  ['/docs/events', 'What the topics carry, as AsyncAPI 3.0'],
];
