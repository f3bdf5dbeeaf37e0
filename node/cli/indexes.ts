import { type Command, Option } from 'commander';
import type { SourceName } from '../../protocol/job.ts';
import type { IndexProblem, IndexView } from '../listeners/control-index.ts';
import { type Context, type Io, runCommand } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { filesText, overviewText, verdictText } from './index-text.ts';
import { isNewer, verifyIndexes, waitForBuilds } from './index-wait.ts';
import { neutral } from './text.ts';

const SOURCES: readonly SourceName[] = ['audio', 's3'];

const ABOUT = `
An index makes finding instant. It is never the truth: it can be built anew at any time, and a source without one is
searched by walking its folders (audio) or by listing its keys (s3). Each index is of one source of this node.`;

interface Flags {
  readonly source?: SourceName;
  readonly wait?: boolean;
}

/** `index status|rebuild|verify`. */
export function addIndex(program: Command, io: Io): void {
  const index = program
    .command('index')
    .description(
      'the indexes of the recordings: how they are, build them anew, compare them with what lies there',
    )
    .addHelpText(
      'after',
      `${ABOUT}\n\nExamples:\n  $ node-ctl index status\n  $ node-ctl index rebuild --source audio --wait\n  $ node-ctl index verify`,
    );
  addStatus(index, io);
  addRebuild(index, io);
  addVerify(index, io);
}

function addStatus(index: Command, io: Io): void {
  index
    .command('status')
    .description('how each source is searched; the state, size and age of its index, and how far a build is')
    .addHelpText(
      'after',
      '\nswept: when everything that can have changed was last looked at; audited: when all was last compared.\n' +
        '\nExamples:\n  $ node-ctl index status\n  $ node-ctl index status --json | jq .indexes[0].state',
    )
    .action(async (_options: object, command: Command) => {
      await runCommand(io, command, async ({ client, print }) => {
        const overview = await client.call('indexStatus', {});
        print(overview, () => overviewText(overview, io.clock.now()));
        return EXIT.done;
      });
    });
}

function sourceOption(): Option {
  return new Option(
    '--source <source>',
    'the index of this source (default: every index of the node)',
  ).choices(SOURCES);
}

function addRebuild(index: Command, io: Io): void {
  index
    .command('rebuild')
    .description('build an index anew beside the present one, which serves until then')
    .addOption(sourceOption())
    .option('--wait', 'wait for the end, and show how far it is; Ctrl-C ends the waiting, not the build')
    .addHelpText(
      'after',
      '\nExit codes: 0 begun (with --wait: done); 2 refused, and the message says why; 3 it failed, or the daemon does\n' +
        'not answer; 4 one of several indexes was left out.\n' +
        '\nExamples:\n  $ node-ctl index rebuild\n  $ node-ctl index rebuild --source audio --wait',
    )
    .action(async (flags: Flags, command: Command) => {
      await runCommand(io, command, (context) => rebuild(context, flags));
    });
}

function addVerify(index: Command, io: Io): void {
  index
    .command('verify')
    .description(
      'compare an index with all that lies there, and put right what differs (it is done weekly by itself)',
    )
    .addOption(sourceOption())
    .addHelpText(
      'after',
      '\nEvery name of the source is read: seconds as a rule, minutes with a million files on a disk that has not been\n' +
        'asked for them lately. Requests are answered meanwhile. Ctrl-C stops it; what was put right stays so.\n' +
        '\nExit codes: 0 compared, whatever was found and put right; 2 refused, and the message says why; 3 it failed;\n' +
        '4 incomplete: folders could not be read, or one of several indexes was left out.\n' +
        '\nExamples:\n  $ node-ctl index verify\n  $ node-ctl index verify --source s3 --json',
    )
    .action(async (flags: Flags, command: Command) => {
      await runCommand(io, command, (context) => verify(context, flags));
    });
}

async function verify({ client, io, print }: Context, { source }: Flags): Promise<number> {
  const found = await verifyIndexes(client, source ?? null, io);
  if (found === 'interrupted') return EXIT.interrupted;
  const { verdicts, problems } = found;
  print(found, () => [...verdicts.map(verdictText), ...problems.map(problemText)].join('\n'));
  const isIncomplete = problems.length > 0 || verdicts.some(({ unreadable }) => unreadable > 0);
  return isIncomplete ? EXIT.incomplete : EXIT.done;
}

async function rebuild({ client, io, print }: Context, { source, wait }: Flags): Promise<number> {
  const before = wait === true ? await client.call('indexStatus', {}) : null;
  const { begun, problems } = await client.call('indexRebuild', { source: source ?? null });
  const tell = (value: object, lines: readonly string[]): void =>
    print({ ...value, problems }, () =>
      [...lines.map((line) => neutral(line, 1000)), ...problems.map(problemText)].join('\n'),
    );
  if (before === null) {
    tell(
      { begun },
      begun.map(({ message }) => message),
    );
    return problems.length > 0 ? EXIT.incomplete : EXIT.done;
  }
  const sources = begun.map((one) => one.source);
  const indexes = await waitForBuilds(client, sources, before.indexes, io);
  if (indexes === 'interrupted') return EXIT.interrupted;
  const isBuilt = (index: IndexView): boolean => isNewer(index, before.indexes);
  tell(
    { indexes },
    indexes.map(
      (index) => `${index.source}: ${isBuilt(index) ? `built, ${filesText(index)}` : index.message}`,
    ),
  );
  if (!indexes.every(isBuilt)) return EXIT.failed;
  return problems.length > 0 ? EXIT.incomplete : EXIT.done;
}

function problemText({ source, code, message }: IndexProblem): string {
  return neutral(`warning: ${source}: ${message} (${code})`, 1000);
}
