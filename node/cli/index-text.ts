import type { IndexOverview, IndexView, VerdictView } from '../listeners/control-index.ts';
import { ago, facts, humanBytes, humanCount, humanDuration, localTime, neutral } from './text.ts';

const MS_PER_SECOND = 1000;
/** Earlier than that a rate says nothing. */
const MIN_RATE_MS = 1000;
const MAX_PERCENT = 99;
const NEVER = 'not yet';

/** An index on one line, for the status of its node. */
export function indexLine(index: IndexView, now: Temporal.Instant): string {
  const { source, state, message, progress } = index;
  switch (state) {
    case 'ready': {
      const swept = index.sweptAt === null ? '' : `; looked through ${ago(index.sweptAt, now)}`;
      const audited = index.auditedAt === null ? '' : `, verified ${ago(index.auditedAt, now)}`;
      const rebuilt = progress === null ? '' : `; being built anew: ${progressText(progress)}`;
      return `${source}: ready, ${filesText(index)}${swept}${audited}${rebuilt}`;
    }
    case 'building':
      return `${source}: building, ${progress === null ? message : progressText(progress)}`;
    default:
      return `${source}: ${state}, ${message}`;
  }
}

/** All that is known of the indexes, and how each source is searched. */
export function overviewText({ indexes, sources }: IndexOverview, now: Temporal.Instant): string {
  if (sources.length === 0) return 'this node searches no source (SOURCES=none)';
  return sources
    .map(({ source, sentence }) => {
      const index = indexes.find((one) => one.source === source);
      const about = index === undefined ? [] : factsOf(index, now);
      return facts([['source', `${source}, ${sentence}`], ...about]);
    })
    .join('\n\n');
}

type Fact = readonly [name: string, value: string | null];

function factsOf(index: IndexView, now: Temporal.Instant): Fact[] {
  const { progress, watched } = index;
  const when = (instant: string | null): string =>
    instant === null ? NEVER : `${localTime(instant)} (${ago(instant, now)})`;
  const watches = watched === 0 ? '' : `, ${humanCount(watched)} of them watched`;
  return [
    ['state', `${index.state}: ${index.message}`],
    ['progress', progress === null ? null : progressText(progress)],
    ['files', `${filesText(index)}${watches}`],
    ['database', humanBytes(index.databaseBytes)],
    ['built', when(index.builtAt)],
    ['swept', when(index.sweptAt)],
    ['audited', when(index.auditedAt)],
  ];
}

/** `412,000 files, 160 folders, 91,500 files/s, 40 %, 7 s left`; the last two where the number of the last time is known. */
export function progressText(progress: NonNullable<IndexView['progress']>): string {
  const { files, folders, expectedFiles, elapsedMs } = progress;
  const parts = [counted(files, 'file'), counted(folders, 'folder')];
  const perSecond = elapsedMs < MIN_RATE_MS ? 0 : files / (elapsedMs / MS_PER_SECOND);
  if (perSecond > 0) parts.push(`${humanCount(Math.round(perSecond))} files/s`);
  if (expectedFiles !== null && expectedFiles > 0) {
    parts.push(`${Math.min(MAX_PERCENT, Math.floor((100 * files) / expectedFiles))} %`);
    const left = expectedFiles - files;
    if (perSecond > 0 && left > 0) parts.push(`${humanDuration(Math.ceil(left / perSecond))} left`);
  }
  return parts.join(', ');
}

/** What a verification found. */
export function verdictText(verdict: VerdictView): string {
  const { source, files, folders, missing, stale, unreadable, elapsedMs } = verdict;
  const seconds = Math.max(1, Math.round(elapsedMs / MS_PER_SECOND));
  const looked = `${counted(files, 'file')} in ${counted(folders, 'folder')} compared in ${humanDuration(seconds)}`;
  const found =
    missing + stale === 0
      ? 'the index agrees with what lies there'
      : `differences found and put right: ${counted(missing, 'file')} the index did not have, ` +
        `${humanCount(stale)} it had that ${stale === 1 ? 'is' : 'are'} gone`;
  const lines = [neutral(`${source}: ${found} (${looked})`, 1000)];
  if (unreadable > 0) {
    const places = counted(unreadable, source === 'audio' ? 'folder' : 'page');
    lines.push(
      `warning: ${source}: ${places} could not be read, so recordings there may be missing; journalctl -u parelha tells more`,
    );
  }
  return lines.join('\n');
}

/** `1,024,912 files in 417 folders`. */
export function filesText({ files, folders }: Pick<IndexView, 'files' | 'folders'>): string {
  return `${counted(files, 'file')} in ${counted(folders, 'folder')}`;
}

function counted(count: number, what: string): string {
  return `${humanCount(count)} ${what}${count === 1 ? '' : 's'}`;
}
