import { openPool } from '../src/facts/postgres';
import { openNotifier } from '../src/notify/notifier';
import { openSlipQueue } from '../src/notify/open';
import { openPresence } from '../src/notify/presence';
import { runProcess } from '../src/process';
import { QUEUE } from '../src/notify/queue';
import { tracedSlips } from '../src/tracing/slips';
import { openMetrics } from './hosting';

/** Sends letters by SMTP, each at most once. Run as many as the mail server likes. */
void runProcess('notifier', async (running) => {
  const { config, log, onStop, fail } = running;
  await openMetrics('notifier', running);
  const db = openPool(config, 'notifier');
  onStop(() => db.end());
  const presence = await openPresence(config, log, db);
  onStop(() => presence.stop());
  const queue = openSlipQueue(config, log, fail);
  // Closed first: letters in hand still need the database and the sign of life.
  onStop(() => queue.stop());
  const handle = openNotifier({ db, presence, log, smtp: { url: config.SMTP_URL, from: config.MAIL_FROM, timeoutMs: config.SMTP_TIMEOUT_MS } });
  await queue.take(tracedSlips(handle, db, QUEUE));
});
