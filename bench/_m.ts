import { signCallToken, verifyCallToken } from '../node/peer/call-token.ts';
import { createDeadline } from '../node/peer/rpc-deadline.ts';
import { resultOf } from '../node/peer/rpc-result.ts';
import { createNonceWindows } from '../node/peer/nonce-window.ts';
import { createBucket } from '../node/peer/rpc-bucket.ts';
import { systemClock } from '../node/platform/clock.ts';
import { RPC_METHODS } from '../protocol/methods.ts';
import { makeTokenKey } from '../test/support/pair-credentials.ts';
import { jobReport } from '../test/support/rpc-pair.ts';
const key = makeTokenKey(); const call = { from: 'a', to: 'b', method: 'job.get', body: Buffer.from('{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}') };
const id = 'a'.repeat(64);
async function t(name: string, f: (i: number) => unknown, n = 4000) {
  for (let i = 0; i < 500; i++) await f(i);
  const all: number[] = [];
  for (let i = 0; i < n; i++) { const a = performance.now(); f(i + 500); all.push(performance.now() - a); }
  all.sort((a, b) => a - b);
  console.log(name.padEnd(34), 'p50', (all[n >> 1]! * 1000).toFixed(1), 'us');
}
await t('sign', (i) => signCallToken(key, call, { nonce: 'x', counter: i + 1 }, systemClock.now()));
await t('deadline', () => { using d = createDeadline('x', {}); d.signal.addEventListener('abort', () => 0, { once: true }); });
const ans = { status: 200, nonce: null, body: Buffer.from(JSON.stringify({ report: jobReport(id) })) };
await t('resultOf', () => resultOf('job.get', ans));
const nw = createNonceWindows(); const nn = nw.offer();
await t('nonces.use', (i) => nw.use(nn, i + 1));
const b = createBucket({ burst: 1e9, perSecond: 1e9 }, systemClock);
await t('bucket', () => b.take() && b.isEmpty());
await t('params zod', () => (RPC_METHODS['job.get'].params).safeParse({ id }));
await t('result zod', () => (RPC_METHODS['job.get'].result).safeParse({ report: jobReport(id) }));
const token = signCallToken(key, call, { nonce: 'x', counter: 1 }, systemClock.now());
const keys = new Map([[key.kid, key.publicKey]]);
const n = 3000; const all: number[] = [];
for (let i = 0; i < n; i++) { const a = performance.now(); await verifyCallToken(token, { ...call, keys, now: systemClock.now() }); all.push(performance.now() - a); }
all.sort((a, b) => a - b); console.log('verify p50', all[n >> 1]! * 1000);
