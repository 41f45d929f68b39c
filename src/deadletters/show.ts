import { isUtf8 } from 'node:buffer';
import { domains } from '../../workflows/domains';
import { ERROR_CATALOGUE, FazendaError, type ErrorCode } from '../errors';
import { VALUE_BYTES_MAX, type Codec } from '../kafka/codec';
import { deadLetterTopic } from '../kafka/client';
import type { Foreseen } from './foresee';
import type { Letter } from './letter';
import type { Found, Listed } from './store';

/** How letters look to those who ask for them by HTTP. */

/** Characters of a key in a list. */
const KEY_SHOWN_MAX = 255;

export function showListed(listed: Listed): object {
  const { id, topic, partition, offset, group, code, reason, diedAt, key, valueBytes, sha256, redrivenFrom, state, redrive } = listed;
  return {
    id, topic, partition, offset, group, errorCode: code, reason, at: diedAt,
    key: key === null ? null : (textOrNothing(key)?.slice(0, KEY_SHOWN_MAX) ?? `base64:${key.toString('base64').slice(0, KEY_SHOWN_MAX)}`),
    valueBytes, sha256, state, redrivenFrom, redrive,
    deadLetter: { topic: deadLetterTopic(topic), partition: listed.letterPartition, offset: listed.letterOffset },
  };
}

/** All of it: bytes, text where they are text, what they decode to, and what would become of it now. */
export async function showWhole({ letter, listed }: Found, codec: Codec, foreseen: Foreseen): Promise<object> {
  return {
    ...showListed(listed),
    next: Object.hasOwn(ERROR_CATALOGUE, letter.code) ? ERROR_CATALOGUE[letter.code as ErrorCode].next : null,
    key: bytesOf(letter.key),
    headers: letter.headers.map(([name, value]) => ({ name, ...(bytesOf(value) ?? { text: null, base64: null }) })),
    value: bytesOf(letter.value),
    decoded: await decodedTry(codec, letter),
    wouldBecome: showForeseen(foreseen),
  };
}

export function showForeseen({ fate, domain, aggregateId, type, error }: Foreseen): object {
  const noun = domains.find(({ name }) => name === domain)?.cli.noun;
  return {
    fate,
    ...(domain && { domain }), ...(noun && { noun }), ...(aggregateId && { aggregateId }), ...(type && { type }),
    ...(error && { errorCode: error.code, reason: error.message, next: error.kind.next }),
  };
}

/** Null stays null. No more than a door would take is shown: what is longer died of its length. */
function bytesOf(bytes: Buffer | null): { text: string | null; base64: string; bytes: number; truncated: boolean } | null {
  if (bytes === null) return null;
  const shown = bytes.subarray(0, VALUE_BYTES_MAX);
  const truncated = shown.length < bytes.length;
  return { text: truncated ? null : (textOrNothing(shown) ?? null), base64: shown.toString('base64'), bytes: bytes.length, truncated };
}

async function decodedTry(codec: Codec, { topic, value }: Letter): Promise<object> {
  try {
    return { value: await codec.read(topic, value) };
  } catch (thrown) {
    if (!(thrown instanceof FazendaError)) throw thrown;
    return { errorCode: thrown.code, reason: thrown.message };
  }
}

function textOrNothing(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}
