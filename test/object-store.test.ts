import { createHash, randomUUID } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { openDrafts } from '../activities/drafts';
import { storageActivities } from '../activities/storage';
import { readConfig, type Config } from '../src/config';
import { openObjectStore, type ObjectStore } from '../src/storage/s3';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';

/** What is stored is what was judged, once, whoever stores it and however often. */

let config: Config;
let store: ObjectStore;
let s3: S3Client;
beforeAll(async () => {
  config = readConfig({ ...(await realParts()), S3_BUCKET: `t-${randomUUID()}` });
  store = openObjectStore(config);
  const credentials = { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY.reveal() };
  s3 = new S3Client({ endpoint: config.S3_ENDPOINT, region: config.S3_REGION, forcePathStyle: true, credentials });
}, PARTS_TIMEOUT_MS);
afterAll(() => {
  store.close();
  s3.destroy();
});

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const contents = () => storageActivities({ store, drafts: openDrafts(store) });
const textAt = async (key: string) => (await s3.send(new GetObjectCommand({ Bucket: config.S3_BUCKET, Key: key }))).Body?.transformToString();

test('the bucket is made by whoever needs it first, at once or again', async () => {
  const stored = await Promise.all(['a', 'b', 'c'].map((text) => store.putByHash('drafts', Buffer.from(text))));
  expect(stored.map(({ uri }) => uri)).toEqual(['a', 'b', 'c'].map((text) => `s3://${config.S3_BUCKET}/drafts/sha256/${hash(text)}`));
  await Promise.all([store.ensureBucket(), store.ensureBucket()]);
});

test('many who store the same content leave one object, and all are told the same', async () => {
  const text = 'olá, mundo';
  const { uri, sha256 } = await openDrafts(store).put(text);
  const requests = Array.from({ length: 10 }, (_, at) => ({ id: `task-${at}`, version: 5, draft: { uri, sha256 } }));
  const answers = [...(await contents().storeContents(requests)), ...(await contents().storeContents(requests))];
  const key = `content/sha256/${hash(text)}`;
  expect(answers).toEqual([...requests, ...requests].map(({ id }) => ({ id, version: 5, uri: `s3://${config.S3_BUCKET}/${key}`, sha256: hash(text), bytes: 11 })));
  expect(await textAt(key)).toBe(text);
});

test('an object that is there already is not written again', async () => {
  const key = `drafts/sha256/${hash('mine')}`;
  await s3.send(new PutObjectCommand({ Bucket: config.S3_BUCKET, Key: key, Body: 'first' }));
  await store.putByHash('drafts', Buffer.from('mine'));
  expect(await textAt(key)).toBe('first');
});

test('a draft that is not what was put is never stored', async () => {
  const key = `drafts/sha256/${hash('honest')}`;
  await s3.send(new PutObjectCommand({ Bucket: config.S3_BUCKET, Key: key, Body: 'forged' }));
  const draft = { uri: `s3://${config.S3_BUCKET}/${key}`, sha256: hash('honest') };
  await expect(contents().storeContents([{ id: 't', version: 5, draft }])).rejects.toMatchObject({ type: 'FZ_STORAGE_AWAY', nonRetryable: false });
  await expect(textAt(`content/sha256/${hash('honest')}`)).rejects.toThrow(/NoSuchKey|does not exist/);
});

test.each([
  ['missing', () => ({ uri: `s3://${config.S3_BUCKET}/drafts/sha256/${hash('nowhere')}`, sha256: hash('nowhere') })],
  ['no URI', () => ({ uri: 'nonsense', sha256: '' })],
])('a draft that is %s is the store’s fault', async (_, draft) => {
  await expect(contents().storeContents([{ id: 't', version: 5, draft: draft() }])).rejects.toMatchObject({ type: 'FZ_STORAGE_AWAY', nonRetryable: false });
});

test('what is longer than asked for is not read', async () => {
  const { uri, sha256 } = await store.putByHash('drafts', Buffer.alloc(100, 'x'));
  expect((await store.getByHash(uri, sha256, 100)).length).toBe(100);
  await expect(store.getByHash(uri, sha256, 99)).rejects.toMatchObject({ code: 'FZ_STORAGE_AWAY' });
});

test('a store that is away says so', async () => {
  const away = openObjectStore(readConfig({ S3_ENDPOINT: 'http://127.0.0.1:1' }));
  await expect(away.putByHash('drafts', Buffer.from('x'))).rejects.toMatchObject({ code: 'FZ_STORAGE_AWAY' });
  await expect(away.ensureBucket()).rejects.toMatchObject({ code: 'FZ_STORAGE_AWAY' });
  away.close();
});
