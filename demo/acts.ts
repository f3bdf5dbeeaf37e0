import { playAlone } from './alone.ts';
import { askAtTheDoor, askForRecordings, askForServers, askQuestions, noticed, send } from './every-kind.ts';
import type { NodeProcess } from './node-process.ts';
import { untilMaster } from './pair.ts';
import { answersTo } from './person.ts';
import {
  answer,
  ask,
  type Asked,
  jobAt,
  type Stage,
  untilAnswered,
  untilConfirmed,
  untilSettled,
  untilTaken,
  wait,
} from './story.ts';

/** Plays all acts that this machine has the means for. @throws Error where one goes astray */
export async function playActs(stage: Stage): Promise<void> {
  const asked = [...(await forwarded(stage)), ...(await handedOver(stage)), ...(await withoutRpc(stage))];
  await ofEveryKind(stage);
  await takenByForce(stage);
  await inTheEnd(stage, asked);
}

/** A request for recordings that the master does not have. */
async function forwarded(stage: Stage): Promise<Asked[]> {
  const { terminal, pair } = stage;
  const { audio, audio2 } = pair;
  terminal.title('1. A request goes its way: audio2 has the mailbox, audio has the recordings');
  const asked = await ask(stage, ['1121', '1122']);
  const taken = await untilTaken(stage, asked, audio2);
  await terminal.step(
    'audio has the job, by RPC',
    () => jobAt(stage, audio, asked, ({ id, door }) => id === taken.id && door === 'rpc'),
    ({ lane }) => `the same job, lane ${lane}`,
  );
  await untilConfirmed(stage, asked);
  await untilAnswered(stage, asked, 'result-warnings');
  await untilSettled(stage, asked, audio2);
  return [asked];
}

/** The other node takes the mailbox over, and gives it back. */
async function handedOver(stage: Stage): Promise<Asked[]> {
  const { audio, audio2 } = stage.pair;
  stage.terminal.title('2. A handoff: audio takes the mailbox, and gives it back');
  await changeMaster(stage, audio, 'promote', audio);
  const asked = await ask(stage, ['1123']);
  await untilTaken(stage, asked, audio);
  await untilConfirmed(stage, asked);
  await untilAnswered(stage, asked);
  await changeMaster(stage, audio, 'demote', audio2);
  await stage.terminal.step('The inbox was never open twice', async () => {
    const { most } = stage.servers.inbox();
    if (most > 1) throw new Error(`${most} sessions had the inbox open at once`);
  });
  return [asked];
}

/** Has an operator at `node` change the master to `next`. */
async function changeMaster(
  { terminal, pair, servers }: Stage,
  node: NodeProcess,
  act: 'promote' | 'demote',
  next: NodeProcess,
): Promise<void> {
  const { term: before } = await node.control.call('status', {});
  let said = '';
  await terminal.step(
    `${node.id}$ node-ctl ${act}`,
    async () => {
      said = (await node.ctl(act)).split('\n').at(-1) ?? '';
    },
    () => said,
  );
  await terminal.step(
    `${next.id} reads the mailbox, and both know it`,
    () => untilMaster(pair, next.id),
    ({ term }) =>
      `term ${before} → ${term}; nobody read it for ${Math.round(servers.inbox().gapMs)} ms meanwhile`,
  );
}

