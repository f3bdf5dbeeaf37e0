import type { Command } from 'commander';
import { AppError } from '../platform/errors.ts';
import type { DeliveryView } from '../listeners/control-links.ts';
import { idPrefixOf, numberUpTo } from './arguments.ts';
import { type AskLine, askOnTerminal } from './ask.ts';
import { type Context, type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { facts, humanBytes, humanCount, localTime, neutral, table } from './text.ts';

const SHOWN_ID_DIGITS = 8;
const SHOWN_SUBJECT_LENGTH = 60;
const MAX_LISTED = 500;
const MAX_SHOWN_LENGTH = 1000;

const ABOUT = `
A result is delivered as links to its recordings, its ZIP and a page with all of them; they end LINK_HOURS after it was
delivered. With PUBLIC_URL this node answers them and counts how often they were opened; without, the bucket does.`;

/** `link list|revoke`. `ask` reads the word by which an operator says yes. */
export function addLink(program: Command, io: Io, ask: AskLine = askOnTerminal): void {
  const link = program
    .command('link')
    .description('links to what was delivered: list them, take them back')
    .addHelpText('after', `${ABOUT}\n\nExamples:\n  $ node-ctl link list\n  $ node-ctl link revoke 3f9a1c02`);
  addList(link, io);
  addRevoke(link, io, ask);
}

function addList(link: Command, io: Io): void {
  link
    .command('list')
    .description('deliveries whose links open, the youngest first')
    .option('--all', 'those too whose links open nothing any more, as long as they are on record')
    .option('--limit <n>', `show at most n of them (up to ${MAX_LISTED})`, numberUpTo(MAX_LISTED), 50)
    .addHelpText(
      'after',
      '\nEach is named by its job. The links themselves: node-ctl queue show ID\n' +
        '\nExamples:\n  $ node-ctl link list\n  $ node-ctl link list --all --limit 200\n  $ node-ctl link list --json',
    )
    .action(async (options: { all?: boolean; limit: number }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const all = options.all === true;
        const found = await client.call('links', { all, limit: options.limit });
        print(found, () => listText(found.deliveries, found.total, all));
        return EXIT.done;
      });
    });
}

function addRevoke(link: Command, io: Io, ask: AskLine): void {
  link
    .command('revoke')
    .description('take a delivery back: its links stop, and what was published for it is removed')
    .argument('<job>', 'the job that was delivered, its id or the beginning of it', idPrefixOf('link list'))
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      '\nAll links of the job stop at once: recordings, ZIP and page. Who opens one of the node is told that it was revoked;\n' +
        'the recordings themselves stay where they are. To deliver them again, the request has to be sent anew.\n' +
        'Recordings that are heard where they lie (source s3) open by links of their bucket, which nobody can take back:\n' +
        'the command says how many, and until when.\n' +
        '\nExit codes: 0 revoked, 2 nothing was done (no such delivery, or not confirmed), 3 it failed (the same command\n' +
        'again goes on), 4 revoked, but for links that nobody can take back\n' +
        '\nExamples:\n  $ node-ctl link revoke 3f9a1c02\n  $ node-ctl link revoke 3f9a1c02 --yes --json',
    )
    .action(async (id: string, options: { yes?: boolean }, command: Command) => {
      await runCommand(io, command, (context) => revoke(context, id, options.yes === true, ask));
    });
}

async function revoke(
  { io, client, print }: Context,
  prefix: string,
  isSure: boolean,
  ask: AskLine,
): Promise<number> {
  let id = prefix;
  if (!isSure) {
    const shown = await client.call('link', { id: prefix }, io.interrupted);
    id = shown.job;
    io.err(`${deliveryText(shown)}\n`);
    const answer = await ask('Its links stop for everybody. Type yes to revoke them: ');
    if (answer.trim().toLowerCase() !== 'yes') throw new AppError('cli.usage', 'nothing was revoked');
  }
  const done = await client.call('linkRevoke', { id }, io.interrupted);
  print(done, () =>
    [done.message, ...done.notes.map((note) => `warning: ${note}`)]
      .map((line) => neutral(line, MAX_SHOWN_LENGTH))
      .join('\n'),
  );
  return done.notes.length === 0 ? EXIT.done : EXIT.incomplete;
}

function listText(deliveries: readonly DeliveryView[], total: number, all: boolean): string {
  if (deliveries.length === 0)
    return all ? 'nothing delivered is on record' : 'no links are open; --all shows those that were';
  const rows = deliveries.map((one) => [
    one.job.slice(0, SHOWN_ID_DIGITS),
    one.state,
    localTime(one.expiresAt),
    humanCount(one.recordings),
    humanBytes(one.totalBytes),
    one.opened === null ? '?' : humanCount(one.opened),
    one.requester ?? '-',
    neutral(one.subject ?? '-', SHOWN_SUBJECT_LENGTH),
  ]);
  const titles = [
    'JOB',
    'STATE',
    'UNTIL',
    { title: 'RECORDINGS', right: true },
    { title: 'SIZE', right: true },
    { title: 'OPENED', right: true },
    'REQUESTER',
    'SUBJECT',
  ];
  const more = total > deliveries.length ? [`${total - deliveries.length} more; see --limit`] : [];
  return [table(titles, rows), ...more].join('\n');
}

function deliveryText(one: DeliveryView): string {
  return facts([
    ['job', one.job],
    ['state', one.state],
    ['subject', one.subject],
    ['requester', one.requester],
    ['holds', `${humanCount(one.recordings)} recordings, ${one.zips} ZIP, ${humanBytes(one.totalBytes)}`],
    ['links until', localTime(one.expiresAt)],
    ['revoked', one.revokedAt === null ? null : localTime(one.revokedAt)],
    ['opened', one.opened === null ? null : `${humanCount(one.opened)} times`],
    ['last opened', one.lastOpenedAt === null ? null : localTime(one.lastOpenedAt)],
  ]);
}
