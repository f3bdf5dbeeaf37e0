import { type Command, InvalidArgumentError } from 'commander';
import type { PeerStatus } from '../../protocol/messages.ts';
import type { NodeStatus, PeerView } from '../listeners/control-contract.ts';
import { type Context, type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { diskText, stateText } from './space-text.ts';
import { indexLine } from './index-text.ts';
import { facts, humanDuration, localTime, neutral, table } from './text.ts';

/** Clears a terminal and goes to its first line (ECMA-48). */
const CLEAR = '\u001B[2J\u001B[H';
const WATCH_MS = 2_000;
const MIN_SECONDS = 1;
const MAX_SECONDS = 3600;
const MS_PER_SECOND = 1000;
/** Beyond it tokens of the peer are refused for their time. */
const CLOCK_WARNING_MS = 10_000;
/** Asking takes as long: a difference within it says nothing. */
const SAME_CLOCK_MS = 50;
const NONE = '-';

/** `status`: how both nodes are. */
export function addStatus(program: Command, io: Io): void {
  program
    .command('status')
    .description('how this node and its peer are: role, mailbox, queue')
    .option('--watch [seconds]', 'show it again and again, every 2 seconds or as said, until Ctrl-C', seconds)
    .addHelpText(
      'after',
      '\nExit codes: 0 all was asked; 3 the daemon does not answer; 4 incomplete: the peer does not answer.\n' +
        '\nExamples:\n  $ node-ctl status\n  $ node-ctl status --watch\n  $ node-ctl status --json | jq .peer.status.role',
    )
    .action(async ({ watch }: { watch?: number | true }, command: Command) => {
      await runCommand(io, command, (context) => show(context, watch === true ? WATCH_MS : (watch ?? null)));
    });
}

async function show({ io, client, print }: Context, everyMs: number | null): Promise<number> {
  for (;;) {
    const status = await client.call('status', {});
    const text = (): string => statusText(status, io.clock.now());
    print(status, () => (everyMs === null ? text() : CLEAR + text()));
    if (everyMs === null) return isComplete(status) ? EXIT.done : EXIT.incomplete;
    try {
      await io.clock.sleep(everyMs, io.interrupted);
    } catch {
      return EXIT.done; // Ctrl-C is how watching ends
    }
  }
}

/** Whether everything that could be asked has answered; a peer without RPC cannot be asked. */
function isComplete({ peer }: NodeStatus): boolean {
  return peer === null || !peer.rpc || peer.status !== null;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < MIN_SECONDS || value > MAX_SECONDS) {
    throw new InvalidArgumentError(`must be ${MIN_SECONDS} to ${MAX_SECONDS} seconds.`);
  }
  return value * MS_PER_SECOND;
}

function statusText(status: NodeStatus, now: Temporal.Instant): string {
  const warnings = [
    ...status.leadership,
    ...status.warnings,
    ...(status.peer?.status?.warnings ?? []).map((warning) => `${status.peer?.id}: ${warning}`),
    ...clockWarning(status.peer),
  ].map((warning) => `warning: ${neutral(warning, 1000)}`);
  return [
    ...[both(status, now), '', lanesText(status)],
    ...(warnings.length === 0 ? [] : ['', ...warnings]),
  ].join('\n');
}

/** What is told of either node. */
type Side = Pick<PeerStatus, 'version' | 'role' | 'term' | 'since' | 'uptimeSeconds' | 'sources'> & {
  readonly mailbox: {
    readonly state: string;
    readonly lastMailAt: string | null;
    readonly lastError: string | null;
  } | null;
  readonly queue: PeerStatus['queue'];
};

const FACTS: readonly (readonly [name: string, value: (side: Side) => string])[] = [
  ['version', ({ version }) => version],
  ['role', ({ role }) => role],
  ['term', ({ term }) => String(term)],
  ['since', ({ since }) => localTime(since)],
  ['up', ({ uptimeSeconds }) => humanDuration(uptimeSeconds)],
  ['mailbox', ({ mailbox }) => mailbox?.state ?? 'not read'],
  ['last mail', ({ mailbox }) => (mailbox?.lastMailAt == null ? NONE : localTime(mailbox.lastMailAt))],
  ['last error', ({ mailbox }) => mailbox?.lastError ?? NONE],
  ['queue', ({ queue }) => queueText(queue)],
  ['sources', ({ sources }) => sources.join(', ') || 'none'],
];

