import type { KeptLetter } from './store';

/** Reads a letter of ours back: one part of text, encoded words in its headers. Of others' it shows what it can. */
export function parseLetter(source: Buffer, recipients: readonly string[], at: Date): KeptLetter {
  const raw = source.toString('latin1');
  const gap = /\r?\n\r?\n/.exec(raw);
  const head = gap ? raw.slice(0, gap.index) : raw;
  const body = gap ? raw.slice(gap.index + gap[0].length) : '';
  const headers = headersOf(head);
  return {
    messageId: headers.get('message-id') ?? '',
    to: recipients.join(', '),
    subject: decodeWords(headers.get('subject') ?? ''),
    text: decodeBody(body, headers.get('content-transfer-encoding') ?? '7bit').replace(/\r\n/g, '\n').replace(/\n+$/, ''),
    at: at.toISOString(),
  };
}

/** The first of each name; folded lines are one. */
function headersOf(head: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

/** https://www.rfc-editor.org/rfc/rfc2047 : blanks between two encoded words belong to neither. */
function decodeWords(text: string): string {
  const joined = text.replace(/(\?=)\s+(=\?)/g, '$1$2');
  const bytes = joined.replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, encoding: string, word: string) =>
    encoding.toLowerCase() === 'b' ? Buffer.from(word, 'base64').toString('latin1') : quoted(word.replaceAll('_', ' ')));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function decodeBody(body: string, encoding: string): string {
  const bytes = encoding.toLowerCase() === 'base64' ? Buffer.from(body, 'base64')
    : Buffer.from(encoding.toLowerCase() === 'quoted-printable' ? quoted(body.replace(/=\r?\n/g, '')) : body, 'latin1');
  return bytes.toString('utf8');
}

function quoted(text: string): string {
  return text.replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
