import {
  CreateBucketCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client, S3ServiceException,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { timed } from '../outside';

// Node 20 is what this is tested on, and the version is pinned; the warning would be the first line of every command.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/** Bytes that never change once they are put away: their key holds their SHA-256. */
export interface ObjectStore {
  /** Makes the bucket where it is missing; several processes may call it at once. */
  ensureBucket(): Promise<void>;
  /**
   * Puts bytes at `<folder>/sha256/<hash>`. Doing it again, or at the same time elsewhere, changes nothing.
   * @throws FazendaError FZ_STORAGE_AWAY
   */
  putByHash(folder: string, bytes: Buffer): Promise<StoredObject>;
  /**
   * Gets an object of at most `bytesMax` bytes by its URI and checks its hash.
   * @throws FazendaError FZ_STORAGE_AWAY, also where the object is missing, too large or not what was put:
   * the store has failed its promise, whoever asks, and no task is to blame.
   */
  getByHash(uri: string, sha256: string, bytesMax: number): Promise<Buffer>;
  /**
   * What is at a URI now, whatever should be there; undefined where nothing is. Its bytes are read and let go.
   * @throws FazendaError FZ_STORAGE_AWAY
   */
  inspect(uri: string): Promise<{ readonly sha256: string; readonly bytes: number } | undefined>;
  close(): void;
}

export interface StoredObject {
  /** `s3://bucket/key` */
  readonly uri: string;
  /** Hex. */
  readonly sha256: string;
  readonly bytes: number;
}

/** Tries of one call, so that a broken keep-alive connection costs nobody anything. */
const TRIES_MAX = 2;
const CONNECT_TIMEOUT_MS = 2_000;
/** From first byte out to last byte in, all tries together; below the 10 s that a local activity has. */
const CALL_TIMEOUT_MS = 8_000;

/** Connects on the first call. Addresses buckets by path, which every S3 understands without DNS. */
export function openObjectStore(config: Config): ObjectStore {
  const bucket = config.S3_BUCKET;
  const s3 = new S3Client({
    endpoint: config.S3_ENDPOINT,
    region: config.S3_REGION,
    credentials: { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY.reveal() },
    forcePathStyle: true,
    maxAttempts: TRIES_MAX,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: CALL_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      socketTimeout: CALL_TIMEOUT_MS,
    },
  });
  const limit = () => ({ abortSignal: AbortSignal.timeout(CALL_TIMEOUT_MS) });

  async function ensureBucket(): Promise<void> {
    try {
      await s3.send(new CreateBucketCommand({ Bucket: bucket }), limit());
    } catch (cause) {
      if (!isNamed(cause, 'BucketAlreadyOwnedByYou', 'BucketAlreadyExists')) throw away(`bucket ${bucket} cannot be made`, cause);
    }
  }

  async function putIfAbsent(key: string, bytes: Buffer): Promise<void> {
    try {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ContentType: TEXT, IfNoneMatch: '*' }), limit());
    } catch (cause) {
      const status = statusOf(cause);
      // 412: somebody was first, with the same bytes, because their hash is the key.
      if (status === 412) return;
      // 409: somebody is at it just now, and may yet fail; only what is there counts.
      if (status === 409 && !isNamed(cause, 'NoSuchBucket')) {
        await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), limit());
        return;
      }
      throw cause;
    }
  }

  return {
    ensureBucket,

    async putByHash(folder, bytes) {
      const sha256 = hashOf(bytes);
      const key = `${folder}/sha256/${sha256}`;
      try {
        await timed('s3', 'put', () => putIfAbsent(key, bytes).catch(async (cause: unknown) => {
          // A store that was emptied or exchanged heals on the way.
          if (!isNamed(cause, 'NoSuchBucket')) throw cause;
          await ensureBucket();
          await putIfAbsent(key, bytes);
        }));
      } catch (cause) {
        throw away(`${key} cannot be put`, cause);
      }
      return { uri: `s3://${bucket}/${key}`, sha256, bytes: bytes.length };
    },

    async getByHash(uri, sha256, bytesMax) {
      const { Bucket, Key } = placeOf(uri);
      const bytes = await timed('s3', 'get', get).catch((cause: unknown) => {
        throw away(`${uri} cannot be read`, cause);
      });
      if (hashOf(bytes) !== sha256) throw new FazendaError('FZ_STORAGE_AWAY', `${uri} is not what was put there`);
      return bytes;

      async function get(): Promise<Buffer> {
        const { Body, ContentLength } = await s3.send(new GetObjectCommand({ Bucket, Key }), limit());
        if (!Body || ContentLength === undefined || ContentLength > bytesMax) {
          throw new Error(`its length is ${ContentLength ?? 'not told'}, at most ${bytesMax} bytes are read`);
        }
        return Buffer.from(await Body.transformToByteArray());
      }
    },

    async inspect(uri) {
      const { Bucket, Key } = placeOf(uri);
      try {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }), limit());
        const hash = createHash('sha256');
        let bytes = 0;
        for await (const chunk of Body as AsyncIterable<Buffer>) {
          hash.update(chunk);
          bytes += chunk.length;
        }
        return { sha256: hash.digest('hex'), bytes };
      } catch (cause) {
        if (isNamed(cause, 'NoSuchKey', 'NoSuchBucket', 'InvalidBucketName')) return undefined;
        throw away(`${uri} cannot be read`, cause);
      }
    },

    close: () => s3.destroy(),
  };
}

const TEXT = 'text/plain; charset=utf-8';

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function placeOf(uri: string): { Bucket: string; Key: string } {
  const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
  if (!Bucket || !Key) throw new FazendaError('FZ_STORAGE_AWAY', `${uri} is no s3://bucket/key`);
  return { Bucket, Key };
}

function away(what: string, cause: unknown): FazendaError {
  if (cause instanceof FazendaError) return cause;
  return new FazendaError('FZ_STORAGE_AWAY', `${what}: ${textOf(cause)}`, {}, cause);
}

function isNamed(thrown: unknown, ...names: string[]): boolean {
  return thrown instanceof S3ServiceException && names.includes(thrown.name);
}

function statusOf(thrown: unknown): number | undefined {
  return thrown instanceof S3ServiceException ? thrown.$metadata.httpStatusCode : undefined;
}
