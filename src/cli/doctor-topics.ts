import { domains } from '../../workflows/domains';
import type { Config } from '../config';
import { textOf } from '../errors';
import type { TopicFacts } from '../kafka/topics';
import { openLog } from '../log';
import { isNamed, KAFKA_VARIABLES } from './endpoints';
import { bad, good, note, type Finding } from './finding';
import { reachable } from './reach';

const DAY_MS = 86_400_000;

/** Topics as the contracts want them, and whether a duplicate can outlive our memory of what it repeats. */
export async function checkTopics(config: Config): Promise<Finding[]> {
  const where = config.KAFKA_BROKERS.join(', ');
  if (!isNamed(KAFKA_VARIABLES)) return [note('topics', 'not looked at: no broker is named')];
  if (!(await reachable(config.KAFKA_BROKERS))) return [note('topics', `not looked at: no broker answers at ${where}`)];
  const { describeTopics, PARTITIONS, RETENTION_MS, topicNames } = await import('../kafka/topics.js');
  const { topics, deadLetters } = topicNames();
  let found: Map<string, TopicFacts>;
  try {
    const described = await describeTopics(config, openLog({ ...config, LOG_LEVEL: 'silent' }, 'doctor'));
    found = new Map(described.map((facts) => [facts.topic, facts]));
  } catch (thrown) {
    return [bad('topics', `cannot be looked at (${textOf(thrown)})`, 'See kafka.log in the home.')];
  }
  const wanted = [...topics.map((name) => [name, PARTITIONS] as const), ...deadLetters.map((name) => [name, 1] as const)];
  const faults = wanted.flatMap(([name, partitions]) => faultsOf(name, partitions, RETENTION_MS, found.get(name)));
  const summary = good('topics', `all ${wanted.length} are there, ${PARTITIONS} partitions (dead letters 1), kept ${RETENTION_MS / DAY_MS} days or longer`);
  return [...(faults.length > 0 ? faults : [summary]), ...memory(found)];
}

function faultsOf(name: string, partitions: number, retentionMinMs: number, facts: TopicFacts | undefined): Finding[] {
  const about = `topic ${name}`;
  if (!facts) return [bad(about, 'is missing', 'Run npx fazenda migrate.')];
  const faults: Finding[] = [];
  if (facts.partitions < partitions) {
    faults.push(bad(about, `has ${facts.partitions} partitions, and the contract says ${partitions}`, 'Make it anew while it is empty: adding partitions would break the order of keys.'));
  }
  if (facts.partitions > partitions) faults.push(note(about, `has ${facts.partitions} partitions, more than the ${partitions} of the contract`));
  if (facts.retentionMs >= 0 && facts.retentionMs < retentionMinMs) {
    faults.push(bad(about, `keeps records ${(facts.retentionMs / DAY_MS).toFixed(1)} days`, `Set retention.ms to at least ${retentionMinMs}: the log is the event store.`));
  }
  return faults;
}

/** How long mail is kept for a story that has not begun, ms. */
const MAIL_KEPT_MS = 90 * DAY_MS;

/** Deduplication has no window where facts decide; mail for stories that never came has one. */
function memory(found: ReadonlyMap<string, TopicFacts>): Finding[] {
  const mailTopics = [...new Set(domains.flatMap(({ doors }) => doors.filter(({ kind }) => kind === 'mail').map(({ topic }) => topic)))];
  const longer = mailTopics.filter((topic) => {
    const kept = found.get(topic)?.retentionMs ?? 0;
    return kept < 0 || kept > MAIL_KEPT_MS;
  });
  const mail = longer.length === 0
    ? good('dedupe window of mail', `${MAIL_KEPT_MS / DAY_MS} days, no shorter than its topics are kept`)
    : note('dedupe window of mail', `${MAIL_KEPT_MS / DAY_MS} days, shorter than ${longer.join(', ')} is kept`, 'A command read again after that acts again on a story that never began.');
  return [good('dedupe window of stories', 'for ever: facts never expire, so a duplicate is known however old it is'), mail];
}
