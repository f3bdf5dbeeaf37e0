import { eventually } from '../test/support/process.ts';
import { checkDelivery, type Delivery, linksOf } from './check-delivery.ts';
import type { MailServers } from './mail-servers.ts';
import type { NodeProcess } from './node-process.ts';
import { answersTo, type ReadMail, sendRequest, type SentRequest } from './person.ts';
import type { RecordingTree } from './recordings.ts';
import type { Terminal } from './terminal.ts';

const WAIT_MS = 20_000;

export interface Stage {
  readonly terminal: Terminal;
  readonly servers: MailServers;
  readonly node: NodeProcess;
  readonly tree: RecordingTree;
  readonly token: string;
}

/** Sends one request and follows it to the recordings in the requester's hands. @throws Error where it goes astray */
export async function followRequest(stage: Stage, subject: string): Promise<Delivery> {
  const { terminal, servers, tree } = stage;
  terminal.title('A request goes its way');
  terminal.line(`    ${subject}`);
  const request = await terminal.step('Ana sends the mail', () => sendRequest(servers, subject));
  const sent = performance.now();
  await terminal.step('The node has it on disk and marks it as read', () =>
    wait(stage, 'the mail is marked as read', () => servers.isSeen(request.uid)),
  );
  await terminal.step(
    'The confirmation is in',
    () => answer(stage, request, 'a confirmation', () => true),
    (mail) => mail.opening,
  );
  const result = await terminal.step(
    'The result is in',
    () => answer(stage, request, 'a result with a ZIP', (mail) => linksOf(mail).zip !== null),
    (mail) => mail.opening,
  );
  const seconds = ((performance.now() - sent) / 1000).toFixed(2);
  await tree.endCall();
  const delivery = await terminal.step(
    'ZIP and links hold what lies on the disk',
    () => checkDelivery(result, tree),
    ({ recordings, zipBytes }) =>
      `${recordings} recordings, ${(zipBytes / 1e6).toFixed(1)} MB, byte for byte`,
  );
  await terminal.step('The token is in none of the answers', () => checkToken(stage));
  terminal.line(`\n    From mail to result: ${seconds} s`);
  return delivery;
}

/** An answer of the right kind; another answer in its place is reported as what it says. */
async function answer(
  stage: Stage,
  request: SentRequest,
  what: string,
  isRight: (mail: ReadMail) => boolean,
): Promise<ReadMail> {
  let answers: ReadMail[] = [];
  try {
    return await wait(stage, what, async () => {
      answers = await answersTo(stage.servers, request);
      return answers.find(isRight);
    });
  } catch (error) {
    const got = answers.map((mail) => `"${mail.subject}"`).join(', ') || 'none';
    throw new Error(`${(error as Error).message}; answers: ${got}`, { cause: error });
  }
}

/** Waits for something to happen, as long as the node lives. */
async function wait<T>({ node }: Stage, what: string, probe: () => Promise<T> | T): Promise<NonNullable<T>> {
  return Promise.race([eventually(what, probe, WAIT_MS), node.ended]);
}

async function checkToken({ servers, token }: Stage): Promise<void> {
  const leaking = servers.mails.find((mail) => mail.inboxUid === null && mail.raw.includes(token));
  if (leaking !== undefined) throw new Error(`the token stands in mail ${leaking.number}`);
}
