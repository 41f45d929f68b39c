import type { Queryable } from './postgres';

/** As long as the topic that it came by: mail for a story that never began is of no use after that. */
const MAIL_KEPT_DAYS = 90;

/** Forgets mail that is older than its topic is kept; facts are never forgotten. */
export async function forgetOldMail(db: Queryable): Promise<void> {
  await db.query('DELETE FROM mail WHERE received_at < now() - make_interval(days => $1)', [MAIL_KEPT_DAYS]);
}
