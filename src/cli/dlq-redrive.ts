import { Argument, type Command } from 'commander';
import { FazendaError } from '../errors';
import { callApi } from './api';
import { apiOf, foreseenText, letterPath, LETTERS_PATH, selectable, selectionOf, whoAsks, type WouldBecome } from './dlq-letters';
import { act, type Voice } from './voice';

/** Letters that the API takes in one call. */
const AT_ONCE_MAX = 100;

interface Options { readonly why?: string; readonly rate: string; readonly dryRun?: boolean; readonly all?: boolean }
interface Round {
  readonly redriven: readonly string[];
  readonly foreseen?: readonly { readonly id: string; readonly wouldBecome: WouldBecome }[];
  readonly refused: readonly { readonly id: string; readonly errorCode: string; readonly reason: string }[];
  readonly stoppedBy: { readonly errorCode: string; readonly reason: string } | null;
  readonly left: readonly string[];
  readonly nextCursor: string | null;
}

/** `dlq redrive`: those that are named, or all open ones of a cause, no faster than a rate. */
export function dlqRedriveCommand(dlq: Command): void {
  const command = selectable(dlq.command('redrive').description('put records back on their topics, once each'))
    .addArgument(new Argument('[ids...]', 'which; or choose them by the options'))
    .option('--all', 'all open ones, where nothing else says which')
    .option('--why <text>', 'why; it is kept with each of them')
    .option('--rate <n>', 'records a second at most', '10')
    .option('--dry-run', 'only say what each would become');
  act(command, async (voice) => {
    const { why, rate, dryRun = false, all } = command.opts<Options>();
    const chosen = selectionOf(command);
    if (!(Number(rate) > 0)) throw new FazendaError('FZ_USAGE', '--rate takes a number above 0');
    if ((command.args.length > 0) === (Object.keys(chosen).length > 0 || all === true)) throw new FazendaError('FZ_USAGE', 'name ids, or choose by --code, --topic, --group, --since, --until or --all');
    const api = apiOf(command);
    const [only, ...more] = command.args;
    if (only !== undefined && more.length === 0) return await one(voice, api, only, why, dryRun);
    const wish = { ...(why && { why }), ratePerSecond: Number(rate), dryRun };
    // What dies again while this runs is not redriven once more: it died later.
    const where = { until: new Date().toISOString(), ...chosen };
    return await many(voice, api, wish, only === undefined ? { where } : { ids: command.args });
  });
}

async function one(voice: Voice, api: string, id: string, why: string | undefined, dryRun: boolean): Promise<void> {
  const answer = await callApi(api, 'POST', `${letterPath(id)}/redrive`, { ...(why && { why }), dryRun }, whoAsks());
  voice.result(answer, dryRun ? `${id} would be ${foreseenText(answer.wouldBecome as WouldBecome)}` : `${id} → ${String(answer.redrivenTo)}`);
}

/** Call after call until nothing is left; each says where to go on. */
async function many(voice: Voice, api: string, wish: object, which: { readonly where: object } | { readonly ids: readonly string[] }): Promise<number> {
  const sum = { redriven: [] as string[], foreseen: [] as unknown[], refused: [] as unknown[], stoppedBy: null as Round['stoppedBy'] };
  let left: readonly string[] = 'ids' in which ? which.ids : [];
  let cursor: string | null | undefined;
  do {
    const asked = 'ids' in which ? { ids: left.slice(0, AT_ONCE_MAX) } : { ...which, ...(cursor && { cursor }) };
    const round = await callApi(api, 'POST', `${LETTERS_PATH}/redrive`, { ...wish, ...asked }, whoAsks()) as never as Round;
    for (const id of round.redriven) voice.line(`${id} is redriven`);
    for (const { id, wouldBecome } of round.foreseen ?? []) voice.line(`${id} would be ${foreseenText(wouldBecome)}`);
    for (const { id, errorCode, reason } of round.refused) voice.line(`${id} is not: ${errorCode}: ${reason}`);
    sum.redriven.push(...round.redriven);
    sum.foreseen.push(...(round.foreseen ?? []));
    sum.refused.push(...round.refused);
    sum.stoppedBy = round.stoppedBy;
    left = [...round.left, ...left.slice(AT_ONCE_MAX)];
    cursor = round.nextCursor;
  } while (sum.stoppedBy === null && (left.length > 0 || cursor));
  const { redriven, foreseen, refused, stoppedBy } = sum;
  const said = foreseen.length > 0 ? `${foreseen.length} would be redriven.` : `${redriven.length} redriven, ${refused.length} refused.`;
  voice.result({ redriven, refused, stoppedBy, ...(foreseen.length > 0 && { foreseen }) }, stoppedBy ? `${said} Stopped by ${stoppedBy.errorCode}: ${stoppedBy.reason}` : said);
  return refused.length > 0 || stoppedBy ? 1 : 0;
}
