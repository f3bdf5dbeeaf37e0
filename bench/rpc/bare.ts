import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Agent, request } from 'undici';
import type { RpcParams } from '../../protocol/methods.ts';
import type { Contender } from './contender.ts';

/** TLS 1.3 and JSON, and nothing else: no client certificate, no token, no checks. What no contender can be faster than. */
export const bare: Contender = {
  serve: async ({ server: { certificate: cert, certificateKey: key } }, jobs) => {
    const server = createServer({ cert, key, minVersion: 'TLSv1.3' }, (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const params = JSON.parse(Buffer.concat(chunks).toString()) as RpcParams<'job.submit'>;
        const answer = (result: unknown): void => {
          outgoing.writeHead(200, { 'content-type': 'application/json' });
          outgoing.end(JSON.stringify(result));
        };
        if (incoming.url === '/job.get') answer(jobs.get(params.id));
        else jobs.submit(params).then(answer, () => outgoing.destroy());
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
  connect: async ({ server: { certificate: ca } }, port) => {
    const checkServerIdentity = (): undefined => undefined;
    const agent = new Agent({ connections: 64, connect: { ca, checkServerIdentity } });
    const call = async (method: string, params: unknown): Promise<unknown> => {
      const { statusCode, body } = await request(`https://127.0.0.1:${port}/${method}`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(params),
      });
      if (statusCode !== 200) throw new Error(`status ${statusCode}`);
      return body.json();
    };
    return {
      get: (params) => call('job.get', params),
      submit: (params) => call('job.submit', params),
      close: () => agent.close(),
    };
  },
};
