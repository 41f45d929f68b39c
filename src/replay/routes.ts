import { parseBody, validBody } from '../api/body';
import type { Operation } from '../api/operation';
import { jsonReply } from '../api/reply';
import type { Route } from '../api/routes';
import { openCodec } from '../kafka/codec';
import { replay, type ReplayDeps } from './replay';
import { replayRequest, type ReplayRequest } from './request';

export const REPLAY_PATH = '/admin/replay';

/** Replays of one process under way at the same time; the others wait, because each may read much of the log. */
const REPLAYS_AT_ONCE_MAX = 2;

/** Tells a story again. It reads and nothing else, so that asking twice is asking once. */
export function replayRoutes(given: Omit<ReplayDeps, 'codec'>): Route[] {
  const deps = { ...given, codec: openCodec(given.config, given.db) };
  const inTurn = atMost(REPLAYS_AT_ONCE_MAX);
  return [
    {
      method: 'post',
      path: REPLAY_PATH,
      needs: 'admin',
      async answer({ body }) {
        const asked = validBody(replayRequest, parseBody(body)) as ReplayRequest;
        return jsonReply(200, await inTurn(() => replay(deps, asked)));
      },
    },
  ];
}

export const replayOperations: readonly Operation[] = [
  {
    path: REPLAY_PATH, method: 'post', tag: 'admin',
    summary: 'Tell a story again from its topics: each step, the state, and where view and Temporal differ',
    body: { name: 'Replay', schema: replayRequest },
    answers: { 200: 'Steps, state, view, and every difference; nothing was changed' },
    faults: ['FZ_BODY_NOT_JSON', 'FZ_BODY_TOO_DEEP', 'FZ_BODY_TOO_LARGE', 'FZ_MEDIA_TYPE', 'FZ_SCHEMA_INVALID', 'FZ_TEXT_UNSTORABLE', 'FZ_NOT_FOUND', 'FZ_KAFKA_AWAY', 'FZ_POSTGRES_AWAY'],
  },
];

/** Runs work of which only so much goes on at the same time, in the order in which it came. */
function atMost(limit: number): <Result>(work: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= limit) await new Promise<void>((go) => waiting.push(go));
    else running += 1;
    try {
      return await work();
    } finally {
      // Whoever waits longest takes the place; it stays taken.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
