import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../test/support/process.ts';
import { submission } from './rpc/jobs.ts';
import { makeKeys } from './rpc/keys.ts';
import { percentile } from './latency/statistics.ts';
async function measure(count: number, inFlight: number, call: () => Promise<unknown>) {
  const all: number[] = []; let begun = 0; const t0 = performance.now();
  await Promise.all(Array.from({ length: inFlight }, async () => { while (begun++ < count) { const a = performance.now(); await call(); all.push(performance.now() - a); } }));
  const sec = (performance.now() - t0) / 1000;
  return { perSecond: count / sec, p50Ms: percentile(all, 0.5), p10: percentile(all, 0.1), p99Ms: percentile(all, .99) };
}
import { CONTENDERS, type ContenderName } from './rpc/server.ts';
const names = (process.argv[2] ?? 'ours,bare,grpc').split(',') as ContenderName[];
const prof = process.argv[3];
await using d = await temporaryDirectory();
const keys = await makeKeys();
const cpuOf = async (pid: number) => { const s = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' '); return (Number(s[13]) + Number(s[14])) * 10000; };
for (const name of names) {
  await mkdir(join(d.path, name));
  const child = fork(join(import.meta.dirname, prof ? '_server.ts' : 'rpc/server.ts'), { stdio: 'inherit', execArgv: prof ? ['--cpu-prof', '--cpu-prof-dir=/tmp/tb/prof', '--cpu-prof-interval=200'] : [] });
  child.send({ name, keys, directory: join(d.path, name) });
  const [port] = await once(child, 'message') as [number];
  const caller = await CONTENDERS[name].connect(keys, port);
  await caller.submit(submission('known'));
  const id = submission('known').id;
  for (const n of [1]) {
    await measure(2000, n, () => caller.get({ id }));
    const c0 = process.cpuUsage(), s0 = await cpuOf(child.pid!);
    const N = n === 1 ? 2500 : 6000;
    const l = await measure(N, n, () => caller.get({ id }));
    const c1 = process.cpuUsage(c0), s1 = await cpuOf(child.pid!);
    console.log(name.padEnd(5), n, 'client us', ((c1.user + c1.system) / N).toFixed(0), 'server us', ((s1 - s0) / N).toFixed(0), 'p10', l.p10.toFixed(3), 'p50', l.p50Ms.toFixed(3), 'p99', l.p99Ms.toFixed(3), '/s', l.perSecond.toFixed(0));
  }
  await caller.close(); if (prof) { child.send('bye'); await once(child, 'exit'); } else child.kill();
}
process.exit(0);
