import type { Command } from 'commander';
import { userInfo } from 'node:os';
import type { CliOption, Domain } from '../../workflows/kernel/definition';
import { FazendaError } from '../errors';
import type { Step } from '../facts/folded';
import { callApi } from './api';
import { apiAddress } from './endpoints';
import { elapsed, stepLine } from './lines';
import { act, type Voice } from './voice';
import { watch } from './watch';

/**
 * One command a domain: creates an aggregate through the API and, if asked, watches it to its end. It stands
 * beside the others, or under the domain's noun.
 */
export function submitCommand(program: Command, noun: Command, domain: Domain): void {
  const { name, underNoun, summary, path, options, body } = domain.cli.submit;
  const command = (underNoun ? noun : program).command(name).description(summary);
  for (const option of options) {
    if (option.pairs) command.option(option.flags, option.summary, addPair, {});
    else command.option(option.flags, option.summary, option.preset);
  }
  command
    .option('--watch', 'show each step until it is over; exit code 1 if it ends badly')
    .option('--api <url>', 'the API; by default the one that runs here');
  act(command, async (voice) => {
    // The noun has an option --api too, which takes what is given behind either.
    const given = command.optsWithGlobals<Record<string, string> & { watch?: boolean; api?: string }>();
    const api = apiAddress(given.api);
    const pairs = Object.assign({}, ...options.filter(({ pairs }) => pairs).map((option) => given[nameOf(option)])) as Record<string, unknown>;
    const answer = await callApi(api, 'POST', path, body(given, pairs, userInfo().username));
    const id = String(answer[domain.http.live.idField]);
    voice.line(`${domain.cli.noun} ${id} is accepted`);
    if (given.watch) return await watchToEnd(voice, domain, api, id, answer);
    voice.result(answer, `Its story: npx fazenda ${domain.cli.noun} ${id}`);
    return 0;
  });
}

async function watchToEnd(voice: Voice, domain: Domain, api: string, id: string, answer: object): Promise<number> {
  const { cli, http } = domain;
  const steps: Step[] = [];
  let well = false;
  await watch(api, http.live.path.replace(':id', () => encodeURIComponent(id)), ({ version, event, status, at }) => {
    const step = { version, event, status, at };
    voice.line(stepLine(step, steps.at(-1)));
    steps.push(step);
    well = cli.endings[event] ?? false;
    return event in cli.endings ? 'over' : 'more';
  });
  const last = steps.at(-1);
  const took = elapsed(steps[0]?.at, last?.at);
  voice.result({ ...answer, status: last?.status, steps }, `${last?.status} after ${took}. Its story: npx fazenda ${cli.noun} ${id}`);
  return well ? 0 : 1;
}

/** `name=value`; a value that is a JSON list or object is one, anything else is text. */
function addPair(pair: string, pairs: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const cut = pair.indexOf('=');
  if (cut < 1) throw new FazendaError('FZ_USAGE', `${pair} is not of the form name=value`);
  return { ...pairs, [pair.slice(0, cut)]: valueOf(pair.slice(cut + 1)) };
}

function valueOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return text; // It only looked like JSON.
    throw thrown;
  }
}

/** `--dry-run <x>` is given under `dryRun`. */
function nameOf({ flags }: CliOption): string {
  const [, long = ''] = /--([\w-]+)/.exec(flags) ?? [];
  return long.replaceAll(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase());
}
