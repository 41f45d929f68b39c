/**
 * One row a notification, under the `ce_id` of its fact, so that replays and refills send nothing. Its state says
 * how far it came, and each step out of a state is one conditional update: whoever makes it may go on.
 *
 *   new → queued ⇄ sending → sent
 *                          → refused        a definite no, or given up: a dead letter
 *                          → perhaps-sent   nobody knows whether it was taken: a dead letter, never sent again
 *   addressless                             nobody to write to
 */
export const NOTIFICATIONS = `
CREATE TABLE IF NOT EXISTS notifications (
  ce_id UUID PRIMARY KEY,
  aggregate_type TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  event TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('new', 'queued', 'sending', 'sent', 'refused', 'perhaps-sent', 'addressless')),
  address TEXT,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  -- How often a mail server has said "not now" to this letter.
  tries INTEGER NOT NULL DEFAULT 0,
  -- Which notifier is sending it, while one does.
  sender INTEGER,
  reason TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
-- Whose letters there are, for audits and for whoever is asked about one story.
CREATE INDEX IF NOT EXISTS notifications_about ON notifications (aggregate_id);
CREATE INDEX IF NOT EXISTS notifications_open ON notifications (changed_at) WHERE state IN ('new', 'queued', 'sending');
`;
