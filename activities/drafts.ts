import type { ObjectStore, StoredObject } from '../src/storage/s3';
import type { DraftReference } from './storage';

/** A draft longer than this is not one; UTF-8. */
export const DRAFT_BYTES_MAX = 1024 * 1024;

/** Drafts remembered after they were read or written: judging and storing follow each other closely. */
const REMEMBERED_MAX = 64;
const REMEMBERED_BYTES_MAX = 64 * 1024;

/** Drafts in the object store, always by reference: a workflow's history holds no text. */
export interface Drafts {
  /** @throws FazendaError FZ_STORAGE_AWAY */
  put(text: string): Promise<StoredObject>;
  /** @throws FazendaError FZ_STORAGE_AWAY */
  read(draft: DraftReference): Promise<Buffer>;
}

export function openDrafts(store: ObjectStore): Drafts {
  /** In the order of last use: a Map keeps the order in which keys were set. */
  const remembered = new Map<string, Buffer>();

  function remember(sha256: string, bytes: Buffer): void {
    if (bytes.length > REMEMBERED_BYTES_MAX) return;
    remembered.delete(sha256);
    remembered.set(sha256, bytes);
    const [oldest] = remembered.keys();
    if (remembered.size > REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest);
  }

  return {
    async put(text) {
      const bytes = Buffer.from(text, 'utf8');
      const stored = await store.putByHash('drafts', bytes);
      remember(stored.sha256, bytes);
      return stored;
    },

    async read({ uri, sha256 }) {
      const bytes = remembered.get(sha256) ?? (await store.getByHash(uri, sha256, DRAFT_BYTES_MAX));
      remember(sha256, bytes);
      return bytes;
    },
  };
}
