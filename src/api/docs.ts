import type { Domain } from '../../workflows/kernel/definition';
import { withAccess } from './access';
import { escapeHtml, htmlReply, STYLE } from './html';
import { openApiOf } from './openapi';
import { jsonReply, type Reply } from './reply';
import type { Needs } from './roles';
import type { Route } from './routes';

/** `/docs` for people, `/docs/openapi.json` for machines; who asks `/docs` for JSON gets the latter. */
export function docsRoutes(domains: readonly Domain[], routes: readonly Route[], asks: (needs: Needs) => boolean): Route[] {
  const json = jsonReply(200, withAccess(openApiOf(domains), routes, asks));
  const page = docsPage(JSON.parse(json.body) as OpenApi);
  return [
    { method: 'get', path: '/docs', needs: 'anyone', answer: (request) => (request.accepts(['html', 'json']) === 'json' ? json : page) },
    { method: 'get', path: '/docs/openapi.json', needs: 'anyone', answer: () => json },
  ];
}

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly { name: string; in: string; description?: string }[];
  readonly requestBody?: { content: Record<string, { schema: { $ref: string }; example?: unknown }> };
  readonly 'x-needs': Needs;
  readonly responses: Record<string, { description: string }>;
}

interface OpenApi {
  readonly info: { title: string; description: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, unknown> };
}

function docsPage({ info, paths, components }: OpenApi): Reply {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationHtml(method, path, operation)),
  );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `<details id="${escapeHtml(name)}"><summary><code>${escapeHtml(name)}</code></summary>${pretty(schema)}</details>`,
  );
  const body = `<h1>${escapeHtml(info.title)}</h1><p>${escapeHtml(info.description)}
<a href="/docs/openapi.json">OpenAPI 3.1</a> · <a href="/docs/events">events</a> · <a href="/">start page</a></p>
<h2>Operations</h2>${operations.join('')}<h2>Schemas</h2>${schemas.join('')}`;
  return htmlReply({ title: `${info.title} API`, style: STYLE, body });
}

function operationHtml(method: string, path: string, { summary, parameters = [], requestBody, responses, 'x-needs': needs }: Operation): string {
  const content = requestBody?.content['application/json'];
  const schema = content?.schema.$ref.split('/').at(-1);
  const rows = [
    row('who may', needs === 'anyone' || needs === 'admin' ? needs : `${needs} and above`),
    ...parameters.map((one) => row(`${one.in} ${one.name}`, one.description ?? '')),
    ...(schema ? [`<tr><td>body</td><td><a href="#${escapeHtml(schema)}">${escapeHtml(schema)}</a>${content?.example ? pretty(content.example) : ''}</td></tr>`] : []),
    ...Object.entries(responses).map(([status, { description }]) => row(status, description)),
  ];
  return `<details><summary><span class="verb">${method.toUpperCase()}</span> <code>${escapeHtml(path)}</code> ${escapeHtml(summary)}</summary><table>${rows.join('')}</table></details>`;
}

function row(name: string, text: string): string {
  return `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(text)}</td></tr>`;
}

function pretty(value: unknown): string {
  return `<pre>${escapeHtml(JSON.stringify(value, null, 2))}</pre>`;
}
