import type { Command } from 'commander';
import { FazendaError } from '../errors';
import type { Step } from '../facts/folded';
import type { Replay, ReplayedStep } from '../replay/replay';
import { callApi } from './api';
import { apiAddress } from './endpoints';
import { stepLine } from './lines';
import { act } from './voice';

const BOUND = 'a version, an instant (ISO 8601), or <topic>=<offset>';

/** `replay <id>`: a story told again from its topics, and where the others differ; exit code 1 if one does. */
export function replayCommand(program: Command): void {
  const command = program
    .command('replay')
    .description('tell a story again from its topics, and where view and Temporal differ; exit code 1 if they do')
    .argument('<id>', 'the aggregate')
    .option('--from <bound>', `show what comes from there on: ${BOUND}`)
    .option('--until <bound>', `tell it until there: ${BOUND}`)
    .option('--domain <name>', 'where several domains know the id')
    .option('--api <url>', 'the API; by default the one that runs here');
  act(command, async (voice) => {
    const { from, until, domain, api } = command.opts<{ from?: string; until?: string; domain?: string; api?: string }>();
    const body = { aggregateId: command.args[0], ...(domain && { domain }), ...(from && { from: boundOf(from) }), ...(until && { until: boundOf(until) }) };
    const told = (await callApi(apiAddress(api), 'POST', '/admin/replay', body)) as object as Replay;
    const { steps, state, view, differences } = told;
    voice.line(`${told.domain} ${told.aggregateId} · ${state ? state.status : 'cannot be told'}`);
    steps.forEach((step, at) => voice.line(stepLine(stepOf(step), steps[at - 1] && stepOf(steps[at - 1] as ReplayedStep), placeOf(step))));
    voice.line(differences.length === 0 ? `No difference: the view is at version ${String(view?.version)}.` : 'Differences:');
    for (const { teller, field, expected, found } of differences) {
      voice.line(`  ${teller}: ${field} is ${JSON.stringify(found)}, the topics say ${JSON.stringify(expected)}`);
    }
    voice.result(told);
    return differences.length === 0 ? 0 : 1;
  });
}

function stepOf({ version, event, at, status }: ReplayedStep): Step {
  return { version, event, at, status: status ?? '?' };
}

function placeOf({ place: { topic, partition, offset } }: ReplayedStep): string {
  return `${topic}/${partition}/${offset}`;
}

function boundOf(text: string): object {
  if (/^\d+$/.test(text)) return { version: Number(text) };
  const [, topic, offset] = /^([\w.-]+)=(\d+)$/.exec(text) ?? [];
  if (topic !== undefined) return { offset: { [topic]: Number(offset) } };
  if (Number.isNaN(Date.parse(text))) throw new FazendaError('FZ_USAGE', `${text} is not ${BOUND}`);
  return { instant: new Date(text).toISOString() };
}
