import type { Command } from 'commander';
import type { QuarantineView } from '../listeners/control-quarantine.ts';
import { idPrefixOf } from './arguments.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { facts, humanBytes, localTime, neutral, neutralLines, table } from './text.ts';

const SHOWN_ID_DIGITS = 12;
const SHOWN_FROM_LENGTH = 40;
const SHOWN_SUBJECT_LENGTH = 60;
const MAX_SHOWN_TEXT = 100_000;

const ABOUT = `
A mail comes into quarantine when its From line names somebody of the whitelist and nothing proves that it comes from
there (SENDER_AUTH). Nothing of it is worked and nobody is answered; the admin is told. In the mailbox it lies on.

Mails stay on the node that was master when they came, so look on both.

Reasons: no-results, no-dmarc, results-malformed (the receiving server did not say, or not legibly), dmarc-fail,
domain-differs, unsigned, dkim-fail (it says, or the mail shows, that it comes from elsewhere), from-ambiguous,
header-ambiguous (its header can be read in two ways), too-large, dns (the DNS of the sender did not answer).`;

const EXITS =
  '\nExit codes: 0 done, 2 no such mail or not possible (the message says why), 3 the daemon failed; then the\n' +
  'same command again finishes what was begun.\n';

/** `quarantine list|show|release|dismiss`. */
export function addQuarantine(program: Command, io: Io): void {
  const quarantine = program
    .command('quarantine')
    .description('mails whose sender could not be proved')
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl quarantine list\n  $ node-ctl quarantine show 3f9a1c02\n` +
        '  $ node-ctl quarantine release 3f9a1c02',
    );
  quarantine
    .command('list')
    .description('the mails in quarantine on this node, newest first')
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl quarantine list\n  $ node-ctl quarantine list --json`,
    )
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('quarantine', {});
        print(found, () => listText(found.mails));
        return EXIT.done;
      });
    });
  quarantine
    .command('show')
    .description('a mail in quarantine, its tokens blanked')
    .argument('<id>', 'the id of a mail in quarantine or the beginning of one', idPrefixOf('quarantine list'))
    .addHelpText('after', `${EXITS}\nExamples:\n  $ node-ctl quarantine show 3f9a1c02`)
    .action(async (id: string, _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('quarantineShow', { id });
        print(found, () => showText(found.mail, found.text));
        return EXIT.done;
      });
    });
  addDecision(quarantine, io, {
    name: 'release',
    call: 'quarantineRelease',
    description: 'let a mail go on as if its sender were proved',
    help:
      '\nAsk the person first, by another way than mail: whoever sent it gets what it asks for.\n' +
      'Whitelist, token and limits are looked at as with any other mail.\n',
  });
  addDecision(quarantine, io, {
    name: 'dismiss',
    call: 'quarantineDismiss',
    description: 'remove a mail from the quarantine, undone',
    help: '',
  });
}

interface Decision {
  readonly name: string;
  readonly call: 'quarantineRelease' | 'quarantineDismiss';
  readonly description: string;
  readonly help: string;
}

function addDecision(quarantine: Command, io: Io, { name, call, description, help }: Decision): void {
  quarantine
    .command(name)
    .description(description)
    .argument('<id>', 'the id of a mail in quarantine or the beginning of one', idPrefixOf('quarantine list'))
    .addHelpText('after', `${help}${EXITS}\nExamples:\n  $ node-ctl quarantine ${name} 3f9a1c02`)
    .action(async (id: string, _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const done = await client.call(call, { id });
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

function listText(mails: readonly QuarantineView[]): string {
  if (mails.length === 0) return 'no mail is in quarantine on this node';
  const rows = mails.map((mail) => [
    mail.id.slice(0, SHOWN_ID_DIGITS),
    localTime(mail.receivedAt),
    mail.reason,
    neutral(mail.from, SHOWN_FROM_LENGTH),
    neutral(mail.subject, SHOWN_SUBJECT_LENGTH),
  ]);
  const titles = ['ID', 'RECEIVED', 'REASON', 'FROM', 'SUBJECT'];
  return `${table(titles, rows)}\n\nDecide on each: node-ctl quarantine show ID, then release ID or dismiss ID`;
}

function showText(mail: QuarantineView, text: string): string {
  const about = facts([
    ['id', mail.id],
    ['from', mail.from],
    ['subject', mail.subject],
    ['received', localTime(mail.receivedAt)],
    ['in quarantine since', localTime(mail.at)],
    ['reason', `${mail.reason}: ${mail.detail}`],
    ['size', humanBytes(mail.sizeBytes)],
  ]);
  return `${about}\n\n${neutralLines(text, MAX_SHOWN_TEXT)}`;
}
