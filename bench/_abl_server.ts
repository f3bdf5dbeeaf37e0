import { once } from 'node:events';
import { createServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { createPublicKey } from 'node:crypto';
import { verifyCallToken, signCallToken } from '../node/peer/call-token.ts';
import { jwtVerify, compactVerify } from 'jose';
import { credentialsOf } from './rpc/keys.ts';
import { systemClock } from '../node/platform/clock.ts';
const [{ variant, keys }] = await once(process, 'message') as any;
const { certificate: cert, certificateKey: key } = keys.server;
const report = JSON.stringify({ report: { id: 'a'.repeat(64), digest: 'b'.repeat(64), state: 'pending', position: 1, lastError: null, outcome: null } });
const creds = credentialsOf(keys.server, keys.client);
const body0 = Buffer.from(JSON.stringify({ id: 'a'.repeat(64) }));
const tok = signCallToken(credentialsOf(keys.client, keys.server).own().tokenKey, { from: 'audio', to: 'audio2', method: 'job.get', body: body0 }, { nonce: 'x', counter: 1 }, systemClock.now());
const now = systemClock.now();
const trust = creds.peer()!;
const [h, p, s] = tok.split('.'); const inp = Buffer.from(`${h}.${p}`), sg = Buffer.from(s!, 'base64url');
const ck = trust.tokenKeys.values().next().value!.toCryptoKey({ name: 'Ed25519' }, true, ['verify']);
const app = new Hono<any>();
app.post('/:method', async (c) => {
  if (variant === 'hono') { await c.req.raw.arrayBuffer(); return c.body(report, 200, { 'content-type': 'application/json' }); }
  const body = Buffer.from(await c.req.raw.arrayBuffer());
  if (variant === 'token') await verifyCallToken(tok, { from: 'audio', to: 'audio2', method: 'job.get', body: body0, keys: trust.tokenKeys, now });
  if (variant === 'subtle') await crypto.subtle.verify('Ed25519', ck, sg, inp);
  if (variant === 'compact') await compactVerify(tok, ck, { algorithms: ['EdDSA'] });
  JSON.parse(body.toString());
  return c.body(report, 200, { 'content-type': 'application/json' });
});
const listener = variant === 'bare'
  ? (i: any, o: any) => { const ch: Buffer[] = []; i.on('data', (x: Buffer) => ch.push(x)); i.on('end', () => { JSON.parse(Buffer.concat(ch).toString()); o.writeHead(200, { 'content-type': 'application/json' }); o.end(report); }); }
  : getRequestListener(app.fetch);
const server = createServer({ cert, key, minVersion: 'TLSv1.3' }, listener as any);
server.listen(0, '127.0.0.1'); await once(server, 'listening');
process.send!((server.address() as any).port);