/** A line a fact, a column a node. */
function both(status: NodeStatus, now: Temporal.Instant): string {
  const { peer, ingest } = status;
  const mine: Side = { ...status, mailbox: ingest };
  const theirs = peer?.status ?? null;
  const own = facts([
    ['MODE', `${status.mode} (the first role; node-ctl promote and demote change it)`],
    ['publisher', status.publisher],
    ['state', stateText(status, now)],
    ['disk', status.disk === null ? null : diskText(status.disk)],
    ...status.indexes.map((index) => ['index', indexLine(index, now)] as const),
    ['peer', peer === null ? 'none: this node is alone' : peerText(peer)],
  ]);
  if (peer === null) {
    const about = FACTS.map(([name, value]) => [name, value(mine)] as const);
    return `${facts([['node', status.nodeId], ...about])}\n${own}`;
  }
  const columns = ['', `${status.nodeId} (this)`, peer.id];
  const rows = FACTS.map(([name, value]) => [name, value(mine), theirs === null ? NONE : value(theirs)]);
  return `${table(columns, rows)}\n\n${own}`;
}

function peerText(peer: PeerView): string {
  if (!peer.rpc) return `${peer.id}, by files alone (PEER_RPC=off)`;
  const behind = peer.ledgerBehind > 0 ? `; ${peer.ledgerBehind} ledger entries not there yet` : '';
  if (peer.status === null) {
    const last = peer.lastAnswerAt === null ? '' : `; last answer ${localTime(peer.lastAnswerAt)}`;
    return `${peer.id} does not answer: ${peer.error ?? 'no reason known'}${last}${behind}`;
  }
  const ahead = peer.clockDifferenceMs ?? 0;
  const apart = `${Math.abs(ahead) / MS_PER_SECOND} s ${ahead < 0 ? 'behind' : 'ahead'}`;
  const clock = Math.abs(ahead) < SAME_CLOCK_MS ? 'clock is the same' : `clock ${apart}`;
  return `${peer.id} answers in ${(peer.latencyMs ?? 0).toFixed(1)} ms, its ${clock}${behind}`;
}

function clockWarning(peer: PeerView | null): string[] {
  const apart = Math.abs(peer?.clockDifferenceMs ?? 0);
  if (peer === null || apart < CLOCK_WARNING_MS) return [];
  return [
    `the clocks of the two nodes are ${Math.round(apart / MS_PER_SECOND)} s apart; beyond 30 s they refuse each other: look at NTP (timedatectl)`,
  ];
}

function queueText({ paused, lanes, completed, failed }: PeerStatus['queue']): string {
  const sum = (part: 'pending' | 'processing'): number =>
    lanes.reduce((total, lane) => total + lane[part], 0);
  const open = `${sum('pending')} pending, ${sum('processing')} processing`;
  return `${paused ? 'PAUSED; ' : ''}${open}, ${completed} completed, ${failed} failed`;
}

function lanesText({ nodeId, queue, peer }: NodeStatus): string {
  const rows = [
    ...queue.lanes.map((lane) => ({ node: nodeId, ...lane })),
    ...(peer?.status?.queue.lanes ?? []).map((lane) => ({ node: peer?.id ?? '', ...lane })),
  ];
  const counts = [
    { title: 'PENDING', right: true },
    { title: 'PROCESSING', right: true },
  ];
  return peer === null
    ? table(
        ['LANE', ...counts],
        rows.map(({ lane, pending, processing }) => [lane, String(pending), String(processing)]),
      )
    : table(
        ['NODE', 'LANE', ...counts],
        rows.map(({ node, lane, pending, processing }) => [node, lane, String(pending), String(processing)]),
      );
}
