import { openIndexer } from '../../src/deadletters/indexer';
import { openLog } from '../../src/log';
import { openApi, type Answer, type TestApi } from './api';
import { openTestIngress, type TestIngress } from './ingress';
import { until } from './until';

/** The doors, the API with the admin's token, and the index of dead letters, on the same real parts. */
export interface LetterStage {
  readonly ingress: TestIngress;
  readonly api: TestApi;
  /** A request of the admin. */
  admin(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Everything that the list has, over all its pages. */
  letters(query?: string): Promise<ShownLetter[]>;
  /** Waits until the list has this many. */
  listed(count: number, query?: string): Promise<ShownLetter[]>;
  redrive(id: string, body?: object, headers?: Record<string, string>): Promise<Answer>;
  /** Stops the index and begins another, as a restart does. */
  restartIndex(): Promise<void>;
  close(): Promise<void>;
}

export interface ShownLetter {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly group: string | null;
  readonly errorCode: string;
  readonly reason: string;
  readonly at: string;
  readonly state: string;
  readonly sha256: string;
  readonly redrivenFrom: string | null;
  readonly redrive: { by: string; why: string | null; at: string; edited: boolean; before: string; after: string } | null;
  readonly deadLetter: { topic: string; partition: number; offset: string };
}

const TOKEN = 'an-admin-token-of-the-tests';
export const ADMIN_HEADERS = { authorization: `Bearer ${TOKEN}` };

export async function openLetterStage(): Promise<LetterStage> {
  const ingress = await openTestIngress();
  const { config } = ingress;
  const env = { DATABASE_URL: config.DATABASE_URL.reveal(), KAFKA_TOPIC_PREFIX: config.KAFKA_TOPIC_PREFIX, FAZENDA_ADMIN_TOKEN: TOKEN, LOG_LEVEL: config.LOG_LEVEL };
  const api = await openApi({ env, topics: false });
  const open = () => {
    const fresh = openIndexer({ config, db: ingress.db, log: openLog(config, 'index') });
    fresh.start();
    return fresh;
  };
  let index = open();
  const admin: LetterStage['admin'] = (method, path, body, headers) => api.call(method, path, body, { ...ADMIN_HEADERS, ...headers });

  async function letters(query = ''): Promise<ShownLetter[]> {
    const all: ShownLetter[] = [];
    for (let cursor: unknown = ''; typeof cursor === 'string'; ) {
      const { status, text, json } = await admin('GET', `/admin/dead-letters?limit=100&${query}&cursor=${cursor}`);
      if (status !== 200) throw new Error(text);
      all.push(...(json.items as ShownLetter[]));
      cursor = json.nextCursor;
    }
    return all;
  }

  return {
    ingress, api, admin, letters,
    async listed(count, query) {
      await until(async () => (await letters(query)).length >= count, `${count} dead letters are listed`, 30_000, 100);
      return letters(query);
    },
    redrive: (id, body, headers) => admin('POST', `/admin/dead-letters/${encodeURIComponent(id)}/redrive`, body, headers),
    async restartIndex() {
      await index.stop();
      index = open();
    },
    async close() {
      await index.stop();
      await api.close();
      await ingress.close();
    },
  };
}
