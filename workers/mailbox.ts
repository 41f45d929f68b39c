import { join } from 'node:path';
import { servePage } from '../src/mailbox/page';
import { openSink } from '../src/mailbox/sink';
import { MailboxStore } from '../src/mailbox/store';
import { runProcess } from '../src/process';
import { openMetrics } from './hosting';

/** Stands in for a mail server, and shows every letter. */
void runProcess('mailbox', async (running) => {
  const { config, log, onStop } = running;
  await openMetrics('mailbox', running);
  const store = new MailboxStore(join(config.FAZENDA_HOME, 'data', 'mailbox'));
  const sink = await openSink({ host: '127.0.0.1', port: config.MAILBOX_SMTP_PORT, log, keep: (letter) => store.add(letter) });
  onStop(() => sink.close());
  const page = await servePage({ host: config.MAILBOX_HOST, port: config.MAILBOX_PORT, all: () => store.all() });
  onStop(() => page.close());
});
