import type { JobSummary } from '../node/listeners/control-contract.ts';
import { eventually } from '../test/support/process.ts';
import type { Alone } from './alone.ts';
import { checkDelivery } from './check-delivery.ts';
import type { Album, KindId } from './kinds.ts';
import type { MailServers } from './mail-servers.ts';
import type { NodeProcess } from './node-process.ts';
import type { Hosts, Pair } from './pair.ts';
import { answersTo, type ReadMail, sendRequest, type SentRequest } from './person.ts';
import type { RecordingTree } from './recordings.ts';
import type { SipServers } from './sip-servers.ts';
import type { Terminal } from './terminal.ts';

const WAIT_MS = 20_000;
const MAX_JOBS = 50;

export interface Stage {
  readonly terminal: Terminal;
  readonly servers: MailServers;
  readonly hosts: Hosts;
  readonly pair: Pair;
  readonly tree: RecordingTree;
  readonly token: string;
  readonly sip: SipServers;
  readonly album: Album;
  /** A third node with a mailbox of its own, whose peer is never there. */
  readonly alone: Alone;
}

/** A request on its way. */
export interface Asked {
  readonly request: SentRequest;
  readonly extensions: readonly string[];
  /** Its subject without the token: so it stands in a job. */
  readonly subject: string;
  readonly sentMs: number;
}

/** A subject that asks for all calls of the tree with these extensions. */
export function subjectFor(
  { tree, token }: Pick<Stage, 'tree' | 'token'>,
  extensions: readonly string[],
): string {
  return `[${token}] RAMAIS=${extensions.join(',')} INICIO=${tree.firstDay} 00:00 FIM=${tree.lastDay} 23:59`;
}

/** Ana sends a request. */
export async function ask(stage: Stage, extensions: readonly string[]): Promise<Asked> {
  const { terminal, servers, token } = stage;
  const subject = subjectFor(stage, extensions);
  terminal.line(`    ${subject}`);
  const request = await terminal.step('Ana sends the mail', () => sendRequest(servers, subject));
  const inJob = subject.replace(`[${token}] `, '');
  return { request, extensions, subject: inJob, sentMs: performance.now() };
}

/** Waits until a node has made a job of the mail and marked it. @throws Error where it goes astray, as all these do */
export async function untilTaken(stage: Stage, asked: Asked, node: NodeProcess): Promise<JobSummary> {
  return stage.terminal.step(
    `${node.id} has it on disk and marks it as read`,
    async () => {
      await wait(stage, 'the mail to be marked as read', () => stage.servers.isSeen(asked.request.uid));
      return jobAt(stage, node, asked, ({ door }) => door === 'mail');
    },
    ({ id, lane }) => `job ${id.slice(0, 12)}, lane ${lane}`,
  );
}

/** The job of a request at a node, when there is one of the right kind. */
export async function jobAt(
  stage: Stage,
  node: NodeProcess,
  { subject }: Pick<Asked, 'subject'>,
  isRight: (job: JobSummary) => boolean,
): Promise<JobSummary> {
  return wait(stage, `the job at ${node.id}`, async () => {
    const { jobs } = await node.control.call('jobs', { state: null, limit: MAX_JOBS });
    return jobs.find((job) => job.subject === subject && isRight(job));
  });
}

/** Waits for the confirmation, and shows where it says that the request stands. */
export async function untilConfirmed(
  stage: Stage,
  asked: Asked,
  kind: KindId = 'confirmation',
): Promise<void> {
  await stage.terminal.step(
    'The confirmation is in',
    () => answer(stage, asked, kind, 'confirmation'),
    (mail) => [mail.opening, /^Situação: .+$/m.exec(mail.text)?.[0] ?? 'without a place'].join('; '),
  );
}

/** Waits for the result, and compares what it links to with the recordings on disk. */
export async function untilAnswered(stage: Stage, asked: Asked, kind: KindId = 'result'): Promise<void> {
  const { terminal, tree } = stage;
  const result = await terminal.step(
    'The result is in',
    () => answer(stage, asked, kind, 'result'),
    (mail) => `${mail.opening}, ${((performance.now() - asked.sentMs) / 1000).toFixed(2)} s after the mail`,
  );
  await tree.endCall();
  await terminal.step(
    'ZIP and links hold what lies on the disk',
    () => checkDelivery(result, tree.callsOf(asked.extensions)),
    ({ recordings, zipBytes }) =>
      `${recordings} recordings, ${(zipBytes / 1e6).toFixed(1)} MB, byte for byte`,
  );
}

/** Waits until the node that handed a job over knows how it ended. */
export async function untilSettled(stage: Stage, asked: Asked, node: NodeProcess): Promise<void> {
  await stage.terminal.step(
    `${node.id} is told how it ended`,
    () => jobAt(stage, node, asked, ({ outcome }) => outcome !== null),
    ({ outcome }) => `${outcome?.kind}, by ${outcome?.by}`,
  );
}

/** An answer of the right kind, for the album; another answer in its place is reported as what it says. */
export async function answer(
  stage: Stage,
  { request }: Pick<Asked, 'request'>,
  kind: KindId,
  answerKind: string,
): Promise<ReadMail> {
  let answers: ReadMail[] = [];
  try {
    const mail = await wait(stage, `a mail of the kind ${kind}`, async () => {
      answers = await answersTo(stage.servers, request);
      return answers.find((one) => one.answerKind === answerKind);
    });
    stage.album.put(kind, mail);
    return mail;
  } catch (error) {
    const got = answers.map((mail) => `"${mail.subject}" (${mail.answerKind})`).join(', ') || 'none';
    throw new Error(`${(error as Error).message}; answers: ${got}`, { cause: error });
  }
}

/** Waits for something to happen, as long as both nodes live. */
export async function wait<T>(
  { pair }: Pick<Stage, 'pair'>,
  what: string,
  probe: () => Promise<T> | T,
): Promise<NonNullable<T>> {
  return Promise.race([eventually(what, probe, WAIT_MS), pair.ended]);
}
