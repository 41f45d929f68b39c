import { Gauge } from 'prom-client';
import { domains } from '../../workflows/domains';
import { FROM_LETTERS } from '../deadletters/store';
import { isErrorCode } from '../errors';
import type { Queryable } from '../facts/postgres';
import { topicNames } from '../kafka/topics';
import { registry } from '../metrics';
import type { Look } from './observer';

/** Nothing is counted beyond this, so that a look at a large backlog costs what one at a small costs. */
export const COUNTED_MAX = 10_000;
const EVERY_MS = 5_000;
const LETTERS_EVERY_MS = 10_000;

const relayBacklog = new Gauge({ name: 'fazenda_relay_backlog', help: `Facts that are not on Kafka yet, counted up to ${COUNTED_MAX}`, registers: [registry] });
const relayOldest = new Gauge({
  name: 'fazenda_relay_oldest_seconds',
  help: 'Age of the fact that waits longest for Kafka, by its own time; 0 while none waits',
  registers: [registry],
});
const openStories = new Gauge({
  name: 'fazenda_open_stories',
  help: `Stories that work, counted up to ${COUNTED_MAX}; at OPEN_STORIES_MAX the doors wait`,
  labelNames: ['domain'] as const,
  registers: [registry],
});
const unread = new Gauge({
  name: 'fazenda_dead_letters_unread',
  help: `Dead letters that nobody has redriven, of the newest ${COUNTED_MAX}`,
  labelNames: ['topic', 'code'] as const,
  registers: [registry],
});
const openNotifications = new Gauge({
  name: 'fazenda_notifications_open',
  help: `Notifications on their way, counted up to ${COUNTED_MAX}`,
  labelNames: ['state'] as const,
  registers: [registry],
});

/** Backlogs in Postgres. Each statement walks a partial index from its front, and no further than it counts. */
export function backlogLook(db: Queryable): Look {
  async function look(): Promise<void> {
    // Ordered, so that no planner thinks of reading the table instead.
    const facts = await db.query<{ waiting: number; oldest: Date | null }>(
      `SELECT count(*)::int AS waiting, min(at) AS oldest FROM (
         SELECT at FROM facts WHERE published_at IS NULL ORDER BY seq LIMIT ${COUNTED_MAX}) AS waiting`);
    const { waiting = 0, oldest = null } = facts.rows[0] ?? {};
    relayBacklog.set(waiting);
    relayOldest.set(oldest === null ? 0 : Math.max(0, (Date.now() - oldest.getTime()) / 1_000));
    for (const { name, view } of domains) {
      const { rows } = await db.query<{ working: number }>(
        `SELECT count(*)::int AS working FROM (SELECT 1 FROM ${view.table} WHERE phase = 'working' LIMIT ${COUNTED_MAX}) AS working`);
      openStories.set({ domain: name }, rows[0]?.working ?? 0);
    }
    const letters = await db.query<{ state: string; count: number }>(
      `SELECT state, count(*)::int AS count FROM (
         SELECT state FROM notifications WHERE state IN ('new', 'queued', 'sending') ORDER BY changed_at LIMIT ${COUNTED_MAX}) AS open GROUP BY state`);
    openNotifications.reset();
    for (const state of ['new', 'queued', 'sending']) openNotifications.set({ state }, letters.rows.find((row) => row.state === state)?.count ?? 0);
  }
  return { name: 'backlog', everyMs: EVERY_MS, look, forget: () => [relayBacklog, relayOldest, openStories, openNotifications].forEach((gauge) => gauge.reset()) };
}

/** Dead letters that wait for somebody, as their index has them. What others wrote into a letter is no label. */
export function deadLettersLook(db: Queryable): Look {
  const { deadLetters } = topicNames();
  const topics = new Set(deadLetters.map((name) => name.replace(/\.dlq$/, '')));

  async function look(): Promise<void> {
    const { rows } = await db.query<{ topic: string; error_code: string; count: number }>(
      `SELECT topic, error_code, count(*)::int AS count FROM (
         SELECT l.topic, l.error_code, r.sent_at ${FROM_LETTERS} ORDER BY l.died_at DESC, l.id DESC LIMIT ${COUNTED_MAX}) AS newest
       WHERE sent_at IS NULL GROUP BY topic, error_code`);
    unread.reset();
    for (const { topic, error_code: code, count } of rows) {
      unread.inc({ topic: topics.has(topic) ? topic : 'other', code: isErrorCode(code) ? code : 'other' }, count);
    }
  }
  return { name: 'dead-letters', everyMs: LETTERS_EVERY_MS, look, forget: () => unread.reset() };
}
