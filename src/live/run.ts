import type { Pool } from 'pg';
import type { Config } from '../config';
import { textOf } from '../errors';
import { openConsumer } from '../kafka/consumer';
import type { Logger } from '../log';
import { KnownStories } from '../logging/known-stories';
import { warnSparingly } from '../logging/sparing';
import { LocalFanOut, type FanOut } from './fanout';
import { openLiveAccess } from './access';
import { openGateway, type Gateway } from './gateway';
import { FACT_TOPICS, GATEWAY_GROUP, hintOf } from './hints';
import { isOurs } from '../facts/identity';
import { openCodec } from '../kafka/codec';
import { measureConnections } from './metrics';
import { RedisFanOut, redisAdapter, type RedisFanOutOptions } from './redis-fanout';
import { postgresStore } from './store';

const CHUNK_MAX = 500;

export interface GatewayDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Pool;
  /** Ends the process: the consumer stalled and cannot be mended. */
  readonly fail: (reason: unknown) => void;
  /** Registers what has to be closed; the last registered is closed first. */
  readonly onStop: (close: () => Promise<unknown> | unknown) => void;
}

/** Serves at once what is stored; resolves when it also hears what happens. */
export async function runGateway({ config, log, db, fail, onStop }: GatewayDeps): Promise<Gateway> {
  const onTrouble = (trouble: unknown): void => warnSparingly(log, 'away', { cause: textOf(trouble) }, 'a store or network of live push is away');
  const known = new KnownStories(db);
  const onPushed = (domain: string, id: string, version: number): void => void known.of(domain, [id]).then(([about]) => log.debug({ ...about, version }, 'pushed'));
  const redis = config.REDIS_URL && { url: config.REDIS_URL.reveal(), prefix: config.KAFKA_TOPIC_PREFIX, onTrouble };
  const fanOut: FanOut = redis ? new RedisFanOut(redis) : new LocalFanOut();
  onStop(() => fanOut.close());
  const adapter = redis ? roomsOver(redis, onStop) : {};
  const gateway = await openGateway({ store: postgresStore(db), fanOut, port: config.GATEWAY_PORT, access: openLiveAccess(config, db), onTrouble, ...(log.isLevelEnabled('debug') && { onPushed }), ...adapter });
  onStop(() => gateway.close());
  measureConnections(gateway);

  const codec = openCodec(config, db);
  const consumer = openConsumer(config, log, {
    group: GATEWAY_GROUP,
    topics: FACT_TOPICS,
    // A partition whose offset was never committed must not be joined at its end: a hint could lie before it.
    fromBeginning: true,
    chunkMax: CHUNK_MAX,
    onChunk: async ({ records }) => {
      // Our own hint by their headers.
      await codec.learn(records.filter(({ headers }) => !isOurs(headers.ce_source)));
      fanOut.tell(records.flatMap((record) => hintOf(record, codec) ?? []));
    },
  }, fail);
  onStop(() => consumer.stop());
  await consumer.start();
  return gateway;
}

function roomsOver(redis: RedisFanOutOptions, onStop: GatewayDeps['onStop']): Pick<ReturnType<typeof redisAdapter>, 'adapter'> {
  const { adapter, close } = redisAdapter(redis);
  onStop(close);
  return { adapter };
}
