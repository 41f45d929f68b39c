import type { Client } from '@temporalio/client';
import { Gauge } from 'prom-client';
import { DEPENDENCIES, type Watch } from '../api/dependencies';
import type { Config } from '../config';
import { indexGroup, indexTopics } from '../deadletters/indexer';
import type { Queryable } from '../facts/postgres';
import { openKafka, PROMPT } from '../kafka/client';
import { letGo } from '../kafka/let-go';
import type { Logger } from '../log';
import { registry } from '../metrics';
import { ourGroups } from './groups';
import { kafkaLook } from './kafka-health';
import { lagLook } from './lag';
import { observe } from './observer';
import { queuesLook } from './queues';
import { backlogLook, deadLettersLook } from './stores';
import { taskQueuesLook } from './temporal';

const dependencyUp = new Gauge({
  name: 'fazenda_dependency_up',
  help: 'Whether what the api cannot do without is up, as /readyz says: 1 or 0',
  labelNames: ['dependency'] as const,
  registers: [registry],
});
const openStoriesMax = new Gauge({ name: 'fazenda_open_stories_max', help: 'OPEN_STORIES_MAX', registers: [registry] });

export interface ObserverDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Queryable;
  readonly temporal: Client;
  readonly watch: Watch;
}

/** Everything that is asked of the stores for the page of metrics. None of them has to be there. */
export function openObserver({ config, log, db, temporal, watch }: ObserverDeps): { stop(): Promise<void> } {
  const admin = openKafka(config, log, PROMPT).admin();
  const groups = async () => new Map([...ourGroups(config), [await indexGroup(db), indexTopics()] as const]);
  openStoriesMax.set(config.OPEN_STORIES_MAX);
  const dependencies = {
    name: 'dependencies', everyMs: 2_000,
    async look() {
      const states = await watch.now();
      dependencyUp.reset();
      for (const dependency of DEPENDENCIES) if (states[dependency].state !== 'unknown') dependencyUp.set({ dependency }, states[dependency].state === 'up' ? 1 : 0);
    },
    forget: () => dependencyUp.reset(),
  };
  const looks = [
    dependencies, lagLook(config, admin, groups), kafkaLook(config, admin), backlogLook(db), deadLettersLook(db), taskQueuesLook(config, temporal),
    ...(config.AMQP_URL ? [queuesLook(config.AMQP_URL, log)] : []),
  ];
  const observer = observe(looks, log);

  /** A look that is cut short may have asked on meanwhile, for which the client connects again. */
  async function disconnect(): Promise<void> {
    await admin.disconnect();
    await observer.settled();
    await admin.disconnect();
  }

  return {
    async stop() {
      await observer.stop();
      await letGo({ disconnect }, log);
    },
  };
}
