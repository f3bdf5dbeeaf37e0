import type { Command } from 'commander';
import type { LeadershipAct } from '../listeners/control-leadership.ts';
import { type AskLine, askOnTerminal } from './ask.ts';
import { type Context, type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { addHistory, addShow, handoffOf } from './leadership-history.ts';
import { neutral } from './text.ts';

/** An end that comes at once is told without a line of progress. */
const FIRST_WAIT_MS = 300;
const POLL_MS = 200;
/** All steps together are bound to less. */
const MAX_WAIT_MS = 20_000;

const EXIT_CODES =
  '\nExit codes: 0 done; 2 refused, nothing has changed; 3 in progress (an id is printed: node-ctl leadership show ID\n' +
  'tells how it stands), or the daemon does not answer.\n';

/** `promote`, `demote`, `leadership history|show`. */
export function addLeadership(program: Command, io: Io, ask: AskLine = askOnTerminal): void {
  addPromote(program, io, ask);
  addDemote(program, io);
  const leadership = program
    .command('leadership')
    .description('who was master when, and how a change of master stands')
    .addHelpText(
      'after',
      '\nExamples:\n  $ node-ctl leadership history\n  $ node-ctl leadership show\n  $ node-ctl promote --dry-run',
    );
  addHistory(leadership, io);
  addShow(leadership, io);
}

interface PromoteFlags {
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly confirm?: string;
}

function addPromote(program: Command, io: Io, ask: AskLine): void {
  program
    .command('promote')
    .description('make this node master: the peer closes the mailbox, this one opens it; the queues go on')
    .option('--dry-run', 'print the steps and what would stop them, and change nothing')
    .option('--force', 'without the word of the peer, where that surely does not run')
    .option(
      '--confirm <name>',
      'with --force, for scripts: the name of the peer, which is otherwise asked for',
    )
    .addHelpText(
      'after',
      EXIT_CODES +
        'A handoff that breaks leaves one master or none, never two; it is settled when the nodes meet again.\n' +
        '\nExamples:\n  $ node-ctl promote --dry-run\n  $ node-ctl promote\n  $ node-ctl promote --force --confirm audio2',
    )
    .action(async (flags: PromoteFlags, command: Command) => {
      await runCommand(io, command, async (context) => {
        const { client } = context;
        const { dryRun = false, force = false } = flags;
        const confirm = force && !dryRun ? await confirmation(context, flags.confirm ?? null, ask) : null;
        const params = { dryRun, force, confirm, waitMs: FIRST_WAIT_MS };
        return report(context, await client.call('promote', params));
      });
    });
}

function addDemote(program: Command, io: Io): void {
  program
    .command('demote')
    .description('give the mastership to the peer: as node-ctl promote there')
    .option('--dry-run', 'print the steps and what would stop them, and change nothing')
    .addHelpText('after', `${EXIT_CODES}\nExamples:\n  $ node-ctl demote --dry-run\n  $ node-ctl demote`)
    .action(async ({ dryRun = false }: { dryRun?: boolean }, command: Command) => {
      await runCommand(io, command, async (context) =>
        report(context, await context.client.call('demote', { dryRun, waitMs: FIRST_WAIT_MS })),
      );
    });
}

/** Says what can go wrong, and has the peer's name typed by who takes the risk. */
async function confirmation(
  { client, io }: Context,
  given: string | null,
  ask: AskLine,
): Promise<string | null> {
  if (given !== null) return given;
  const { peerId } = await client.call('leadership', {});
  if (peerId === null) return null;
  io.err(
    `This node becomes master without the word of ${peerId}. What can go wrong:\n` +
      `- If ${peerId} runs after all and only the link is down, both read the mailbox until they meet again:\n` +
      '  a mail may be answered twice.\n' +
      `- What ${peerId} took and had no time to pass on is not known here: mails of the last days are looked at again,\n` +
      '  unread ones are taken, read ones are put in doubt (node-ctl doubt list).\n' +
      `When the two meet, ${peerId} closes the mailbox at once and says so.\n`,
  );
  return (await ask(`Type the name of the node that is overruled (${peerId}) to go on: `)).trim();
}

/** Waits for the end of what was begun, with its progress, and prints it. */
async function report(context: Context, begun: LeadershipAct): Promise<number> {
  const { print } = context;
  if (begun.kind === 'plan') {
    print(begun, () => planText(begun));
    return begun.obstacles.length === 0 ? EXIT.done : EXIT.refused;
  }
  const act = begun.kind === 'in-progress' ? await follow(context, begun) : begun;
  print(act, () => neutral(act.message, 1000));
  if (act.kind === 'done') return EXIT.done;
  if (act.kind === 'refused') return EXIT.refused;
  context.io.err(`It is in progress: node-ctl leadership show ${act.handoffId}\n`);
  return EXIT.inProgress;
}

async function follow({ client, io }: Context, begun: LeadershipAct): Promise<LeadershipAct> {
  const deadline = io.clock.monotonicMs() + MAX_WAIT_MS;
  let act = begun;
  let shown = '';
  while (act.kind === 'in-progress' && act.handoffId !== null && io.clock.monotonicMs() < deadline) {
    if (act.message !== shown) io.err(`${neutral(act.message, 1000)}\n`);
    shown = act.message;
    try {
      await io.clock.sleep(POLL_MS, io.interrupted);
    } catch {
      return act; // Ctrl-C ends the waiting, not the handoff
    }
    const handoff = await handoffOf(client, act.handoffId);
    if (handoff === null) return act;
    act = { ...act, kind: handoff.state, term: handoff.term, message: handoff.sentence };
  }
  return act;
}

function planText({ steps, obstacles, message }: LeadershipAct): string {
  const numbered = steps.map((step, index) => `${index + 1}. ${neutral(step, 1000)}`);
  const stops = obstacles.map((obstacle) => `stops it: ${neutral(obstacle, 1000)}`);
  return [...numbered, ...stops, message].join('\n');
}
