import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import type { OwnCredentials } from '../../node/peer/credentials.ts';

/** What a caller shows of itself in TLS; null for nothing. */
export type Shown = Pick<OwnCredentials, 'certificate' | 'certificateKey'> | null;

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface RawRequest {
  readonly port: number;
  readonly shown: Shown;
  readonly path: string;
  readonly verb?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
}

/** One request on a connection of its own, as any HTTP client would make it. */
export async function rawRequest(options: RawRequest): Promise<RawAnswer> {
  const { port, shown, path, verb = 'POST', headers = {}, body } = options;
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    method: verb,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-length': body.length }) },
    ...clientOptions(shown),
    agent: false,
  });
  sent.end(body);
  const answered = Promise.withResolvers<RawAnswer>();
  sent.on('error', answered.reject); // also after the answer, when the server hangs up on what is still being sent
  sent.on('response', (incoming) => {
    let text = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk: string) => (text += chunk));
    incoming.on('end', () => {
      answered.resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text });
    });
    incoming.on('error', answered.reject);
  });
  return answered.promise.finally(() => sent.destroy());
}

/** A TLS connection on which a test writes what it likes, from this address of the host. */
export async function rawConnection(
  port: number,
  shown: Shown,
  localAddress = '127.0.0.1',
): Promise<TLSSocket> {
  const options = { host: '127.0.0.1', port, localAddress, ...clientOptions(shown) };
  const socket = connect(options);
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined); // being hung up on is what such a test waits for
  return socket;
}

function clientOptions(shown: Shown) {
  const certificate = shown === null ? {} : { cert: shown.certificate, key: shown.certificateKey };
  return { ...certificate, rejectUnauthorized: false };
}
