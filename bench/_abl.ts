import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { makeKeys } from './rpc/keys.ts';
import { percentile } from './latency/statistics.ts';
async function measure(count: number, inFlight: number, call: () => Promise<unknown>) {
  const all: number[] = []; let begun = 0; const t0 = performance.now();
  await Promise.all(Array.from({ length: inFlight }, async () => { while (begun++ < count) { const a = performance.now(); await call(); all.push(performance.now() - a); } }));
  const sec = (performance.now() - t0) / 1000;
  return { perSecond: count / sec, p50Ms: percentile(all, 0.5), p10: percentile(all, 0.1), p99Ms: percentile(all, .99) };
}
const keys = await makeKeys();
const cpuOf = async (pid: number) => { const s = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' '); return (Number(s[13]) + Number(s[14])) * 10000; };
for (const variant of ['bare', 'hono', 'subtle', 'compact', 'token']) {
  const child = fork(join(import.meta.dirname, '_abl_server.ts'), { stdio: 'inherit' });
  child.send({ variant, keys });
  const [port] = await once(child, 'message') as [number];
  const agent = new Agent({ connections: 32, connect: { rejectUnauthorized: false } });
  const body = JSON.stringify({ id: 'a'.repeat(64) });
  const call = async () => { const r = await request(`https://127.0.0.1:${port}/job.get`, { dispatcher: agent, method: 'POST', headers: { 'content-type': 'application/json', authorization: 'x'.repeat(430) }, body }); return r.body.json(); };
  for (const n of [1]) {
    await measure(2000, n, call);
    const c0 = process.cpuUsage(), s0 = await cpuOf(child.pid!); const N = 4000;
    const l = await measure(N, n, call);
    const c1 = process.cpuUsage(c0), s1 = await cpuOf(child.pid!);
    console.log(variant.padEnd(8), n, 'client us', ((c1.user + c1.system) / N).toFixed(0), 'server us', ((s1 - s0) / N).toFixed(0), 'p10', l.p10.toFixed(3), 'p50', l.p50Ms.toFixed(3), '/s', l.perSecond.toFixed(0));
  }
  child.kill(); await agent.close();
}
process.exit(0);
