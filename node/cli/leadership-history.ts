import { type Command, InvalidArgumentError } from 'commander';
import type { HandoffView, LeadershipHistory } from '../listeners/control-leadership.ts';
import { numberUpTo } from './arguments.ts';
import type { ControlClient } from './client.ts';
import { type Context, type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { facts, localTime, neutral, table } from './text.ts';

const MAX_LISTED = 200;
const NONE = '-';

/** `leadership history`. */
export function addHistory(leadership: Command, io: Io): void {
  leadership
    .command('history')
    .description('the changes of role that this node has seen, newest first')
    .option('--limit <n>', `show at most n (up to ${MAX_LISTED})`, numberUpTo(MAX_LISTED), 20)
    .addHelpText(
      'after',
      '\nExamples:\n  $ node-ctl leadership history\n  $ node-ctl leadership history --json',
    )
    .action(async ({ limit }: { limit: number }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('leadershipHistory', { limit });
        print(found, () => historyText(found));
        return EXIT.done;
      });
    });
}

function historyText({ records, total }: LeadershipHistory): string {
  if (records.length === 0) return 'this node has never had a role';
  const rows = records.map(({ at, term, role, master, how, handoffId }) => [
    localTime(at),
    String(term),
    role,
    master ?? NONE,
    how,
    handoffId ?? NONE,
  ]);
  const titles = ['AT', { title: 'TERM', right: true }, 'THIS NODE', 'MASTER', 'HOW', 'HANDOFF'];
  const rest = total > records.length ? `\n${total - records.length} more; see --limit` : '';
  return `${table(titles, rows)}${rest}`;
}

/** `leadership show [handoff]`. */
export function addShow(leadership: Command, io: Io): void {
  leadership
    .command('show')
    .description('the role of this node, or how a handoff stands')
    .argument('[handoff]', 'the id that promote or demote printed', uuid)
    .addHelpText(
      'after',
      '\nExit codes: 0 all is well, or the handoff is done; 2 it was refused; 3 it is in progress, or not known here.\n' +
        '\nExamples:\n  $ node-ctl leadership show\n  $ node-ctl leadership show 6f1c0a52-9d1e-4a58-a6a1-0a8f3b7f2c11',
    )
    .action(async (id: string | undefined, _options: object, command: Command) => {
      await runCommand(io, command, (context) =>
        id === undefined ? showRole(context) : showOne(context, id),
      );
    });
}

async function showRole({ client, print }: Context): Promise<number> {
  const found = await client.call('leadership', {});
  const { view, peerId, explanation } = found;
  print(found, () =>
    [
      facts([
        ['node', view.nodeId],
        ['role', view.role],
        ['term', String(view.term)],
        ['since', localTime(view.since)],
        ['grant', view.grant === null ? null : `term ${view.grant.term} to ${view.grant.to}`],
        ['peer', peerId ?? 'none: this node is alone'],
      ]),
      ...explanation.map((sentence) => neutral(sentence, 1000)),
    ].join('\n'),
  );
  return EXIT.done;
}

async function showOne({ client, print, io }: Context, id: string): Promise<number> {
  const handoff = await handoffOf(client, id);
  if (handoff === null) {
    io.err(
      'this node does not know that handoff: it was not begun here, or came to nothing before a restart\n',
    );
    return EXIT.inProgress;
  }
  print(handoff, () =>
    facts([
      ['handoff', handoff.id],
      ['state', handoff.state],
      ['term', handoff.term === null ? null : String(handoff.term)],
      ['at', localTime(handoff.at)],
      ['', handoff.sentence],
    ]),
  );
  if (handoff.state === 'done') return EXIT.done;
  return handoff.state === 'refused' ? EXIT.refused : EXIT.inProgress;
}

function uuid(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new InvalidArgumentError('must be the id that promote or demote printed.');
  }
  return text.toLowerCase();
}

/** How a handoff stands; null where the node does not know it. */
export async function handoffOf(client: ControlClient, id: string): Promise<HandoffView | null> {
  return (await client.call('handoff', { id })).handoff;
}
