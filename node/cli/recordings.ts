import { type Command, Option } from 'commander';
import type { SourceName } from '../../protocol/job.ts';
import type { JobView, RecordingsQuery, SearchResult } from '../listeners/control-contract.ts';
import { numberUpTo } from './arguments.ts';
import { type Context, type Io, runCommand } from './context.ts';
import { EXIT, EXIT_HELP } from './exit-codes.ts';
import { linksText } from './queue.ts';
import { humanBytes, neutral, table } from './text.ts';
import { waitForJob } from './wait.ts';

const MAX_LISTED = 10_000;
const SOURCES: readonly SourceName[] = ['audio', 's3'];
const RANGE = '--ramais 1121,1122 --inicio "27/10/2025 08:00" --fim "28/10/2025 18:00"';

const NO_LINKS =
  'No links can be made now: node-ctl status may say why. Once it is mended, node-ctl queue show gives them.';

interface QueryOptions {
  readonly ramais: string;
  readonly inicio: string;
  readonly fim: string;
  readonly server?: string;
  readonly audiosFrom?: SourceName;
}

/** `recordings search|export`: the heir of `selecionar_audios --modo automatico`, with its exit codes. */
export function addRecordings(program: Command, io: Io): void {
  const recordings = program
    .command('recordings')
    .description('search recordings, or have them packed and delivered')
    .addHelpText(
      'after',
      `\nExamples:\n  $ node-ctl recordings search ${RANGE}\n  $ node-ctl recordings export ${RANGE} --email pessoa@example.com\n${EXIT_HELP}`,
    );
  addSearch(recordings, io);
  addExport(recordings, io);
}

function withQuery(command: Command): Command {
  return command
    .requiredOption('--ramais <list>', 'extensions, separated by commas')
    .requiredOption('--inicio <when>', 'first day or minute: DD/MM/YYYY [HH:MM[:SS]], as in a mail')
    .requiredOption('--fim <when>', 'last day or minute, included')
    .option('--server <id>', 'a server of SERVERS_FILE')
    .addOption(new Option('--audios-from <source>', 'where to search').choices(SOURCES));
}

function addSearch(recordings: Command, io: Io): void {
  withQuery(recordings.command('search'))
    .description('list the recordings; nothing is copied or sent')
    .option('--limit <n>', `show at most n recordings (up to ${MAX_LISTED})`, numberUpTo(MAX_LISTED), 500)
    .addHelpText(
      'after',
      `\nExamples:\n  $ node-ctl recordings search ${RANGE}\n  $ node-ctl recordings search ${RANGE} --server gv2p --json\n${EXIT_HELP}`,
    )
    .action(async (options: QueryOptions & { limit: number }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const found = await client.call('search', { ...queryOf(options), limit: options.limit });
        print(found, () => searchText(found));
        return found.total === 0 ? EXIT.nothingFound : EXIT.done;
      });
    });
}

function addExport(recordings: Command, io: Io): void {
  withQuery(recordings.command('export'))
    .description('pack the recordings, deliver them, and wait for the end; prints the links, or mails them')
    .option('--email <address>', 'who gets the answer by mail')
    .option('--no-wait', 'print the id of the job and end at once')
    .addHelpText(
      'after',
      `\nExamples:\n  $ node-ctl recordings export ${RANGE}\n  $ node-ctl recordings export ${RANGE} --email pessoa@example.com\n${EXIT_HELP}`,
    )
    .action(async (options: QueryOptions & { email?: string; wait: boolean }, command: Command) => {
      await runCommand(io, command, (context) => exportRecordings(context, options));
    });
}

async function exportRecordings(
  context: Context,
  options: QueryOptions & { email?: string; wait: boolean },
): Promise<number> {
  const { client, io, print } = context;
  const email = options.email ?? null;
  const { jobId, message } = await client.call('export', { ...queryOf(options), email });
  if (!options.wait) {
    print({ jobId, message }, () => `${neutral(message, 1000)}\n${jobId}`);
    return EXIT.done;
  }
  const ended = await waitForJob(client, jobId, io);
  if (ended === 'interrupted') return EXIT.interrupted;
  print(ended, () => exportText(ended, email));
  switch (ended.outcome?.kind) {
    case 'done':
      return EXIT.done;
    case 'nothing-found':
      return EXIT.nothingFound;
    default:
      return EXIT.failed;
  }
}

function exportText(job: JobView, email: string | null): string {
  const lines = [neutral(job.outcome?.summary ?? job.state, 1000)];
  if (job.outcome?.kind === 'done')
    lines.push(email === null ? linksText(job) || NO_LINKS : `Sent to ${neutral(email)}.`);
  return lines.join('\n');
}

function searchText(found: SearchResult): string {
  const rows = found.recordings.map((recording) => [
    recording.startedAt.replace('T', ' '),
    recording.origin,
    recording.destination,
    humanBytes(recording.sizeBytes),
    recording.archived === true ? `${recording.key} (in cold storage)` : recording.key,
  ]);
  const titles = ['STARTED', 'ORIGIN', 'DESTINATION', { title: 'SIZE', right: true }, 'FILE'];
  const where = `${found.source}, ${found.start.replace('T', ' ')} to ${found.end.replace('T', ' ')} ${found.timeZone}`;
  const lines = rows.length === 0 ? [] : [table(titles, rows), ''];
  const count = found.total === 1 ? '1 recording' : `${found.total === 0 ? 'no' : found.total} recordings`;
  lines.push(`${count}, ${humanBytes(found.totalBytes)} (${neutral(where)})`);
  if (found.total > rows.length) lines.push(`${found.total - rows.length} are not shown; see --limit`);
  if (found.narrowedByServer === false)
    lines.push('The layout does not tell servers apart: all were searched.');
  for (const place of found.unreadable)
    lines.push(`warning: could not be read, so this is incomplete: ${neutral(place)}`);
  return lines.join('\n');
}

function queryOf(options: QueryOptions): RecordingsQuery {
  return {
    ramais: options.ramais,
    inicio: options.inicio,
    fim: options.fim,
    server: options.server ?? null,
    audiosFrom: options.audiosFrom ?? null,
  };
}
