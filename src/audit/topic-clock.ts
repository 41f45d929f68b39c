import { domains } from '../../workflows/domains';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { clusterName, openKafka, PROMPT } from '../kafka/client';
import { describeTopics } from '../kafka/topics';
import type { Logger } from '../log';
import { NOTIFICATIONS_GROUP } from '../notify/compose';
import { noticedTopics } from '../notify/dispatch';

/** A broker forgets whole segments, some time after they are due. */
const FORGETS_LATE_MS = 3_600_000;

/** Who makes something of what he reads: a story, or a letter. */
const READERS = [
  ...domains.flatMap(({ doors }) => doors.filter(({ kind }) => kind === 'start')),
  ...noticedTopics().map((topic) => ({ topic, group: NOTIFICATIONS_GROUP })),
];

/** How far the readers have come, and how far back the topics remember. */
export class TopicClock {
  private readonly committed = new Map<string, bigint>();
  private readonly retentionMs = new Map<string, number>();

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
  ) {}

  /** @throws FazendaError FZ_KAFKA_AWAY */
  async look(): Promise<void> {
    const admin = openKafka(this.config, this.log, PROMPT).admin();
    try {
      if (this.retentionMs.size === 0) for (const { topic, retentionMs } of await describeTopics(this.config, this.log)) this.retentionMs.set(topic, retentionMs);
      await admin.connect();
      for (const { topic, group } of READERS) {
        const [taken] = await admin.fetchOffsets({ groupId: clusterName(this.config, group), topics: [clusterName(this.config, topic)] });
        for (const { partition, offset } of taken?.partitions ?? []) this.committed.set(`${group} ${topic}/${partition}`, BigInt(offset));
      }
    } catch (cause) {
      throw cause instanceof FazendaError ? cause : new FazendaError('FZ_KAFKA_AWAY', `the groups' offsets cannot be read (${textOf(cause)})`, {}, cause);
    } finally {
      await admin.disconnect();
    }
  }

  /** True where the group has committed the record at this place. */
  taken(group: string, place: string): boolean {
    const [topic = '', partition = '', offset = '0'] = place.split('/');
    return (this.committed.get(`${group} ${topic}/${partition}`) ?? 0n) > BigInt(offset);
  }

  /** Whatever was put on a topic after this is still there. */
  keptSince(topic: string): Date {
    const retentionMs = this.retentionMs.get(topic) ?? -1;
    return retentionMs < 0 ? new Date(0) : new Date(Date.now() - retentionMs + FORGETS_LATE_MS);
  }
}
