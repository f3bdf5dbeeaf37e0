import { join } from 'node:path';
import { startCeph } from '../test/support/ceph.ts';
import { temporaryDirectory } from '../test/support/process.ts';
import { missingOf } from '../test/support/requirements.ts';
import { readCommandLine } from './common/command-line.ts';
import { ms, table, verdict, writeFigures } from './common/report.ts';
import { percentile, spreadOf } from './common/statistics.ts';
import { filePut, ours, peer, type PlainPut, s3Objects, s3Put, webObjects } from './latency/delivery.ts';
import { burst, oneByOne } from './latency/mails.ts';
import { STAGES } from './latency/stages.ts';
import { startWorld } from './latency/world.ts';

/**
 * How long people wait: for the confirmation of one mail, for those of a hundred that come at once, and for a
 * hundred recordings. Measured outside the node, by proxies between it and the mail servers.
 * `node bench/latency.ts [mails|web|s3 …] [--quick] [--json FILE]`; exit code 1 where a goal is missed.
 */
const GOAL_P99_MS = 150;
const GOAL_BURST_MS = 5_000;
const BURST_MAILS = 100;
/** Of a delivery: so many times the peer's, and so much more for the mails. */
const GOAL_RATIO = 1.5;
const GOAL_EXTRA_MS = 1_000;
const BUCKET = 'latency-bench';

const PARTS = ['mails', 'web', 's3'] as const;

async function measureMails(quick: boolean): Promise<{ passed: boolean; figures: unknown }> {
  await using world = await startWorld();
  const count = quick ? 20 : 100;
  // The first after a start loads what later ones find ready: told by itself, beside the others.
  const [first, ...mails] = await oneByOne(world, 1 + count);
  const many = await burst(world, 1 + count, BURST_MAILS);

  const spreads = {
    confirmation: spreadOf(mails.map(({ confirmationMs }) => confirmationMs)),
    flags: spreadOf(mails.map(({ flaggedMs }) => flaggedMs)),
    result: spreadOf(mails.map(({ resultMs }) => resultMs)),
  };
  console.log(`${count} mails, one at a time: milliseconds after EXISTS\n`);
  const rows = Object.entries(spreads).map(([name, { p50, p90, p99, max }]) => [
    name,
    ...[p50, p90, p99, max].map(ms),
  ]);
  console.log(table([['', 'p50', 'p90', 'p99', 'max'], ...rows]));
  console.log(
    `\nThe first mail after the start was confirmed in ${ms(first?.confirmationMs ?? Number.NaN)} ms`,
  );

  const seen = mails.flatMap((mail) => mail.stages ?? []);
  const stages = STAGES.map(([name, what]) => {
    const values = seen.map((stage) => stage[name]);
    return { name, what, p50: percentile(values, 0.5), p90: percentile(values, 0.9) };
  });
  console.log(`\nWhere the time of a confirmation goes (${seen.length} mails)\n`);
  console.log(table([['', 'p50', 'p90'], ...stages.map(({ what, p50, p90 }) => [what, ms(p50), ms(p90)])]));

  const { deliveredMs, confirmedMs, answeredMs } = many;
  console.log(`\n${BURST_MAILS} mails at once, in the mailbox within ${ms(deliveredMs)} ms: after EXISTS`);
  console.log(`all are confirmed in ${ms(confirmedMs)} ms and answered in ${ms(answeredMs)} ms\n`);
  const goals = [
    verdict('p99 of a confirmation', spreads.confirmation.p99, GOAL_P99_MS),
    verdict(`${BURST_MAILS} mails confirmed`, confirmedMs, GOAL_BURST_MS),
  ];
  for (const { line } of goals) console.log(line);
  const figures = { first, ...spreads, stages, burst: many, smtpConnections: world.smtp.connections };
  return { passed: goals.every(({ passed }) => passed), figures };
}

async function measureDelivery(
  publisher: 'web' | 's3',
  quick: boolean,
): Promise<{ passed: boolean; figures: unknown }> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const ceph = publisher === 's3' ? stack.use(await startCeph()) : null;
  await ceph?.makeBucket(BUCKET);
  const world = stack.use(await startWorld(ceph === null ? {} : { s3: { ceph, bucket: BUCKET } }));

  // The first delivery loads and warms up what later ones find ready, and gives the peer its objects.
  const firstMs = await ours(world, 1);
  const objects =
    ceph === null ? await webObjects(world) : await s3Objects(ceph, BUCKET, join(directory.path, 'objects'));
  const put: PlainPut = ceph === null ? filePut(join(directory.path, 'peer')) : s3Put(ceph, BUCKET);
  await peer(objects, 0, put);
  const rounds: { oursMs: number; peerMs: number }[] = [];
  for (let round = 1; round <= (quick ? 3 : 7); round += 1) {
    rounds.push({ oursMs: await ours(world, round + 1), peerMs: await peer(objects, round, put) });
  }
  const oursMs = percentile(
    rounds.map((round) => round.oursMs),
    0.5,
  );
  const peerMs = percentile(
    rounds.map((round) => round.peerMs),
    0.5,
  );

  console.log(
    `${objects.length - 1} recordings and their ZIP, PUBLISH=${publisher}, ${rounds.length} rounds: milliseconds\n`,
  );
  const cells = rounds.map((round, index) => [`round ${index + 1}`, ms(round.oursMs), ms(round.peerMs)]);
  console.log(table([['', 'ours', 'peer'], ...cells, ['median', ms(oursMs), ms(peerMs)]]));
  console.log(`ours : peer = ${(oursMs / peerMs).toFixed(2)}; the first one took ${ms(firstMs)} ms\n`);
  const goal = verdict(`EXISTS to the result (${publisher})`, oursMs, GOAL_RATIO * peerMs + GOAL_EXTRA_MS);
  console.log(goal.line);
  return { passed: goal.passed, figures: { oursMs, peerMs, firstMs, rounds } };
}

const { parts, quick, json } = readCommandLine(PARTS);
for (const name of parts) {
  const missing = missingOf(name === 's3' ? ['dovecot', 'exim', 'ceph'] : ['dovecot', 'exim']);
  if (missing.length > 0) {
    console.log(`${name}: not measured, for want of ${missing.join(', ')}`);
    continue;
  }
  console.log(`— ${name} —`);
  const { passed, figures } = await (name === 'mails' ? measureMails(quick) : measureDelivery(name, quick));
  if (!passed) process.exitCode = 1;
  if (json !== undefined) await writeFigures(json, `latency.${name}`, figures);
  console.log('');
}
