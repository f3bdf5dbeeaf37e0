import type { Command } from 'commander';
import type { PairStatusView } from '../listeners/control-pairing.ts';
import { type AskLine, askOnTerminal } from './ask.ts';
import { type Context, type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { facts, localTime, neutral } from './text.ts';

const MAX_SHOWN_LENGTH = 1000;

const PAIR_HELP = `
Two nodes are joined by one line, which is printed on one host and given to the other:
  audio$  node-ctl pair invite
  audio2$ node-ctl pair accept
  The line that pair invite printed: parelha-pair-1-…
They exchange certificates, keys of calls, and the SSH keys with which either may drop files (and do nothing else) in
the queue of the other. PEER_ID, PEER_URL and RPC_LISTEN are to be set on both before.

Exit codes:
  0  done
  2  refused; nothing was changed here
  3  failed, or not finished: node-ctl pair status tells
  4  done here, and not yet at the peer`;

/** `pair invite|accept|status|rotate|remove`. */
export function addPair(program: Command, io: Io, ask: AskLine = askOnTerminal): void {
  const pair = program
    .command('pair')
    .description('join this node with the other one of the pair, change its keys, part them')
    .addHelpText('after', PAIR_HELP);
  addInvite(pair, io);
  addAccept(pair, io, ask);
  addPairStatus(pair, io);
  addRotate(pair, io);
  addRemove(pair, io);
}

function addInvite(pair: Command, io: Io): void {
  pair
    .command('invite')
    .description('print the line that joins the other node; good for ten minutes, once, five tries')
    .option(
      '--url <url>',
      'where the other host reaches the RPC listener of this one (default: from RPC_LISTEN)',
    )
    .addHelpText(
      'after',
      '\nThe line is a secret until it is used or closed: give it to nobody but the other host. A second invitation, or a\n' +
        'restart of the daemon, closes the first.\n' +
        '\nExamples:\n  $ node-ctl pair invite\n  $ node-ctl pair invite --url https://audio.example.com:7443',
    )
    .action(async (options: { url?: string }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const invited = await client.call('pairInvite', { url: options.url ?? null });
        print(invited, () => {
          const { peerId, url, line, expiresAt } = invited;
          return [
            neutral(line, MAX_SHOWN_LENGTH),
            '',
            `Good until ${localTime(expiresAt)}, once. It is a secret: whoever has it first is trusted as ${neutral(peerId)}.`,
            `Next, on ${neutral(peerId)}, which must reach ${neutral(url)}:`,
            '  node-ctl pair accept      (it asks for the line)',
          ].join('\n');
        });
        return EXIT.done;
      });
    });
}

function addAccept(pair: Command, io: Io, ask: AskLine): void {
  pair
    .command('accept')
    .description('join the node that printed the line')
    .argument(
      '[line...]',
      'what pair invite printed on the other host (default: asked for, or read from stdin)',
    )
    .addHelpText(
      'after',
      '\nIf this fails half-way (the connection was lost), the other node may trust this one already, and that does no harm:\n' +
        'print a new line there and accept it.\n' +
        'While the line is good it is a secret, and what stands on a command line is seen by all users of the host (ps):\n' +
        'give it when it is asked for, or on stdin.\n' +
        '\nExamples:\n  $ node-ctl pair accept\n  $ ssh audio node-ctl pair invite | head -1 | node-ctl pair accept',
    )
    .action(async (words: string[], _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const line = words.length > 0 ? words.join('') : await ask('The line that pair invite printed: ');
        const joined = await client.call('pairAccept', { line });
        print(joined, () =>
          [
            `Joined with ${neutral(joined.peerId)} (certificate ${neutral(joined.fingerprint)}).`,
            ...noteLines(joined.notes),
            'Next: node-ctl status shows both nodes; node-ctl pair status shows the keys.',
          ].join('\n'),
        );
        return joined.notes.length === 0 ? EXIT.done : EXIT.incomplete;
      });
    });
}

function addPairStatus(pair: Command, io: Io): void {
  pair
    .command('status')
    .description('who is trusted, by which keys, since when; whether an invitation is open')
    .addHelpText(
      'after',
      '\nExamples:\n  $ node-ctl pair status\n  $ node-ctl pair status --json | jq .paired.certificates',
    )
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const status = await client.call('pairStatus', {});
        print(status, () => statusText(status));
        return EXIT.done;
      });
    });
}

