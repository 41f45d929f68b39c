import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { escapeHtml, htmlReply, STYLE } from '../api/html';
import type { KeptLetter } from './store';

/** Letters on the page; the JSON has them all. */
const SHOWN_MAX = 200;

/** GET gives the letters, newest first: a page to browsers, JSON to everyone else. */
export async function servePage({ host, port, all }: { host: string; port: number; all(): readonly KeptLetter[] }): Promise<Server> {
  const server = createServer((request, response) => answer(request, response, all));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return server;
}

function answer({ method, headers }: IncomingMessage, response: ServerResponse, all: () => readonly KeptLetter[]): void {
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET' }).end();
    return;
  }
  const reply = headers.accept?.includes('text/html')
    ? htmlReply({ title: 'fazenda · mailbox', style: STYLE, body: bodyOf(all()) })
    : { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(all()) };
  response.writeHead(reply.status, { ...reply.headers, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  response.end(method === 'HEAD' ? undefined : reply.body);
}

function bodyOf(letters: readonly KeptLetter[]): string {
  const shown = letters.slice(0, SHOWN_MAX);
  const rows = shown.map(({ messageId, to, subject, text, at }) =>
    `<details><summary>${escapeHtml(at)} · ${escapeHtml(to)} · <b>${escapeHtml(subject)}</b></summary><pre>${escapeHtml(text)}</pre><code>${escapeHtml(messageId)}</code></details>`);
  const said = letters.length === 0 ? 'Nothing was sent yet.' : `${letters.length} letters, the newest first${letters.length > SHOWN_MAX ? `; the last ${SHOWN_MAX} are shown` : ''}.`;
  return `<h1>Mailbox</h1><p>Letters end here and reach nobody, until SMTP_URL names a real mail server. ${said}</p>${rows.join('')}`;
}
