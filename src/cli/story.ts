import { Argument, type Command } from 'commander';
import type { Domain } from '../../workflows/kernel/definition';
import { FazendaError } from '../errors';
import type { Path } from '../path/line';
import type { Pushes } from '../path/pushes';
import { callApi } from './api';
import { apiAddress, configOf, POSTGRES_VARIABLES } from './endpoints';
import { dataLine, elapsed, pathLines } from './lines';
import { act } from './voice';

/**
 * `<noun> <id>`, one a domain: the whole way of an aggregate, as everybody tells it who knows a part of it. Other
 * commands may stand under it.
 */
export function storyCommand(program: Command, domain: Domain): Command {
  const { noun } = domain.cli;
  const { idField, spelling } = domain.http.live;
  const command = program
    .command(noun)
    .description(`tell the whole way of one ${noun}: accepted, on Kafka, started, each attempt and fact, published, pushed`)
    .option('--api <url>', 'the API, which asks the gateways; by default the one that runs here')
    .addArgument(new Argument('<id>', `the ${noun}'s id`));
  act(command, async (voice) => {
    const given = String(command.args[0]);
    const id = spelling?.(given) ?? given;
    const { api } = command.opts<{ api?: string }>();
    const { askPath } = await import('../path/open.js');
    const path = await askPath(configOf(POSTGRES_VARIABLES), domain, id, {
      pushes: async () => (await callApi(apiAddress(api), 'GET', `/admin/pushes/${domain.name}/${encodeURIComponent(id)}`)) as object as Pushes,
      say: (data) => dataLine(data, idField),
    });
    const unread = path.away.find(({ teller }) => teller === 'PostgreSQL');
    if (path.acceptedAt === null && !unread) throw await unknown(domain, id, path);

    voice.line(headOf(noun, path, unread !== undefined));
    voice.line(`correlation ${path.correlationId ?? 'not known'} · trace ${path.traceId ?? 'not known'}`);
    for (const line of pathLines(path.lines)) voice.line(line);
    for (const { teller, why, next } of path.away) voice.line(`${teller} cannot be asked: ${why}. ${next}`);
    const { domain: _name, id: _id, lines, ...told } = path;
    voice.result({ [idField]: id, ...told, path: lines });
    return unread ? 1 : 0;
  });
  return command;
}

function headOf(noun: string, { id, status, done, steps, acceptedAt }: Path, unread: boolean): string {
  if (unread) return `${noun} ${id} · its facts cannot be read`;
  if (status === null) return `${noun} ${id} · accepted at ${acceptedAt}, and not begun yet: npx fazenda topics shows how far the doors are`;
  return `${noun} ${id} · ${status}${done ? '' : ', not over yet'} · ${elapsed(steps[0]?.at, steps.at(-1)?.at)}`;
}

/** What is known all the same of one that has no story: mail for it, or that a record of its key has died. */
async function unknown(domain: Domain, id: string, { lines }: Path): Promise<FazendaError> {
  const mail = lines.find(({ event }) => event === 'mail');
  const dead = await deathsOf(id);
  const more = [
    ...(mail ? [`${mail.text} came at ${mail.at}, and waits for it`] : []),
    ...dead.map(({ id: letter, code }) => `a record of this key died at ${letter} of ${code}: npx fazenda dlq show ${letter}`),
  ];
  return new FazendaError('FZ_NOT_FOUND', [`there is no fact of a ${domain.cli.noun} ${id}, and the API has accepted none`, ...more].join('; '));
}

const DEATHS_MAX = 3;

async function deathsOf(key: string): Promise<{ id: string; code: string }[]> {
  const { openPool } = await import('../facts/postgres.js');
  const db = openPool(configOf(POSTGRES_VARIABLES), 'cli', 1);
  try {
    const { rows } = await db.query<{ id: string; code: string }>(
      'SELECT id, error_code AS code FROM dead_letters WHERE key = $1 ORDER BY died_at DESC LIMIT $2', [Buffer.from(key, 'utf8'), DEATHS_MAX]);
    return rows;
  } finally {
    await db.end();
  }
}
