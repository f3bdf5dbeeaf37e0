import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobSummary } from '../node/listeners/control-contract.ts';
import { eventually, freePort } from '../test/support/process.ts';
import type { KindId } from './kinds.ts';
import { noticed, send, SHOWN_ID_LENGTH, told } from './every-kind.ts';
import { type MailServers } from './mail-servers.ts';
import { type NodeProcess, startNode } from './node-process.ts';
import { mailSettings, type PairOptions, type Settings } from './pair.ts';
import { answersTo, PEOPLE, type ReadMail, readMail, sendRequest } from './person.ts';
import { answer, type Stage } from './story.ts';

const PEER = 'matriz';
const LOOPBACK = '127.0.0.1';
const PROMOTE_MS = 10_000;
const READY_MS = 20_000;
/** More than the disk of this machine has free: that of the node counts as full. */
const HEADROOM_BYTES = 999_999_999_999;
/** After so long a requester is told of a delay. */
const A_WHILE = Temporal.Duration.from({ minutes: 20 });
/** After so long what was held back goes out in one mail. */
const HOURS = Temporal.Duration.from({ hours: 3 });
const REPLIES = 10;
/** With what was asked before, some more than that. */
const QUESTIONS: readonly string[] = ['STATUS', 'FILA', 'STATUS', 'FILA', 'STATUS', 'FILA'];
const MAX_JOBS = 100;
/** In a ZIP of it. */
const RECORDINGS_A_ZIP = 5;
/** More than the node reads of a header (mail/message.ts). */
const ODD_FIELDS = Array.from({ length: 2_000 }, (_, index) => ({ key: 'X-Lista', value: String(index) }));

/** What the third node is made of; it is started twice. */
export interface Alone {
  readonly servers: MailServers;
  /** Starts it with more room than there is to be left free, or with none. */
  start(headroomBytes: number): Promise<NodeProcess>;
  /** Takes its recordings away. */
  loseRecordings(): Promise<void>;
}

/** A node for what goes wrong: its peer is never there, its recordings vanish, and its clock can be put forward. */
export async function prepareAlone(
  options: Omit<PairOptions, 'hosts' | 'token'>,
  resources: AsyncDisposableStack,
): Promise<Alone> {
  const { servers } = options;
  const directory = join(options.directory, 'filial');
  const recordings = join(options.directory, 'filial-recordings');
  await cp(options.recordings, recordings, { recursive: true });
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  let [starting, isOver]: [Promise<NodeProcess> | null, boolean] = [null, false];
  const stop = async (): Promise<void> => {
    await (await starting?.catch(() => null))?.[Symbol.asyncDispose](); // one that did not start has ended
  };
  resources.defer(async () => {
    isOver = true;
    await stop();
  });
  return {
    servers,
    loseRecordings: () => rm(recordings, { recursive: true }),
    start: async (headroomBytes) => {
      await stop();
      if (isOver) throw new Error('the demo is over');
      const own = ownSettings(recordings, headroomBytes, ports);
      starting = startNode({
        id: 'filial',
        directory,
        settings: { ...mailSettings(options), ...own },
        canLeap: true,
      });
      const node = await starting;
      const { control } = node;
      // Its peer is not asked: there is none, whatever its configuration says.
      const force = { dryRun: false, force: true, confirm: PEER, waitMs: PROMOTE_MS };
      if ((await control.call('status', {})).role !== 'master') await control.call('promote', force);
      const reads = async (): Promise<boolean> =>
        (await control.call('status', {})).ingest?.state === 'watching';
      await Promise.race([eventually('filial to read its mailbox', reads, READY_MS, 50), node.ended]);
      return node;
    },
  };
}

function ownSettings(
  recordings: string,
  headroomBytes: number,
  [web, peer, rpc]: readonly [web: number, peer: number, rpc: number],
): Settings {
  return {
    MODE: 'master',
    SOURCES: 'audio',
    AUDIOS_FROM: 'audio',
    RECORDINGS_DIR: recordings,
    MAX_RETRIES: 1,
    MAX_RESULT_FILES: RECORDINGS_A_ZIP,
    REPLIES_PER_SENDER: REPLIES,
    DISK_HEADROOM_BYTES: headroomBytes,
    PUBLISH: 'web',
    WEB_LISTEN: `${LOOPBACK}:${web}`,
    PUBLIC_URL: `http://${LOOPBACK}:${web}`,
    PEER_ID: PEER,
    PEER_URL: `https://${LOOPBACK}:${peer}`,
    RPC_LISTEN: `${LOOPBACK}:${rpc}`,
  };
}

