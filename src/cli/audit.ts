import type { Command } from 'commander';
import type { Ledger } from '../audit/audit';
import { kindOf, type Difference } from '../audit/kinds';
import type { AuditDeps } from '../audit/look';
import type { Range } from '../audit/told-facts';
import { FazendaError } from '../errors';
import { table } from './lines';
import { withTellers } from './tellers';
import { act, type Voice } from './voice';

const SETTLE_S = 10;
const PATIENCE_S = 120;
/** What was stored again may have to be published, or started: then a second round does it. */
const REPAIRS_MAX = 2;
/** The broker has this long to answer the first time, ms. */
const CONNECT_MS = 10_000;

/** `audit`: do all tellers tell the same of every aggregate? Exit code 1 where they do not, or where it could not be seen yet. Everything may run meanwhile. */
export function auditCommand(program: Command): void {
  const command = program
    .command('audit')
    .description('compare what facts, views, topics, Temporal and S3 tell of every aggregate; exit code 1 on any difference, and where one was still moving')
    .argument('[ids...]', 'look at these alone')
    .option('--domain <name...>', 'look at these kinds of aggregates alone')
    .option('--since <instant>', 'only aggregates of which something was told since, ISO 8601')
    .option('--until <instant>', 'and before this instant')
    .option('--settle <seconds>', 'how long a difference has to stand still before it is named', String(SETTLE_S))
    .option('--patience <seconds>', 'how long those are waited for that come right by themselves', String(PATIENCE_S))
    .option('--repair', 'publish again what the facts know, store again what the topics know, and look again');
  act(command, async (voice) => {
    const given = command.opts<{ domain?: string[]; since?: string; until?: string; settle: string; patience: string; repair?: boolean }>();
    const range = rangeOf(command.args, given);
    const options = { range, settleMs: seconds('--settle', given.settle), patienceMs: seconds('--patience', given.patience), onProgress: progressOf(voice) };
    return await withTellers(async (deps) => {
      const { audit } = await import('../audit/audit.js');
      let ledger = await audit(deps, options);
      tell(voice, ledger);
      for (let round = 0; given.repair && round < REPAIRS_MAX && ledger.differences.some(({ kind }) => kindOf(kind).repair); round += 1) {
        const tried = await mend(deps, ledger.differences);
        voice.line(`repairs tried: ${Object.entries(tried).map(([name, count]) => `${name} ${String(count)}`).join(', ')}`);
        // Those that were still moving are not looked at again, and not cleared by what is.
        const { moving } = ledger;
        const again = await audit(deps, { ...options, range: { ...range, ids: [...new Set(ledger.differences.map(({ id }) => id))] } });
        ledger = { ...again, moving: moving + again.moving };
        tell(voice, ledger);
      }
      const clean = ledger.differences.length === 0 && ledger.moving === 0;
      voice.result({ clean, ...ledger }, clean ? 'All tellers agree.' : unclean(ledger));
      return clean ? 0 : 1;
    });
  });
}

function unclean({ differences, moving }: Ledger): string {
  return `${differences.length} differences.${moving > 0 ? ` ${moving} were still moving: run it again, or with more --patience.` : ''}`;
}

async function mend(deps: AuditDeps, differences: readonly Difference[]): Promise<Readonly<Record<string, number>>> {
  const { openProducer } = await import('../kafka/producer.js');
  const { repair } = await import('../audit/repair.js');
  const producer = openProducer(deps.config, deps.log, { sendTimeoutMs: 60_000 });
  producer.start();
  try {
    for (const until = Date.now() + CONNECT_MS; !producer.connected && Date.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 50));
    return await repair({ ...deps, producer }, differences);
  } finally {
    await producer.stop();
  }
}

/** @throws FazendaError FZ_USAGE */
function rangeOf(ids: readonly string[], { domain, since, until }: { domain?: string[]; since?: string; until?: string }): Range {
  return {
    ...(ids.length > 0 && { ids }), ...(domain && { aggregates: domain }),
    ...(since !== undefined && { since: instant('--since', since) }), ...(until !== undefined && { until: instant('--until', until) }),
  };
}

function instant(option: string, text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new FazendaError('FZ_USAGE', `${option} takes an instant like 2026-01-02T03:04:05Z`);
  return new Date(at).toISOString();
}

function seconds(option: string, text: string): number {
  const given = Number(text);
  if (!(given >= 0)) throw new FazendaError('FZ_USAGE', `${option} takes a number of seconds`);
  return given * 1_000;
}

function progressOf(voice: Voice): (text: string) => void {
  let last = '';
  return (text) => {
    if (text !== last) voice.line(`… ${text}`);
    last = text;
  };
}

/** The ledger: what was looked at, then each difference with what it means and what to do. */
function tell(voice: Voice, { aggregates, facts, records, cameRight, moving, differences }: Ledger): void {
  const counts = [...Object.entries(aggregates), ['facts', facts], ['records', records], ['came right by themselves', cameRight], ['still moving, not judged', moving]] as const;
  for (const line of table(counts.map(([name, count]) => [name, count]))) voice.line(line);
  for (const { kind, aggregate, id, version, said } of differences) {
    const { tellers, means, next } = kindOf(kind);
    voice.line(`${kind}  ${aggregate} ${id}${version === undefined ? '' : ` v${version}`}  [${tellers.join(' ≠ ')}]  ${said}`);
    voice.line(`    ${means} → ${next}`);
  }
}
