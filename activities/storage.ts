import type { Keyed } from '../workflows/kernel/coalesce';

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
