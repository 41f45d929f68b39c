import type { Queryable } from '../facts/postgres';
import { oneLine } from '../notify/compose';
import type { Source } from '../audit/sources';
import { storiesOf } from './stored';

const LOST = 'PostgreSQL was lost with the ledger of letters: nobody knows whether this one was sent';

/**
 * Enters a letter for every fact of some stories that people are told of and that was on its topic: as perhaps
 * sent, because the ledger that knew is gone, and no letter may go out twice. Returns how many it entered.
 */
export async function markPerhapsSent(tx: Queryable, { name, domain }: Source, ids: readonly string[]): Promise<number> {
  const notices = domain?.notices;
  if (!notices) return 0;
  const rows = [...(await storiesOf(tx, name, ids)).values()].flat().flatMap((fact) => {
    const notice = notices[fact.type];
    if (!notice || fact.publishedAt === null) return [];
    return [{
      ce_id: fact.ceId, aggregate_type: name, aggregate_id: fact.id, event: fact.type, state: 'perhaps-sent', reason: LOST,
      subject: oneLine(notice.subject(fact.data)), text: notice.text(fact.data),
    }];
  });
  if (rows.length === 0) return 0;
  const { rowCount } = await tx.query(
    `INSERT INTO notifications (ce_id, aggregate_type, aggregate_id, event, state, subject, text, reason)
     SELECT l.ce_id, l.aggregate_type, l.aggregate_id, l.event, l.state, l.subject, l.text, l.reason
     FROM json_populate_recordset(NULL::notifications, $1) AS l ORDER BY l.ce_id ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  );
  return rowCount ?? 0;
}

/** What an older state of the ledger, as a backup has it, still meant to send may have been sent since. */
export async function sendNothingOld(tx: Queryable): Promise<number> {
  const { rowCount } = await tx.query(
    `UPDATE notifications SET state = 'perhaps-sent', reason = $1, sender = NULL, changed_at = now() WHERE state IN ('new', 'queued', 'sending')`, [LOST]);
  return rowCount ?? 0;
}
