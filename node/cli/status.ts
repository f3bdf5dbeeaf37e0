import type { Command } from 'commander';
import type { NodeStatus } from '../listeners/control-contract.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { facts, humanDuration, localTime, neutral, table } from './text.ts';

/** `status`: how the node is. */
export function addStatus(program: Command, io: Io): void {
  program
    .command('status')
    .description('how the node is: role, mailbox, queue')
    .addHelpText('after', '\nExamples:\n  $ node-ctl status\n  $ node-ctl status --json | jq .queue.lanes')
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const status = await client.call('status', {});
        print(status, () => statusText(status));
        return EXIT.done;
      });
    });
}

function statusText(status: NodeStatus): string {
  const { queue } = status;
  const sum = (part: 'pending' | 'processing'): number =>
    queue.lanes.reduce((total, lane) => total + lane[part], 0);
  const about = facts([
    ['node', `${status.nodeId} (version ${status.version})`],
    ['role', `${status.role} since ${localTime(status.since)} (MODE=${status.mode})`],
    ['up', humanDuration(status.uptimeSeconds)],
    ['mailbox', mailboxText(status.ingest)],
    ['last error', status.ingest?.lastError ?? null],
    [
      'queue',
      `${queue.paused ? 'paused' : 'running'}; ${sum('pending')} pending, ${sum('processing')} processing, ` +
        `${queue.completed} completed, ${queue.failed} failed`,
    ],
    ['sources', status.sources.join(', ') || 'none'],
    ['publisher', status.publisher],
    ['state', status.stateDir],
  ]);
  const lanes = table(
    [{ title: 'LANE' }, { title: 'PENDING', right: true }, { title: 'PROCESSING', right: true }],
    queue.lanes.map((lane) => [lane.lane, String(lane.pending), String(lane.processing)]),
  );
  const warnings = status.warnings.map((warning) => `warning: ${neutral(warning, 1000)}`);
  return [about, '', lanes, ...(warnings.length === 0 ? [] : ['', ...warnings])].join('\n');
}

function mailboxText(ingest: NodeStatus['ingest']): string {
  if (ingest === null) return 'not read by this node';
  const last = ingest.lastMailAt === null ? 'no mail yet' : `last mail ${localTime(ingest.lastMailAt)}`;
  return `${ingest.paused ? 'paused' : ingest.state}; ${last}`;
}