/** A request while the two cannot speak. */
async function withoutRpc(stage: Stage): Promise<Asked[]> {
  const { terminal, pair, hosts } = stage;
  const { audio, audio2 } = pair;
  const title = '3. RPC is cut off: the request goes as a file, by SCP';
  if (hosts.withoutSsh !== null) {
    terminal.line();
    terminal.leftOut(title, hosts.withoutSsh);
    return [];
  }
  terminal.title(title);
  await terminal.step('The way between the nodes is cut', () => hosts.setRpc('cut'));
  const asked = await ask(stage, ['1130']);
  const taken = await untilTaken(stage, asked, audio2);
  await terminal.step(
    'audio has the job, by a file in its pending/',
    () => jobAt(stage, audio, asked, ({ id, door }) => id === taken.id && door === 'drop'),
    ({ lane }) => `the same job, lane ${lane}`,
  );
  await untilConfirmed(stage, asked, 'confirmation-awaited');
  await untilAnswered(stage, asked);
  await terminal.step(
    'audio2 does not know yet how it ended',
    () => jobAt(stage, audio2, asked, ({ outcome }) => outcome === null),
    ({ state, lane }) => `${state} in its lane ${lane}`,
  );
  await terminal.step('The way is there again', () => hosts.setRpc('pass'));
  await untilSettled(stage, asked, audio2);
  return [asked];
}

/** What else people get: an answer of each kind. */
async function ofEveryKind(stage: Stage): Promise<void> {
  const { terminal } = stage;
  terminal.title('4. A mail of every kind');
  // Both have to wait for something: the others go on meanwhile.
  const [servers, alone] = [askForServers(stage), playAlone(stage)];
  for (const slow of [servers, alone]) slow.catch(() => undefined); // told of below, in its turn
  await terminal.step('Results long and none, and a refusal', () => askForRecordings(stage), listed);
  await terminal.step('At the door: who may ask', () => askAtTheDoor(stage), listed);
  await terminal.step('Questions about requests', () => askQuestions(stage), listed);
  await terminal.step('On SIP servers: CHECKIP and MACCHANGE', () => servers, listed);
  await terminal.step('A third node: no room, then no peer, later', () => alone, listed);
}

/** A node takes the mailbox over without the word of the other one, which goes on reading it meanwhile. */
async function takenByForce(stage: Stage): Promise<void> {
  const { terminal, pair, hosts, servers } = stage;
  const { audio, audio2 } = pair;
  terminal.title('5. By force: audio takes the mailbox while audio2 cannot be asked');
  const subject = 'CHECKIP=203.0.113.50 MODO=VER';
  await terminal.step('Cut off from audio, audio2 answers a mail', async () => {
    await hosts.setRpc('cut');
    const request = await send(stage, subject);
    await answer(stage, { request }, 'checkip-look', 'result');
    await wait(stage, 'the mail to be marked as read', () => servers.isSeen(request.uid));
  });
  const force = ['promote', '--force', '--confirm', audio2.id] as const;
  await terminal.step(`audio$ node-ctl ${force.join(' ')}`, () => audio.ctl(...force));
  const isInDoubt = (): Promise<unknown> => noticed(stage, 'notice-in-doubt', subject);
  await terminal.step('audio finds it read already, and tells the admin', isInDoubt);
  await terminal.step('The way is there again: audio2 stops reading', async () => {
    await hosts.setRpc('pass');
    await noticed(stage, 'notice-forced-out', 'Nó substituído à força');
    await untilMaster(pair, audio.id);
  });
  await changeMaster(stage, audio, 'demote', audio2);
}

const listed = (kinds: readonly string[]): string => `${kinds.length} kinds of mail`;

/** What holds for all of it. */
async function inTheEnd(stage: Stage, asked: readonly Asked[]): Promise<void> {
  const { terminal, servers, token } = stage;
  terminal.title('In the end');
  await terminal.step(
    'Each request was confirmed once and answered once',
    async () => {
      const answers = await Promise.all(asked.map(({ request }) => answersTo(servers, request)));
      const wrong = answers.findIndex((mails) => mails.length !== 2);
      if (wrong >= 0) throw new Error(`${asked[wrong]?.subject}: ${answers[wrong]?.length} answers`);
    },
    () => `${asked.length} requests, ${2 * asked.length} mails`,
  );
  await terminal.step('The token is in none of the answers', async () => {
    const leaking = servers.mails.find((mail) => mail.inboxUid === null && mail.raw.includes(token));
    if (leaking !== undefined) throw new Error(`the token stands in mail ${leaking.number}`);
  });
}
