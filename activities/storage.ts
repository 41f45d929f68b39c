import type { Keyed } from '../workflows/kernel/coalesce';
import type { ObjectStore } from '../src/storage/s3';
import type { Drafts } from './drafts';
import { coded } from './failure';

/** A draft in the object store: `s3://bucket/key` and the SHA-256 of its bytes, hex. */
export interface DraftReference {
  readonly uri: string;
  readonly sha256: string;
}

export interface StoreRequest extends Keyed {
  readonly draft: DraftReference;
}

export type Stored = Keyed & { readonly uri: string; readonly sha256: string; readonly bytes: number };

export interface StorageActivities {
  /** Local, in bulk; content-addressed by a conditional put, so that doing it again changes nothing. */
  storeContents(requests: readonly StoreRequest[]): Promise<Stored[]>;
}

export function storageActivities({ store, drafts }: { store: ObjectStore; drafts: Drafts }): StorageActivities {
  return {
    storeContents: (requests) =>
      coded(() =>
        Promise.all(
          requests.map(async ({ id, version, draft }) => {
            // Reading checks the hash, and the hash is the key: what is stored is what was judged.
            const { uri, sha256, bytes } = await store.putByHash('content', await drafts.read(draft));
            return { id, version, uri, sha256, bytes };
          }),
        ),
      ),
  };
}
