import type { Command } from 'commander';
import { FazendaError } from '../errors';
import { callApi } from './api';
import { API_OPTION, apiOf } from './dlq-letters';
import { table } from './lines';
import { act } from './voice';

type Cell = string | number;
type Line = Readonly<Record<string, Cell | null>>;

/** What of each report is shown to a person: its title, and the columns by their fields. */
const SHOWN: readonly { readonly report: string; readonly title: string; readonly columns: Readonly<Record<string, string>> }[] = [
  { report: 'funnel', title: 'Reached', columns: { domain: 'domain', type: 'event', stories: 'stories', share: 'share' } },
  { report: 'steps', title: 'Time per step, ms', columns: { domain: 'domain', from: 'from', to: 'to', count: 'times', p50Ms: 'p50', p90Ms: 'p90', p99Ms: 'p99', maxMs: 'most' } },
  { report: 'attempts', title: 'Attempts', columns: { domain: 'domain', attempts: 'attempts', outcome: 'ended', stories: 'stories' } },
  { report: 'failures', title: 'What did not go well', columns: { domain: 'domain', type: 'event', reason: 'reason', times: 'times', stories: 'stories' } },
  { report: 'revenue', title: 'Earned a day (UTC)', columns: { domain: 'domain', day: 'day', amount: 'amount', stories: 'stories' } },
  { report: 'stock-turns', title: 'Pieces of stock', columns: { domain: 'domain', product: 'product', reserved: 'reserved', released: 'released', sold: 'sold', held: 'held', stories: 'stories' } },
];

/** `stats [domain]`: what analytics has counted, in tables; with --json as the API says it. */
export function statsCommand(program: Command): void {
  const command = program.command('stats').description('what analytics has counted: funnel, time per step, attempts, failures, revenue, stock')
    .argument('[domain]', 'of one domain alone')
    .option('--from <instant>', 'told at this instant or later, ISO 8601')
    .option('--until <instant>', 'told before this instant')
    .option(...API_OPTION);
  act(command, async (voice) => {
    const [domain] = command.args;
    const { from, until } = command.opts<{ from?: string; until?: string }>();
    const query = new URLSearchParams({ ...(domain && { domain }), ...(from && { from }), ...(until && { until }) });
    const api = apiOf(command);
    const reports = await Promise.all(SHOWN.map(async ({ report }) => [report, await itemsOf(api, report, query)] as const));
    const told = new Map(reports);
    let empty = true;
    for (const { report, title, columns } of SHOWN) {
      const items = told.get(report) ?? [];
      if (items.length === 0) continue;
      empty = false;
      voice.line(title);
      const rows = items.map((item) => Object.keys(columns).map((field) => cellOf(field, item[field])));
      for (const line of table([Object.values(columns), ...rows])) voice.line(`  ${line}`);
      voice.line('');
    }
    voice.result(Object.fromEntries(reports), empty ? 'Nothing is counted yet.' : '');
  });
}

async function itemsOf(api: string, report: string, query: URLSearchParams): Promise<readonly Line[]> {
  const { items } = await callApi(api, 'GET', `/analytics/${report}?${query}`);
  if (!Array.isArray(items)) throw new FazendaError('FZ_API_AWAY', `${api} does not answer as fazenda does`);
  return items as readonly Line[];
}

function cellOf(field: string, value: Cell | null | undefined): Cell {
  if (field === 'share') return typeof value === 'number' ? `${(value * 100).toFixed(1)} %` : '—';
  return value ?? '—';
}