function addRotate(pair: Command, io: Io): void {
  pair
    .command('rotate')
    .description('change the certificate and the token key of this node; the peer must be there')
    .addHelpText(
      'after',
      '\nThe peer trusts the old ones and the new ones until this node uses the new ones; calls go on meanwhile. What stops\n' +
        'half-way goes on by itself when the two are in contact again. The other node’s keys are changed on its host. If a\n' +
        'key has been stolen, part the two instead (pair remove, on both) and join them anew.\n' +
        '\nExamples:\n  $ node-ctl pair rotate',
    )
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const rotated = await client.call('pairRotate', {});
        print(rotated, () =>
          [neutral(rotated.message, MAX_SHOWN_LENGTH), 'Next: node-ctl pair status shows the new keys.'].join(
            '\n',
          ),
        );
        return rotated.state === 'done' ? EXIT.done : EXIT.incomplete;
      });
    });
}

function addRemove(pair: Command, io: Io): void {
  pair
    .command('remove')
    .description('forget the peer: its certificates, its keys, its right to drop files here')
    .option('--yes', 'do it; without this the command says what it would do')
    .addHelpText(
      'after',
      '\nCalls of the peer are refused from then on. Jobs that were forwarded to it, and not settled yet, stay as they are.\n' +
        '\nExamples:\n  $ node-ctl pair remove\n  $ node-ctl pair remove --yes',
    )
    .action(async (options: { yes?: boolean }, command: Command) => {
      await runCommand(io, command, (context) => remove(context, options.yes === true));
    });
}

async function remove({ client, print }: Context, sure: boolean): Promise<number> {
  if (!sure) {
    const status = await client.call('pairStatus', {});
    const peerId = status.paired?.peerId ?? null;
    print({ removed: false, peerId }, () =>
      peerId === null
        ? 'This node is not paired: there is nothing to forget.'
        : `This would forget ${neutral(peerId)}: the two no longer speak, and it can no longer drop files here.\n` +
          'Nothing was changed. To do it: node-ctl pair remove --yes',
    );
    return peerId === null ? EXIT.done : EXIT.refused;
  }
  const { peerId, notes } = await client.call('pairRemove', {});
  print({ removed: peerId !== null, peerId, notes }, () => {
    const lines = noteLines(notes);
    if (peerId === null) return ['This node was not paired; nothing is trusted.', ...lines].join('\n');
    return [
      `${neutral(peerId)} is forgotten: its calls are refused.`,
      ...lines,
      `Next, on ${neutral(peerId)}, if it is still there: node-ctl pair remove --yes`,
      'To join the two again: node-ctl pair invite',
    ].join('\n');
  });
  return notes.length === 0 ? EXIT.done : EXIT.incomplete;
}

function noteLines(notes: readonly string[]): string[] {
  return notes.map((note) => `warning: ${neutral(note, MAX_SHOWN_LENGTH)}`);
}

function statusText(status: PairStatusView): string {
  const { own, paired, invitation, authorizedKeys } = status;
  const about = facts([
    ['node', status.nodeId],
    ['certificate', `${own.fingerprint} (made ${localTime(own.madeAt)})`],
    ['token key', own.tokenKey],
    ['ssh key', own.sshUserKey],
    ['rotation', ROTATION[status.rotation]],
    ['invitation', invitationText(invitation)],
  ]);
  const peer =
    paired === null
      ? facts([
          ['peer', `${status.configuredPeer ?? 'none'} (not paired)`],
          ...status.sshHostKeys.map((key) => ['host key', key] as const),
        ])
      : facts([
          ['peer', `${paired.peerId}, joined ${localTime(paired.pairedAt)}`],
          ['renewed', paired.renewedAt === null ? null : localTime(paired.renewedAt)],
          ...paired.certificates.map((one) => ['certificate', one] as const),
          ...paired.tokenKeys.map((one) => ['token key', one] as const),
          ['files go to', `${paired.sshUser}@…:${paired.queueDir}/pending`],
          ...status.sshHostKeys.map((key) => ['host key', key] as const),
          ['its files', `${authorizedKeys.state} in ${authorizedKeys.path}`],
        ]);
  const problems = status.problems.map((problem) => `warning: ${neutral(problem, MAX_SHOWN_LENGTH)}`);
  return [about, '', peer, ...(problems.length === 0 ? [] : ['', ...problems]), '', nextStep(status)].join(
    '\n',
  );
}

const ROTATION = {
  none: null,
  announcing: 'new keys wait for the peer',
  retiring: 'new keys are in use; the peer has yet to forget the old ones',
} as const;

function invitationText(invitation: PairStatusView['invitation']): string | null {
  if (invitation === null) return null;
  return `open until ${localTime(invitation.expiresAt)}, ${invitation.triesLeft} tries left`;
}

function nextStep({ configuredPeer, paired, invitation }: PairStatusView): string {
  if (configuredPeer === null)
    return 'Next: set PEER_ID, PEER_URL and RPC_LISTEN in the configuration of both nodes.';
  if (invitation !== null) return `Next, on ${neutral(configuredPeer)}: node-ctl pair accept LINE`;
  if (paired === null) return 'Next: node-ctl pair invite, here or on the other host.';
  return 'Next: node-ctl status shows whether the two are in contact.';
}
