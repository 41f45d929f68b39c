import type { ClientRequest, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { createProxyMiddleware, type RequestHandler } from 'http-proxy-middleware';
import type { Request, Response } from 'express';
import { FazendaError, textOf } from '../errors';
import type { Logger } from '../log';
import { correlationOf } from './correlation';
import { problemReply } from './problem';
import { sendReply } from './reply';

/** What the gateway serves: WebSockets below `/ws`, and Socket.IO at its usual path. */
export const LIVE = /^\/(ws|socket\.io)(\/|$|\?)/;
export const SOCKET_IO = /^\/socket\.io(\/|$|\?)/;

export interface GatewayProxy {
  /** For plain HTTP at the gateway's paths. */
  readonly middleware: RequestHandler<Request, Response>;
  /** For upgrades; true where the path is the gateway's. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean;
}

/** Live push at the API's own origin, so that a page needs one address and no CORS. */
export function proxyToGateway(gatewayUrl: string, log: Logger): GatewayProxy {
  const middleware = createProxyMiddleware<Request, Response>({
    target: gatewayUrl,
    // Mounted at the root, and upgrades are handed over by the server: its own listening would do it twice.
    ws: false,
    xfwd: true,
    pathFilter: (pathname) => LIVE.test(pathname),
    on: { error: (fault, _request, target) => unreachable(fault, target, log), proxyReqWs: endTogether },
  });
  return {
    middleware,
    upgrade(request, socket, head) {
      if (!LIVE.test(request.url ?? '')) return false;
      // A client that vanishes in the middle is no fault of anybody's.
      socket.on('error', (fault) => log.debug({ cause: textOf(fault) }, 'a live connection broke'));
      middleware.upgrade(request as Request, socket, head);
      return true;
    },
  };
}

/** The proxy ends the gateway's side only where the client ends in order; one that is cut off would leave it open. */
function endTogether(upstream: ClientRequest, _request: Request, client: Socket): void {
  upstream.once('upgrade', (_answer, socket) => client.once('close', () => socket.destroy()));
  client.once('close', () => upstream.destroy());
}

function unreachable(fault: Error, target: Response | Socket, log: Logger): void {
  log.debug({ cause: textOf(fault) }, 'the gateway is away');
  if (target instanceof Socket) {
    target.end('HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\n\r\n');
  } else if (!target.headersSent) {
    sendReply(target, problemReply(new FazendaError('FZ_GATEWAY_AWAY', 'the gateway does not answer', {}, fault), correlationOf(target)));
  }
}
