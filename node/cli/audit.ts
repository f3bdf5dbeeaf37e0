import { type Command, InvalidArgumentError } from 'commander';
import type { AuditVerdictView } from '../listeners/control-audit.ts';
import { idPrefixOf, numberUpTo } from './arguments.ts';
import { type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { humanCount, localTime, neutral, table } from './text.ts';
import { sinceTime } from './since.ts';

const SHOWN_ID_DIGITS = 12;
const SHOWN_DETAILS_LENGTH = 160;
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 2_000;
/** Entries of a page of an export. */
const PAGE_LIMIT = 1_000;

const TIMES =
  '\nA time is a day (2026-03-02), a time of a day (2026-03-02T14:30), an instant (2026-03-02T17:30:00Z), or how long ago\n' +
  '(30min, 12h, 7d). Days and times without a zone are of this machine.\n';
const ABOUT = `
Who asked for what, how the sender was proved, what was decided and by which rule, what was delivered, released and
changed: one JSON line an entry, a file a month below STATE_DIR/audit. Each line holds the SHA-256 of the one before, so
that a line that was changed, removed, added or moved is found. Each node has a log of its own: look on both.`;

interface Wanted {
  readonly since?: string;
  readonly until?: string;
  readonly job?: string;
  readonly person?: string;
}

/** `audit show|verify|export`. */
export function addAudit(program: Command, io: Io): void {
  const audit = program
    .command('audit')
    .description('who asked for what, and what was done')
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl audit show --job 3f9a1c02\n  $ node-ctl audit show --person pessoa@example.com --since 7d\n` +
        '  $ node-ctl audit verify\n  $ node-ctl audit export --since 2026-01-01 > audit.jsonl',
    );
  addShow(audit, io);
  addVerify(audit, io);
  addExport(audit, io);
}

function withFilter(command: Command, io: Io): Command {
  const time = sinceTime(io.clock);
  return command
    .option('--since <time>', 'entries at this time or later', time)
    .option('--until <time>', 'entries before this time', time)
    .option('--job <id>', 'entries about one job: its id or the beginning of it', idPrefixOf('queue list'))
    .option('--person <address>', 'entries that name somebody, and all about the jobs they asked for');
}

function addShow(audit: Command, io: Io): void {
  withFilter(audit.command('show').description('the newest entries, the newest last'), io)
    .option('--limit <n>', `at most so many (1 to ${MAX_LIMIT})`, numberUpTo(MAX_LIMIT), DEFAULT_LIMIT)
    .addHelpText(
      'after',
      `${TIMES}\nExamples:\n  $ node-ctl audit show\n  $ node-ctl audit show --since 12h --json`,
    )
    .action(async (options: Wanted & { limit: number }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const { limit } = options;
        const { lines } = await client.call('auditNewest', { ...filterOf(options), limit }, io.interrupted);
        const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
        print({ entries }, () => showText(entries));
        return EXIT.done;
      });
    });
}

function addVerify(audit: Command, io: Io): void {
  audit
    .command('verify')
    .description('follow the chain of all entries, and say where it is broken')
    .option('--from <month>', 'begin with the file of this month: those before it were put away', monthOf)
    .addHelpText(
      'after',
      '\nIt prints the SHA-256 of the last entry. Whoever can write all of STATE_DIR can make a whole new log: written down\n' +
        'elsewhere from time to time, that number shows it.\n' +
        '\nExit codes: 0 whole, 2 broken, 3 the daemon failed\n' +
        '\nExamples:\n  $ node-ctl audit verify\n  $ node-ctl audit verify --from 2026-03',
    )
    .action(async (options: { from?: string }, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const fromMonth = options.from ?? null;
        const verdict = await client.call('auditVerify', { fromMonth }, io.interrupted);
        print(verdict, () => verdictText(verdict));
        return verdict.found === 0 ? EXIT.done : EXIT.refused;
      });
    });
}

function addExport(audit: Command, io: Io): void {
  withFilter(audit.command('export').description('all entries as they were written, one JSON line each'), io)
    .addHelpText(
      'after',
      `${TIMES}\nExamples:\n  $ node-ctl audit export --since 2026-03-01 --until 2026-04-01 > march.jsonl`,
    )
    .action(async (options: Wanted, command: Command) => {
      await runCommand(io, command, async ({ client }) => {
        let after: string | null = null;
        do {
          const wanted = { ...filterOf(options), limit: PAGE_LIMIT, after };
          const page: { lines: string[]; next: string | null } = await client.call(
            'auditPage',
            wanted,
            io.interrupted,
          );
          if (page.lines.length > 0) io.out(`${page.lines.join('\n')}\n`);
          after = page.next;
        } while (after !== null);
        return EXIT.done;
      });
    });
}

function filterOf({ since, until, job, person }: Wanted) {
  return { since: since ?? null, until: until ?? null, job: job ?? null, person: person ?? null };
}

function showText(entries: readonly Record<string, unknown>[]): string {
  if (entries.length === 0) return 'no such entries on this node';
  const rows = entries.map(({ at, event, job, node: _node, prev: _prev, ...details }) => [
    localTime(String(at)),
    neutral(String(event)),
    typeof job === 'string' ? neutral(job.slice(0, SHOWN_ID_DIGITS)) : '',
    neutral(detailsText(details), SHOWN_DETAILS_LENGTH),
  ]);
  return table(['AT', 'EVENT', 'JOB', 'DETAILS'], rows);
}

function detailsText(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}

function verdictText({ files, entries, unchained, last, problems, found }: AuditVerdictView): string {
  const much = `${counted(entries, 'entry', 'entries')} in ${counted(files, 'file', 'files')}`;
  const old =
    unchained === 0
      ? ''
      : `\n${humanCount(unchained)} of them are of before the chain; nothing vouches for these`;
  if (found === 0) return `whole: ${much}${old}\nlast entry: ${last ?? 'none'}`;
  const told = problems.map(({ file, line, what }) => `${file}${line === null ? '' : `:${line}`} ${what}`);
  const more = found > problems.length ? [`and ${found - problems.length} more`] : [];
  return [
    `BROKEN in ${counted(found, 'place', 'places')}, ${much}${old}`,
    ...told.map((one) => neutral(one, 400)),
    ...more,
  ].join('\n');
}

function counted(count: number, one: string, more: string): string {
  return `${humanCount(count)} ${count === 1 ? one : more}`;
}

function monthOf(text: string): string {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(text))
    throw new InvalidArgumentError('It must be a month, as 2026-03.');
  return text;
}
