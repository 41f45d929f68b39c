import { z } from 'zod';
import type { Domain, HttpCommand, HttpUpdate } from '../../workflows/kernel/definition';
import { escapeHtml, htmlReply, STYLE } from './html';
import { exampleOf } from './openapi';
import type { Reply } from './reply';

/** The page at `/`: what runs, where things are, and a story to begin and watch. */
export function startPage(domains: readonly Domain[]): Reply {
  const forms = domains.flatMap(({ http }) =>
    http.commands.filter(({ kind }) => kind === 'creates').map((command) => formHtml(command, http.live)),
  );
  const updates = domains.flatMap(({ http }) => (http.updates ?? []).map((update) => updateHtml(update, http.live)));
  const lists = domains.flatMap(({ http }) => [...http.queries.filter(({ list }) => list), ...http.resources]);
  const links = ['/docs', '/readyz', '/health', '/metrics', ...lists.map(({ path }) => path)];
  const body = `<h1>fazenda</h1><p>Durable business work on Temporal, with Kafka on both sides.</p>
<h2>What runs</h2><table id="runs"></table>
<p>${links.map((path) => `<a href="${path}">${path}</a>`).join(' · ')}</p>${[...forms, ...updates].join('')}`;
  return htmlReply({ title: 'fazenda', style: STYLE, script: SCRIPT, body });
}

function formHtml({ path, summary, body }: HttpCommand, live: { path: string; idField: string }): string {
  const example = JSON.stringify(exampleOf(body) ?? skeletonOf(body), null, 2);
  return `<section data-path="${escapeHtml(path)}" data-live="${escapeHtml(live.path)}" data-id="${escapeHtml(live.idField)}">
<h2>${escapeHtml(summary)}</h2><p><code>POST ${escapeHtml(path)}</code></p>
<textarea rows="9" spellcheck="false" aria-label="body">${escapeHtml(example)}</textarea>
<p><button>Send and watch</button></p><pre class="answer" hidden></pre><table class="story"></table></section>`;
}

/** Asks something of one story; the page fills in the one that it watches. */
function updateHtml({ path, summary, body }: HttpUpdate, live: { idField: string }): string {
  return `<section data-update="${escapeHtml(path)}" data-id="${escapeHtml(live.idField)}">
<h2>${escapeHtml(summary)}</h2><p><code>PATCH ${escapeHtml(path)}/</code><input size="40" aria-label="id"></p>
<textarea rows="3" spellcheck="false" aria-label="body">${escapeHtml(JSON.stringify(exampleOf(body) ?? skeletonOf(body), null, 2))}</textarea>
<p><button>Send</button></p><pre class="answer" hidden></pre></section>`;
}

/** A body with every required field and a guess at its value, where the author gave no example. */
function skeletonOf(schema: HttpCommand['body']): object {
  const { required = [], properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return Object.fromEntries(
    required.map((name) => {
      const property = properties[name];
      if (typeof property !== 'object') return [name, null];
      if (property.enum?.length) return [name, property.enum[0]];
      if (property.format === 'uuid') return [name, '00000000-0000-4000-8000-000000000001'];
      return [name, property.type === 'string' ? '…' : property.type === 'array' ? [] : property.type === 'number' ? 1 : {}];
    }),
  );
}

/** Runs in the browser. A connection that breaks comes back with the last version that it saw. */
const SCRIPT = `
const cell = (row, text, kind) => { const td = row.insertCell(); td.textContent = text; if (kind) td.className = kind; };
async function look() {
  const table = document.getElementById('runs');
  try {
    const { dependencies } = await (await fetch('/readyz')).json();
    table.replaceChildren();
    for (const [name, { state, since, reason }] of Object.entries(dependencies)) {
      const row = table.insertRow();
      cell(row, name); cell(row, state, state); cell(row, 'since ' + since); cell(row, reason || '');
    }
  } catch { table.replaceChildren(); cell(table.insertRow(), 'the API does not answer', 'away'); }
  setTimeout(look, 3000);
}
look();
async function send(method, path, form, answer) {
  const sent = await fetch(path, { method, headers: { 'content-type': 'application/json' }, body: form.querySelector('textarea').value });
  const said = await sent.json();
  answer.textContent = sent.status + ' ' + JSON.stringify(said, null, 2);
  return { ok: sent.ok, said };
}
for (const form of document.querySelectorAll('section[data-update]')) {
  const answer = form.querySelector('.answer');
  form.querySelector('button').onclick = async () => {
    answer.hidden = false;
    try { await send('PATCH', form.dataset.update + '/' + encodeURIComponent(form.querySelector('input').value), form, answer); }
    catch (fault) { answer.textContent = String(fault); }
  };
}
for (const form of document.querySelectorAll('section[data-path]')) {
  const answer = form.querySelector('.answer'), story = form.querySelector('.story');
  let socket, watched;
  form.querySelector('button').onclick = async () => {
    answer.hidden = false;
    try {
      const { ok, said } = await send('POST', form.dataset.path, form, answer);
      if (ok) { story.replaceChildren(); watch(said[form.dataset.id], 0); }
    } catch (fault) { answer.textContent = String(fault); }
  };
  function watch(id, last) {
    if (socket) { socket.onclose = null; socket.close(); }
    watched = id;
    for (const other of document.querySelectorAll('section[data-update]')) if (other.dataset.id === form.dataset.id) other.querySelector('input').value = id;
    const path = form.dataset.live.replace(':id', encodeURIComponent(id)) + '?lastVersion=' + last;
    socket = new WebSocket(location.origin.replace(/^http/, 'ws') + path);
    socket.onmessage = ({ data }) => {
      const { version, status, event, at } = JSON.parse(data);
      if (version <= last) return;
      last = version;
      const row = story.insertRow();
      for (const text of [version, event, status, at]) cell(row, text);
    };
    socket.onclose = () => setTimeout(() => { if (watched === id) watch(id, last); }, 1000);
  }
}
`;
