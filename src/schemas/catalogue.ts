import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ZodType } from 'zod';
import { checkoutRoot } from '../runtime/root';
import { windowContracts } from '../windows/contract';
import { contractsByTopic, type EventContract } from './contracts';
import { publishedSchemas } from './files';
import { jsonSchemaOf, type JsonSchema } from './shape';

/** The page of all events, for people; made of the contracts, so that it cannot lag behind them. */
export function catalogue(): string {
  const topics = [...contractsByTopic()];
  const published = publishedSchemas();
  const index = topics.map(([topic, contracts]) => {
    const [first] = contracts;
    const names = contracts.map(({ name, kind }) => `[${name}](#${name.toLowerCase()})${kind === 'command' ? ' (command)' : ''}`).join(', ');
    const version = published.get(topic)?.at(-1)?.version ?? 1;
    return `| \`${topic}\` | ${names} | ${first?.encoding ?? ''} | [v${version}](schemas/${topic}-value.v${version}.avsc) |`;
  });
  return [
    '# Events', '',
    '<!-- Written by `npx fazenda schemas --write`; a test fails where it is not what the contracts say. -->', '',
    'Every record that fazenda writes or takes in. The same as AsyncAPI 3.0 is served at `/docs/events`.', '',
    'The key of each record is the id of its aggregate. Headers are those of CloudEvents 1.0 in binary mode (`ce_id`, `ce_type`,',
    '`ce_source`, `ce_subject`, `ce_time`), and `ce_sequence` (the version of the aggregate, from 1 on without gap), `correlation_id`,',
    '`causation_id`, `traceparent`. A record may be delivered again, with the same `ce_id` and the same bytes.', '',
    'Avro is written in the Confluent wire format, its schemas registered as `<topic>-value` under BACKWARD; where no schema registry',
    'was ever there, and wherever `KAFKA_ENCODINGS` says so, it is JSON. Both are read on every topic. In Avro, a field that may be left',
    'out or null is a union with null, and *any JSON value* is a JSON text.', '',
    '| topic | carries | written in | Avro schema |', '|---|---|---|---|', ...index, '',
    ...topics.flatMap(([, contracts]) => contracts.flatMap(section)),
    ...windowSections(),
  ].join('\n');
}

/** What is told of windows of time: no facts, but what follows from them. */
function windowSections(): string[] {
  return [
    '## Windows of time', '',
    'On compacted topics, as JSON, one record for each window and each change of it; the key is the start of the window, ISO 8601 UTC.',
    'What a window says is made of every fact whose own time lies in it, each once, whenever it arrived: a late fact is one more',
    'revision. `ce_subject` is the key, and `ce_id` is made of topic, window and revision. They have no `ce_sequence`, and nobody asked',
    'for them: no `correlation_id`. They are written in transactions.', '',
    '| topic | carries | windows |', '|---|---|---|',
    ...windowContracts().map(({ stream: { topic, type, says } }) => `| \`${topic}\` | [${type}](#${type.toLowerCase()}) | ${says} |`), '',
    ...windowContracts().flatMap(({ stream, schema }) => [
      `## ${stream.type}`, '', schema.description ?? '', '', `On \`${stream.topic}\`.`, '', ...fieldTable(schema),
    ]),
  ];
}

function section(contract: EventContract): string[] {
  const { name, type, kind, topic, schema } = contract;
  return [
    `## ${name}`, '', schema.description ?? '', '', `${kind === 'fact' ? 'A fact' : 'A command'} on \`${topic}\`${type === name ? '' : `, \`ce_type\` \`${type}\``}.`, '',
    ...fieldTable(schema),
  ];
}

function fieldTable(schema: ZodType): string[] {
  const { properties = {}, required = [] } = jsonSchemaOf(schema);
  const rows = Object.entries(properties).flatMap(([field, one]) => fieldRows(field, one, required.includes(field)));
  return ['| field | type | |', '|---|---|---|', ...rows, ''];
}

function fieldRows(path: string, schema: JsonSchema, required: boolean): string[] {
  const inner = schema.items ?? schema;
  const nested = Object.entries(inner.properties ?? {}).flatMap(([field, one]) =>
    fieldRows(`${path}${schema.items ? '[]' : ''}.${field}`, one, inner.required?.includes(field) ?? false));
  return [`| \`${path}\` | ${typeText(schema)}${required ? '' : ', may be left out'} | ${schema.description ?? ''} |`, ...nested];
}

function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((one) => `\`${String(one)}\``).join(', ');
  if (schema.anyOf) return schema.$ref ? 'any JSON value' : schema.anyOf.map(typeText).join(' or ');
  if (schema.items) return `list of ${schema.items.title ?? typeText(schema.items)}`;
  if (typeof schema.additionalProperties === 'object') return `map of ${typeText(schema.additionalProperties)}`;
  if (schema.type === undefined) return 'any JSON value';
  return typeof schema.type === 'string' ? (schema.title ?? schema.type) : schema.type.join(' or ');
}

function cataloguePath(): string {
  return join(checkoutRoot(), 'docs', 'events.md');
}

export function isCatalogueStale(): boolean {
  return !existsSync(cataloguePath()) || readFileSync(cataloguePath(), 'utf8') !== catalogue();
}

/** Writes the page where it is not what the contracts say; gives the files that it wrote. */
export function writeCatalogue(): string[] {
  if (!isCatalogueStale()) return [];
  mkdirSync(dirname(cataloguePath()), { recursive: true });
  writeFileSync(cataloguePath(), catalogue());
  return [cataloguePath()];
}
