import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { FazendaError } from '../errors';

/** A key by its id. A KeyObject prints nothing of itself. */
export interface PayloadKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** As Temporal's own samples write it, so that other tools know what they look at. */
const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const KEY_BYTES = 32;
/** NIST SP 800-38D §8.2.2: 96 random bits; one key is good for 2^32 payloads of them. */
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * `id:key` by commas, the newest first: 32 bytes in base64 each, as `openssl rand -base64 32` writes them.
 * `faults` name an entry by its place, never by its text.
 */
export function parseKeys(text: string): { keys: PayloadKey[]; faults: string[] } {
  const keys: PayloadKey[] = [];
  const faults: string[] = [];
  for (const [at, entry] of text.split(',').map((one) => one.trim()).filter(Boolean).entries()) {
    const [, id = '', base64 = ''] = /^([\w.-]{1,64}):([A-Za-z0-9+/_-]+=*)$/.exec(entry) ?? [];
    const bytes = Buffer.from(base64, 'base64');
    if (id === '' || bytes.length !== KEY_BYTES) faults.push(`entry ${at + 1} is not id:key, the key ${KEY_BYTES} bytes in base64`);
    else if (keys.some((one) => one.id === id)) faults.push(`entry ${at + 1} has the id of another`);
    else keys.push({ id, key: createSecretKey(bytes) });
  }
  return { keys, faults };
}

/**
 * Seals what Temporal keeps of a story: AES-256-GCM, by the first key, whose id goes with it and is sealed in. Opens
 * what any of the keys has sealed, and leaves what was never sealed as it is, so that keys can come in under way.
 */
export class SealingCodec implements PayloadCodec {
  private readonly newest: PayloadKey;

  constructor(private readonly keys: readonly PayloadKey[]) {
    const [newest] = keys;
    if (!newest) throw new Error('a codec needs a key');
    this.newest = newest;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => this.seal(payload));
  }

  /** @throws FazendaError FZ_PAYLOAD_SEALED where the key is not among ours, or the payload was tampered with */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => (textOf(payload, 'encoding') === ENCODING ? this.open(payload) : payload));
  }

  private seal(payload: Payload): Payload {
    const { id, key } = this.newest;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(id));
    const sealed = Buffer.concat([iv, cipher.update(temporal.api.common.v1.Payload.encode(payload).finish()), cipher.final(), cipher.getAuthTag()]);
    return { metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(id) }, data: sealed };
  }

  private open(payload: Payload): Payload {
    const id = textOf(payload, KEY_ID);
    const found = this.keys.find((one) => one.id === id);
    if (!found) throw new FazendaError('FZ_PAYLOAD_SEALED', `no key is named ${id ?? '(nothing)'}`);
    const data = Buffer.from(payload.data ?? []);
    try {
      if (data.length < IV_BYTES + TAG_BYTES) throw new RangeError('it is too short');
      const opener = createDecipheriv('aes-256-gcm', found.key, data.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(found.id)).setAuthTag(data.subarray(-TAG_BYTES));
      return temporal.api.common.v1.Payload.decode(Buffer.concat([opener.update(data.subarray(IV_BYTES, -TAG_BYTES)), opener.final()]));
    } catch (cause) {
      throw new FazendaError('FZ_PAYLOAD_SEALED', `what key ${found.id} sealed cannot be opened: it was changed, or the key is another one`, {}, cause);
    }
  }
}

function textOf({ metadata }: Payload, name: string): string | undefined {
  const value = metadata?.[name];
  return value && Buffer.from(value).toString('utf8');
}
