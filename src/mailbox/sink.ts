import { SMTPServer } from 'smtp-server';
import { textOf } from '../errors';
import type { Logger } from '../log';
import { parseLetter } from './parse';
import type { KeptLetter } from './store';

/** Largest letter taken, bytes. */
const LETTER_BYTES_MAX = 262_144;
const CLIENTS_MAX = 100;
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * A mail server that delivers to nobody: it shows what it took. It listens on one address, takes mail for anyone
 * without a password, and says that it took a letter only once it is kept.
 */
export async function openSink(
  { host, port, log, keep }: { host: string; port: number; log: Logger; keep(letter: KeptLetter): void },
): Promise<{ port: number; close(): Promise<void> }> {
  const server = new SMTPServer({
    banner: 'fazenda mailbox', size: LETTER_BYTES_MAX, maxClients: CLIENTS_MAX, closeTimeout: CLOSE_TIMEOUT_MS,
    authOptional: true, disabledCommands: ['AUTH', 'STARTTLS'], disableReverseLookup: true,
    onData(stream, session, done) {
      const pieces: Buffer[] = [];
      let bytes = 0;
      stream.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (bytes <= LETTER_BYTES_MAX) pieces.push(piece);
      });
      stream.on('end', () => {
        if (stream.sizeExceeded || bytes > LETTER_BYTES_MAX) {
          return done(Object.assign(new Error(`a letter may have ${LETTER_BYTES_MAX} bytes`), { responseCode: 552 }));
        }
        try {
          keep(parseLetter(Buffer.concat(pieces), session.envelope.rcptTo.map(({ address }) => address), new Date()));
          done();
        } catch (thrown) {
          // A disk that is full is not the letter's fault: the sender may come again.
          log.error({ cause: textOf(thrown) }, 'a letter could not be kept');
          done(Object.assign(new Error('it could not be kept'), { responseCode: 451 }));
        }
      });
    },
  });
  server.on('error', (fault) => log.debug({ err: fault }, 'a sender left in the middle'));
  await new Promise<void>((resolve, reject) => {
    server.server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  const address = server.server.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
