import { Readable } from 'node:stream';
import MailComposer from 'nodemailer/lib/mail-composer';
import { parseConnectionUrl } from 'nodemailer/lib/shared';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { textOf } from '../errors';
import type { Secret } from '../secret';
import { messageIdOf } from './queue';

/** What is handed to a mail server. */
export interface Envelope {
  readonly ceId: string;
  readonly address: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * How a handing over ended.
 * `sent`: the server took it. `perhaps`: the text was on its way and no answer came.
 * `not-now`: it said to come again; `never`: it, or the letter itself, rules it out. Neither took the letter.
 * `away`: there was no talking to it, for no fault of the letter.
 */
export interface HandedOver {
  readonly outcome: 'sent' | 'perhaps' | 'not-now' | 'never' | 'away';
  readonly detail: string;
}

export interface SmtpOptions {
  readonly url: Secret;
  readonly from: string;
  /** Bounds each wait for the server, ms. */
  readonly timeoutMs: number;
}

/** One address and nothing else: what could end a header, a command or a list of addresses is none. */
const ADDRESS = /^[^\s<>(),:;"[\]\\@\p{Cc}]{1,64}@[^\s<>(),:;"[\]\\@\p{Cc}]{1,189}$/u;

/** Commands at which the server's no is about this letter; at any other it is about itself, or about us. */
const ABOUT_THE_LETTER = ['MAIL FROM', 'RCPT TO', 'DATA'];

/** Hands one letter over, on a connection of its own. Never rejects: every end it can come to is an outcome. */
export async function handOver({ url, from, timeoutMs }: SmtpOptions, envelope: Envelope): Promise<HandedOver> {
  if (!ADDRESS.test(envelope.address)) return { outcome: 'never', detail: 'the address is none' };
  const composed = await compose(from, envelope);
  if (composed.envelope.to.length !== 1) return { outcome: 'never', detail: 'the address is none' };
  const { host, port, secure, auth, tls } = parseConnectionUrl(url.reveal());
  const connection = new SMTPConnection({
    host, port, secure, tls, connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs, dnsTimeout: timeoutMs,
  });
  // The stream is read only once the server has asked for the text.
  let begun = false;
  const text = Readable.from((function* () {
    begun = true;
    yield composed.bytes;
  })());
  try {
    await new Promise<void>((resolve, reject) => {
      connection.on('error', reject);
      connection.once('end', () => reject(new Error('the server hung up')));
      connection.connect((fault) => {
        if (fault) return reject(fault);
        const send = () => connection.send(composed.envelope, text, (refusal) => (refusal ? reject(refusal) : resolve()));
        if (!auth) return send();
        connection.login(auth, (denied) => (denied ? reject(denied) : send()));
      });
    });
    connection.quit();
    return { outcome: 'sent', detail: '' };
  } catch (thrown) {
    connection.close();
    return judge(thrown, begun);
  }
}

function judge(thrown: unknown, begun: boolean): HandedOver {
  const detail = textOf(thrown);
  const { responseCode, command } = thrown as { responseCode?: unknown; command?: unknown };
  if (typeof responseCode === 'number' && typeof command === 'string' && ABOUT_THE_LETTER.includes(command)) {
    // 421 is said by a server that is going away, whatever the command was.
    if (responseCode === 421 && !begun) return { outcome: 'away', detail };
    return { outcome: responseCode >= 500 ? 'never' : 'not-now', detail };
  }
  if (begun) return { outcome: 'perhaps', detail };
  // Before a word was said, nodemailer may find that an address cannot be written in its protocol.
  if (command === 'API' && (thrown as { code?: unknown }).code === 'EENVELOPE') return { outcome: 'never', detail };
  return { outcome: 'away', detail };
}

/** Text only. The composer encodes what is not ASCII and folds lines, so that no value can become a header. */
async function compose(from: string, { ceId, address, subject, text }: Envelope): Promise<{ bytes: Buffer; envelope: { from: string; to: string[] } }> {
  const mail = new MailComposer({
    from, to: { name: '', address }, subject, text, messageId: messageIdOf(ceId), date: new Date(),
    headers: { 'Auto-Submitted': 'auto-generated' }, disableFileAccess: true, disableUrlAccess: true,
  });
  const node = mail.compile();
  const bytes = await new Promise<Buffer>((resolve, reject) => node.build((fault, built) => (fault ? reject(fault) : resolve(built as Buffer))));
  const { from: sender, to } = node.getEnvelope();
  return { bytes, envelope: { from: String(sender), to: [...to] } };
}
