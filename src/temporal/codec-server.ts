import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Payload } from '@temporalio/common';
import { z } from 'zod';
import { tokenOf } from '../auth/authenticator';
import { adminToken, bearerOf, type StaticToken } from '../auth/tokens';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import type { Logger } from '../log';
import { SealingCodec } from './seal';

/** What a page of the Web UI asks about at once is far below it. */
const BODY_BYTES_MAX = 8 * 1_048_576;

const base64 = z.string().transform((text) => Buffer.from(text, 'base64'));
/** As protobuf writes payloads in JSON. */
const asked = z.object({ payloads: z.array(z.object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() })) });

export interface CodecServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Door {
  readonly codec: SealingCodec;
  readonly tokens: readonly StaticToken[];
  readonly origin: string;
  readonly log: Logger;
}

/**
 * Opens for Temporal's Web UI what the codec sealed: `POST /decode` and `/encode`, as the UI asks them of a remote
 * codec. The token comes as a bearer token, or, because a UI without a login of its own has no other way, as the
 * first part of the path: the endpoint to enter there is `http://localhost:<port>/<token>`. Of browsers, only
 * pages of the UI's own origin are answered. It listens on loopback unless a container has to publish it.
 * https://docs.temporal.io/production-deployment/data-encryption
 * @throws FazendaError FZ_CONFIG_INVALID without keys or without a token
 */
export async function openCodecServer(config: Config, log: Logger): Promise<CodecServer> {
  const { TEMPORAL_PAYLOAD_KEYS: keys, CODEC_SERVER_TOKEN: token, CODEC_SERVER_HOST: host, CODEC_SERVER_PORT: port } = config;
  if (keys.length === 0 || !token) throw new FazendaError('FZ_CONFIG_INVALID', 'the codec server needs TEMPORAL_PAYLOAD_KEYS and CODEC_SERVER_TOKEN');
  const door = { codec: new SealingCodec(keys), tokens: [adminToken(token.reveal())], origin: new URL(config.TEMPORAL_UI_URL).origin, log };
  const server = createServer((request, response) => void answer(door, request, response));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, () => resolve()));
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) };
}

async function answer(door: Door, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { origin } = request.headers;
  response.setHeader('vary', 'origin').setHeader('cache-control', 'no-store');
  if (origin === door.origin) response.setHeader('access-control-allow-origin', origin);
  try {
    if (origin !== undefined && origin !== door.origin) throw new FazendaError('FZ_FORBIDDEN', 'this page is not the Web UI that TEMPORAL_UI_URL names');
    if (request.method === 'OPTIONS') {
      response.setHeader('access-control-allow-methods', 'POST').setHeader('access-control-allow-headers', 'authorization, content-type, x-namespace');
      return void response.writeHead(204).end();
    }
    const payloads = await served(door, request);
    const shown = payloads.map(({ metadata, data }) => ({
      metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')])),
      data: Buffer.from(data ?? []).toString('base64'),
    }));
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ payloads: shown }));
  } catch (thrown) {
    const fault = thrown instanceof FazendaError ? thrown : new FazendaError('FZ_INTERNAL', 'something went wrong here', {}, thrown);
    if (fault.code === 'FZ_INTERNAL') door.log.error({ cause: textOf(thrown) }, 'a payload could not be shown');
    if (response.headersSent) return void response.destroy();
    if (fault.kind.status === 401) response.setHeader('www-authenticate', 'Bearer realm="fazenda"');
    response.writeHead(fault.kind.status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify({ code: fault.code, message: fault.message, next: fault.kind.next }));
  }
}

/** The token is looked at before anything else is. */
async function served({ codec, tokens }: Door, request: IncomingMessage): Promise<Payload[]> {
  const path = (request.url ?? '').split('?')[0]?.split('/').slice(1) ?? [];
  const token = tokenOf(request) ?? (path.length === 2 ? path[0] : undefined);
  if (token === undefined || !bearerOf(tokens, token)) throw new FazendaError('FZ_UNAUTHORIZED', 'the token is missing or wrong');
  const verb = path.at(-1);
  if (verb !== 'decode' && verb !== 'encode') throw new FazendaError('FZ_NOT_FOUND', 'there are /decode and /encode');
  if (request.method !== 'POST') throw new FazendaError('FZ_METHOD_NOT_ALLOWED', 'they take POST');
  const { payloads } = await bodyOf(request);
  const given = payloads.map(({ metadata, data }) => ({ ...(metadata && { metadata }), ...(data && { data }) }));
  return verb === 'decode' ? codec.decode(given) : codec.encode(given);
}

async function bodyOf(request: IncomingMessage): Promise<z.infer<typeof asked>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new FazendaError('FZ_BODY_TOO_LARGE', `it is over ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const parsed = asked.safeParse(parsedJson(Buffer.concat(chunks)));
  if (!parsed.success) throw new FazendaError('FZ_SCHEMA_INVALID', 'it is no list of payloads');
  return parsed.data;
}

function parsedJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (cause) {
    throw new FazendaError('FZ_BODY_NOT_JSON', 'the body is no JSON', {}, cause);
  }
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
