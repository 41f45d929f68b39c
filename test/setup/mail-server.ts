import { SMTPServer, type SMTPServerSession } from 'smtp-server';

/** What the server does with the next letters: take them, answer with a code, never answer, or hang up. */
export type Temper = 'take' | 'hang' | 'hang-up' | { readonly at: 'RCPT' | 'DATA'; readonly code: number };

/** A letter whose text has come in, whether or not it was taken. */
export interface Handed {
  readonly messageId: string;
  readonly recipients: readonly string[];
  readonly raw: string;
  readonly taken: boolean;
}

/** A mail server of a test's own: it speaks SMTP for real, and behaves as badly as it is told. */
export interface MailServer {
  readonly url: string;
  readonly handed: readonly Handed[];
  /** Letters taken, by Message-ID; each may be there once. */
  taken(): Map<string, number>;
  temper: Temper;
  /** Nobody listens any more; every connection breaks. */
  away(): Promise<void>;
  /** Listens again, on the same port. */
  back(): Promise<void>;
  close(): Promise<void>;
}

export async function mailServer(): Promise<MailServer> {
  const handed: Handed[] = [];
  let server: SMTPServer | undefined;
  let port = 0;

  function refusal(code: number): Error {
    return Object.assign(new Error('not this one'), { responseCode: code });
  }

  function refused(at: 'RCPT' | 'DATA'): Error | undefined {
    const { temper } = mine;
    return typeof temper === 'object' && temper.at === at ? refusal(temper.code) : undefined;
  }

  async function back(): Promise<void> {
    if (server) return;
    const made = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'], disableReverseLookup: true, closeTimeout: 50,
      onRcptTo: (_address, _session, done) => done(refused('RCPT')),
      onData(stream, session, done) {
        const pieces: Buffer[] = [];
        stream.on('data', (piece: Buffer) => pieces.push(piece));
        stream.on('end', () => {
          const raw = Buffer.concat(pieces).toString('utf8');
          const no = refused('DATA');
          const taken = mine.temper === 'take' || (typeof mine.temper === 'object' && !no);
          handed.push({ messageId: /^message-id: (.*)$/im.exec(raw)?.[1] ?? '', recipients: session.envelope.rcptTo.map(({ address }) => address), raw, taken });
          if (mine.temper === 'hang') return;
          if (mine.temper === 'hang-up') return breakOff(made, session);
          done(no);
        });
      },
    });
    made.on('error', () => undefined); // Its clients are killed and cut off; that is what it is for.
    await new Promise<void>((resolve, reject) => {
      made.server.once('error', reject);
      made.listen(port, '127.0.0.1', () => resolve());
    });
    const address = made.server.address();
    if (address !== null && typeof address === 'object') port = address.port;
    server = made;
  }

  async function away(): Promise<void> {
    const closing = server;
    server = undefined;
    if (closing) await new Promise<void>((resolve) => closing.close(() => resolve()));
  }

  const mine: MailServer = {
    get url() {
      return `smtp://127.0.0.1:${port}`;
    },
    handed,
    taken() {
      const counts = new Map<string, number>();
      for (const { messageId, taken } of handed) if (taken) counts.set(messageId, (counts.get(messageId) ?? 0) + 1);
      return counts;
    },
    temper: 'take',
    away, back, close: away,
  };
  await back();
  return mine;
}

/** Cuts the wire of one session without a word. */
function breakOff(server: SMTPServer, session: SMTPServerSession): void {
  for (const { session: of, _socket: socket } of server.connections) if (of.id === session.id) socket.destroy();
}
