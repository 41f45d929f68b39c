import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { FazendaError } from '../errors';
import { OfStory } from '../logging/of-story';
import { PRINTED } from '../logging/print';
import { LogReader, logNames, type LogLine } from '../logging/read';
import { homeFolder } from './endpoints';
import { act, type Voice } from './voice';

/** How often files are looked at that are followed, ms. */
const LOOK_EVERY_MS = 250;
const LINES_PRESET = '100';
/** Pino's own names, from the least to the worst. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

interface LogsOptions { follow?: boolean; story?: string; level?: string; lines: string }

/** `logs [process…]`: what the processes of this home say, put together by time; every line is kept as JSON in its folder. */
export function logsCommand(program: Command): void {
  const command = program
    .command('logs')
    .description('what the processes say, put together by time; of parts too, where they are named')
    .argument('[process...]', 'only these; by default those that write lines of ours')
    .option('-f, --follow', 'and what they will say, until Ctrl-C')
    .option('--story <id>', 'only what is about one story: by its id, its correlation id or its trace id')
    .option('--level <level>', 'only what is as bad as this: trace, debug, info, warn, error or fatal')
    .option('-n, --lines <count>', 'how many of the latest lines', LINES_PRESET);
  act(command, async (voice) => {
    const options = command.opts<LogsOptions>();
    const { levelMin, count } = checked(options);
    const folder = join(homeFolder(), 'logs');
    const named = command.args.map(String);
    const missing = named.filter((name) => !logNames(folder).includes(name));
    if (logNames(folder).length === 0 || missing.length > 0) throw new FazendaError('FZ_NOT_RUNNING', `there is no log of ${missing.join(', ') || 'anything'} in ${folder}`);

    const readers = (named.length > 0 ? named : logNames(folder)).map((name) => new LogReader(folder, name));
    // The parts write lines of their own kinds, at which somebody looks who has named one.
    const wanted = (line: LogLine): boolean => named.length > 0 || line.fields !== undefined;
    const story = options.story === undefined ? undefined : new OfStory(options.story);
    const show = (lines: readonly LogLine[]): LogLine[] => {
      story?.learn(lines);
      return byTime(lines.filter((line) => wanted(line) && LEVELS.indexOf(String(line.fields?.level ?? 'info')) >= levelMin && (story?.is(line) ?? true)));
    };
    const print = await printer(voice);
    for (const line of show(readers.flatMap((reader) => reader.all())).slice(-count)) print(line);
    while (options.follow) {
      await sleep(LOOK_EVERY_MS);
      for (const line of show(readers.flatMap((reader) => reader.more()))) print(line);
    }
  });
}

function checked({ level, lines }: LogsOptions): { levelMin: number; count: number } {
  const levelMin = level === undefined ? 0 : LEVELS.indexOf(level);
  if (levelMin < 0) throw new FazendaError('FZ_USAGE', `${String(level)} is no level: ${LEVELS.join(', ')}`);
  if (!/^[1-9]\d{0,6}$/.test(lines)) throw new FazendaError('FZ_USAGE', `${lines} is no number of lines`);
  return { levelMin, count: Number(lines) };
}

/** Of the same instant as they came. */
function byTime(lines: readonly LogLine[]): LogLine[] {
  return lines.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

/** For programs a JSON document a line, as it was written; for people printed, with colours where they can be seen. */
async function printer(voice: Voice): Promise<(line: LogLine) => void> {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({ ...PRINTED, colorize: Boolean(process.stdout.isTTY) });
  return ({ fields, text, process: name }) => {
    if (voice.json) voice.raw(fields ? text : JSON.stringify({ process: name, msg: text }));
    else voice.line(fields ? pretty(fields).trimEnd() : `${name}: ${text}`);
  };
}
