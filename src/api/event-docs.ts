import type { Config } from '../config';
import { asyncApi } from '../schemas/asyncapi';
import { escapeHtml, htmlReply, STYLE } from './html';
import { jsonReply, type Reply } from './reply';
import type { Route } from './routes';

/** `/docs/events`: AsyncAPI for machines, and a page for who asks for HTML first, as browsers do. */
export function eventDocsRoutes({ KAFKA_ENCODINGS }: Pick<Config, 'KAFKA_ENCODINGS'>): Route[] {
  const json = jsonReply(200, asyncApi(KAFKA_ENCODINGS));
  const page = eventsPage(JSON.parse(json.body) as AsyncApi);
  return [
    { method: 'get', path: '/docs/events', needs: 'anyone', answer: (request) => (request.accepts(['json', 'html']) === 'html' ? page : json) },
    { method: 'get', path: '/docs/asyncapi.json', needs: 'anyone', answer: () => json },
  ];
}

interface Message {
  readonly name: string;
  readonly title: string;
  readonly summary: string;
  readonly contentType: string;
  readonly payload: object;
  /** Of topics that can be written in Avro. */
  readonly 'x-avro-schema'?: object;
}

interface AsyncApi {
  readonly info: { readonly title: string; readonly description: string };
  readonly channels: Readonly<Record<string, { readonly messages: Readonly<Record<string, unknown>> }>>;
  readonly operations: Readonly<Record<string, { readonly action: 'send' | 'receive'; readonly channel: { readonly $ref: string } }>>;
  readonly components: { readonly messages: Readonly<Record<string, Message>> };
}

function eventsPage({ info, channels, operations, components }: AsyncApi): Reply {
  const topics = Object.entries(channels).map(([topic, { messages }]) => {
    const actions = Object.values(operations).filter(({ channel }) => channel.$ref.endsWith(`/${topic}`)).map(({ action }) => action);
    const inside = Object.keys(messages).flatMap((name) => components.messages[name] ?? []).map(messageHtml);
    return `<h3><code>${escapeHtml(topic)}</code> <small>${actions.join(', ')}</small></h3>${inside.join('')}`;
  });
  const body = `<h1>${escapeHtml(info.title)}</h1><p>${escapeHtml(info.description)}
<a href="/docs/asyncapi.json">AsyncAPI 3.0</a> · <a href="/docs">REST</a> · <a href="/">start page</a></p>${topics.join('')}`;
  return htmlReply({ title: info.title, style: STYLE, body });
}

function messageHtml({ title, summary, contentType, payload, 'x-avro-schema': avro }: Message): string {
  return `<details id="${escapeHtml(title)}"><summary><span class="verb">${escapeHtml(title)}</span> ${escapeHtml(summary)}</summary>
<p><code>${escapeHtml(contentType)}</code></p>${pretty('JSON Schema', payload)}${avro ? pretty('Avro', avro) : ''}</details>`;
}

function pretty(title: string, value: unknown): string {
  return `<p>${title}</p><pre>${escapeHtml(JSON.stringify(value, null, 2))}</pre>`;
}
