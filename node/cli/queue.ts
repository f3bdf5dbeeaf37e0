import { type Command, Option } from 'commander';
import type { JobState, JobSummary, JobView } from '../listeners/control-contract.ts';
import { idPrefixOf, numberUpTo } from './arguments.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { facts, humanBytes, jsonText, localTime, neutral, table } from './text.ts';

const SHOWN_ID_DIGITS = 8;
const SHOWN_SUBJECT_LENGTH = 60;
const SHOWN_PROGRESS_LENGTH = 120;
const MAX_LISTED = 500;
const JOB_STATES: readonly JobState[] = ['pending', 'processing', 'completed', 'failed'];

/** `queue list|show|retry|cancel`. */
export function addQueue(program: Command, io: Io): void {
  const queue = program
    .command('queue')
    .description('the jobs: list them, look at one, try it again, cancel it')
    .addHelpText(
      'after',
      '\nA job is named by the beginning of its id, as long as no other job begins so.\n' +
        '\nExamples:\n  $ node-ctl queue list --state failed\n  $ node-ctl queue show 3f9a1c02\n  $ node-ctl queue retry 3f9a1c02',
    );
  addList(queue, io);
  addShow(queue, io);
  addAct(queue, io, 'retry', 'try a failed job again, or a waiting one at once');
  addAct(queue, io, 'cancel', 'give a job up; its requester is told');
}

function addList(queue: Command, io: Io): void {
  queue
    .command('list')
    .description('the jobs, newest first')
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(JOB_STATES))
    .option('--limit <n>', `show at most n jobs (up to ${MAX_LISTED})`, numberUpTo(MAX_LISTED), 50)
    .addHelpText(
      'after',
      '\nExamples:\n  $ node-ctl queue list\n  $ node-ctl queue list --state pending --limit 10\n  $ node-ctl queue list --json',
    )
    .action(async (options: { state?: JobState; limit: number }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('jobs', { state: options.state ?? null, limit: options.limit });
        print(found, () => listText(found.jobs, found.total));
        return EXIT.done;
      });
    });
}

function addShow(queue: Command, io: Io): void {
  queue
    .command('show')
    .description('one job in full: parameters, steps, progress, last error, links')
    .argument('<id>', 'a job id or the beginning of one', idPrefixOf('queue list'))
    .addHelpText(
      'after',
      '\nExamples:\n  $ node-ctl queue show 3f9a1c02\n  $ node-ctl queue show 3f9a --json',
    )
    .action(async (id: string, _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const job = await client.call('job', { id });
        print(job, () => jobText(job));
        return EXIT.done;
      });
    });
}

function addAct(queue: Command, io: Io, act: 'retry' | 'cancel', description: string): void {
  queue
    .command(act)
    .description(description)
    .argument('<id>', 'a job id or the beginning of one', idPrefixOf('queue list'))
    .addHelpText(
      'after',
      `\nExamples:\n  $ node-ctl queue ${act} 3f9a1c02\n  $ node-ctl queue ${act} 3f9a1c02 --json`,
    )
    .action(async (id: string, _options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const done = await client.call(act, { id });
        print(done, () => neutral(done.message, 1000));
        return EXIT.done;
      });
    });
}

function listText(jobs: readonly JobSummary[], total: number): string {
  if (jobs.length === 0) return 'no jobs';
  const rows = jobs.map((job) => [
    job.id.slice(0, SHOWN_ID_DIGITS),
    stateText(job),
    job.lane,
    job.position === null ? '-' : String(job.position),
    String(job.attempts),
    localTime(job.acceptedAt),
    job.requester ?? '-',
    neutral(job.subject, SHOWN_SUBJECT_LENGTH),
  ]);
  const titles = [
    'ID',
    'STATE',
    'LANE',
    { title: 'POS', right: true },
    { title: 'TRIES', right: true },
    'ACCEPTED',
    'REQUESTER',
    'SUBJECT',
  ];
  const [head = '', ...lines] = table(titles, rows).split('\n');
  const listed = lines.map((line, index) => `${line}${progressBelow(jobs[index])}`);
  const rest = total > jobs.length ? [`${total - jobs.length} more; see --limit and --state`] : [];
  return [head, ...listed, ...rest].join('\n');
}

/** How far a job is that is being worked, on a line of its own: it would push the columns apart. */
function progressBelow(job: JobSummary | undefined): string {
  if (job?.state !== 'processing' || job.progress === null || job.progress === '') return '';
  return `\n${' '.repeat(SHOWN_ID_DIGITS + 2)}${neutral(job.progress, SHOWN_PROGRESS_LENGTH)}`;
}

function stateText(job: JobSummary): string {
  const kind = job.outcome?.kind;
  return kind === undefined || kind === 'done' || kind === job.state ? job.state : kind;
}

function jobText(job: JobView): string {
  const about = facts([
    ['id', job.id],
    ['state', `${job.state} in lane ${job.lane}${job.position === null ? '' : `, position ${job.position}`}`],
    ['command', `${job.command} ${jsonText(job.params).replaceAll(/\s*\n\s*/g, ' ')}`],
    ['subject', job.subject],
    ['requester', job.requester],
    ['source', job.source],
    ['accepted', `${localTime(job.acceptedAt)} by ${job.acceptedBy} (door: ${job.door})`],
    [
      'attempts',
      `${job.attempts}${job.notBefore === null ? '' : `, next not before ${localTime(job.notBefore)}`}`,
    ],
    ['progress', job.progress],
    [
      'last error',
      job.lastError === null
        ? null
        : `${localTime(job.lastError.at)} ${job.lastError.code}: ${job.lastError.message}`,
    ],
    [
      'outcome',
      job.outcome === null
        ? null
        : `${localTime(job.outcome.at)} ${job.outcome.kind}: ${job.outcome.summary}`,
    ],
  ]);
  const parts = [about];
  if (job.steps.length > 0) {
    const rows = job.steps.map((step) => [
      step.name,
      localTime(step.intentAt),
      step.doneAt === null ? '-' : localTime(step.doneAt),
    ]);
    parts.push('', table(['STEP', 'BEGUN', 'DONE'], rows));
  }
  if (job.links.length > 0) parts.push('', linksText(job));
  if (job.linksRevokedAt !== null) {
    parts.push('', `Its links were revoked ${localTime(job.linksRevokedAt)}: none of them opens.`);
  }
  return parts.join('\n');
}

/** What was delivered, one link a line. A link is shown whole: it is there to be copied. */
export function linksText(job: JobView): string {
  const lines = job.links.map((link) => {
    const size = link.sizeBytes === null ? '' : ` (${humanBytes(link.sizeBytes)})`;
    return `${neutral(link.name)}${size}\n  ${neutral(link.url, 4000)}`;
  });
  if (job.linksExpireAt !== null) lines.push(`The links open until ${localTime(job.linksExpireAt)}.`);
  return lines.join('\n');
}