/** What people get of a node that has no room, and then of one whose peer is away. */
export async function playAlone(onStage: Stage): Promise<KindId[]> {
  const { start, servers } = onStage.alone;
  const stage = { ...onStage, servers };
  const first = await start(HEADROOM_BYTES);
  const forced = await noticed(stage, 'notice-forced', 'Troca de nó forçada');
  const full = await withoutRoom(stage, first);
  return [forced, ...full, ...(await withoutPeer(stage, await start(0)))];
}

async function withoutRoom(stage: Stage, { control }: NodeProcess): Promise<KindId[]> {
  // A disk that has a terabyte free has room whatever is asked of it.
  const { disk } = await control.call('status', {});
  if (disk === null || !disk.isLow) return [];
  const { firstDay, lastDay } = stage.tree;
  const subject = `RAMAIS=2001 INICIO=${firstDay} FIM=${lastDay}`;
  await told(stage, 'disk-low', 'refusal', subject, { by: 'beto' });
  return ['disk-low', await noticed(stage, 'notice-disk-low', 'filial')];
}

async function withoutPeer(stage: Stage, node: NodeProcess): Promise<KindId[]> {
  const { alone, tree, servers } = stage;
  const range = `INICIO=${tree.firstDay} FIM=${tree.lastDay}`;
  await sendRequest(servers, 'Boletim', { odd: ODD_FIELDS });
  const parts = `RAMAIS=1123 ${range} 23:59`;
  const before = [
    await noticed(stage, 'notice-set-aside', 'E-mail posto de lado'),
    await told(stage, 'result-parts', 'result', parts, { by: 'beto' }),
  ];
  await alone.loseRecordings();
  const failed = told(stage, 'failed', 'failed', `RAMAIS=2002 ${range}`);
  const awaited = { request: await send(stage, `RAMAIS=2001 ${range} audios_from=s3`) };
  await answer(stage, awaited, 'confirmation-awaited', 'confirmation');
  const kinds: KindId[] = [...before, 'confirmation-awaited', await failed];
  kinds.push(await told(stage, 'queue', 'result', 'FILA'));
  node.leap(A_WHILE);
  await answer(stage, awaited, 'delayed', 'delayed');
  kinds.push('delayed', await noticed(stage, 'notice-peer-away', PEER));
  const checked = await send(stage, 'CHECKIP=203.0.113.9');
  await eventually(
    'an answer of CHECKIP',
    async () => (await answersTo(servers, checked)).length > 0,
    READY_MS,
  );
  const waiting = await jobsOf(node, ({ lane, outcome }) => lane === 'servers' && outcome === null);
  const cancelled = `CANCELAR=${waiting[0]?.id.slice(0, SHOWN_ID_LENGTH)}`;
  kinds.push(await told(stage, 'cancel', 'result', cancelled));
  // Past what one person is sent in a day answers wait, and go out together.
  for (const question of QUESTIONS) await send(stage, question);
  const isDone = ({ subject, outcome }: JobSummary): boolean =>
    QUESTIONS.includes(subject) && outcome !== null;
  const areDone = async (): Promise<boolean> => (await jobsOf(node, isDone)).length > QUESTIONS.length;
  await eventually('all questions to be dealt with', areDone, READY_MS, 100);
  node.leap(HOURS);
  const digest = await eventually(
    'the digest',
    () => mailOf(servers, 'digest', PEOPLE.ana.address),
    READY_MS,
  );
  stage.album.put('digest', digest);
  return [...kinds, 'digest'];
}

async function jobsOf(
  { control }: NodeProcess,
  isRight: (job: JobSummary) => boolean,
): Promise<JobSummary[]> {
  const { jobs } = await control.call('jobs', { state: null, limit: MAX_JOBS });
  return jobs.filter(isRight);
}

async function mailOf({ mails }: MailServers, kind: string, to: string): Promise<ReadMail | undefined> {
  const read = await Promise.all(mails.filter((mail) => mail.to.includes(to)).map(readMail));
  return read.find(({ answerKind }) => answerKind === kind);
}
