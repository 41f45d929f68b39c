import { v5 as uuidv5 } from 'uuid';
import { FAZENDA_NAMESPACE } from '../../src/facts/identity';
import { withoutDeadlock, type Queryable } from '../../src/facts/postgres';
import type { CaptureAnswer, PaymentProvider } from './port';

/** The simulated provider declines a total whose cents are 13. Source: CONTRACTS §6. */
const DECLINED_CENTS = 13;

/** A provider whose books are a table: it keeps every promise of the port, and moves no money. */
export function simulatedProvider(db: Queryable): PaymentProvider {
  return {
    async capture(charges) {
      const entries = charges.map(({ key, amountCents }) => ({
        key, payment_id: paymentIdOf(key), amount_cents: amountCents, state: amountCents % 100 === DECLINED_CENTS ? 'declined' : 'captured',
      }));
      // The update changes nothing: it makes the row that was there first the answer.
      const { rows } = await enter<{ key: string; payment_id: string; state: 'captured' | 'declined' | 'voided' }>(
        entries, `SELECT key, payment_id, amount_cents, state, state = 'captured'`, 'key = EXCLUDED.key',
      );
      return new Map(rows.map(({ key, payment_id: paymentId, state }): [string, CaptureAnswer] =>
        [key, state === 'voided' ? { outcome: 'closed' } : { outcome: state, paymentId }]));
    },

    async void(keys) {
      const entries = keys.map((key) => ({ key, payment_id: paymentIdOf(key) }));
      const { rows } = await enter<{ key: string; payment_id: string; captured: boolean }>(
        entries, `SELECT key, payment_id, 0, 'voided', FALSE`, `state = 'voided'`,
      );
      return new Map(rows.map(({ key, payment_id, captured }) => [key, { paymentId: captured ? payment_id : null }]));
    },
  };

  /** A key given twice is entered once; rows are touched in the order of their keys. */
  function enter<Row extends object>(entries: readonly { key: string }[], select: string, update: string) {
    const byKey = new Map(entries.map((entry) => [entry.key, entry]));
    return withoutDeadlock(() =>
      db.query<Row>(
        `INSERT INTO simulated_payments AS p (key, payment_id, amount_cents, state, captured)
         ${select} FROM json_to_recordset($1::json) AS e(key text, payment_id text, amount_cents bigint, state text) ORDER BY key
         ON CONFLICT (key) DO UPDATE SET ${update}
         RETURNING p.key, p.payment_id, p.state, p.captured`,
        [JSON.stringify([...byKey.values()])],
      ),
    );
  }
}

/** The same key always has the same name, as no id here comes from a clock or a run. */
function paymentIdOf(key: string): string {
  return `simulated/${uuidv5(key, FAZENDA_NAMESPACE)}`;
}
