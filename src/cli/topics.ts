import type { Command } from 'commander';
import { FazendaError, textOf } from '../errors';
import { openLog } from '../log';
import { configOf, KAFKA_VARIABLES } from './endpoints';
import { table } from './lines';
import { reachable } from './reach';
import { act } from './voice';

const DAY_MS = 86_400_000;

/** `topics`: what the cluster holds for us, and how far our groups have read. */
export function topicsCommand(program: Command): void {
  const command = program.command('topics').description('partitions, records and retention of each topic, and the lag of our groups');
  act(command, async (voice) => {
    const config = configOf(KAFKA_VARIABLES);
    if (!(await reachable(config.KAFKA_BROKERS))) {
      throw new FazendaError('FZ_KAFKA_AWAY', `no broker answers at ${config.KAFKA_BROKERS.join(', ')}`);
    }
    const log = openLog({ ...config, LOG_LEVEL: 'silent' }, 'cli');
    const { describeTopics } = await import('../kafka/topics.js');
    const { groupLags } = await import('./lag.js');
    const [topics, lags] = await Promise.all([describeTopics(config, log), groupLags(config, log)]).catch((cause: unknown) => {
      throw new FazendaError('FZ_KAFKA_AWAY', textOf(cause), {}, cause);
    });

    const rows = topics.map(({ topic, partitions, highWatermark, retentionMs }) => [topic, partitions, highWatermark, days(retentionMs)]);
    for (const line of table([['topic', 'partitions', 'records', 'kept'], ...rows])) voice.line(line);
    voice.line('');
    const behind = lags.map(({ group, topic, records }) => [group, topic, records ?? 'not begun']);
    for (const line of table([['group', 'topic', 'behind'], ...behind])) voice.line(line);
    voice.result({ topics: topics.map((topic) => ({ ...topic, highWatermark: String(topic.highWatermark) })), groups: lags });
  });
}

function days(ms: number): string {
  return ms < 0 ? 'for ever' : `${Math.round(ms / DAY_MS)} days`;
}
