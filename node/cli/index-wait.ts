import type { SourceName } from '../../protocol/job.ts';
import type { ControlResult } from '../listeners/control-contract.ts';
import type { IndexView } from '../listeners/control-index.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { ControlClient } from './client.ts';
import type { Io } from './context.ts';
import { filesText, progressText } from './index-text.ts';
import { createProgressLine, type ProgressLine } from './progress-line.ts';
import { humanDuration } from './text.ts';

const POLL_MS = 500;
/** A build that was seen, shows no progress for so long, and left no new index has come to nothing. */
const IDLE_MS = 3_000;
/** What the index is busy with is ended before a build begins. */
const MAX_BEGIN_MS = 600_000;
/** A daemon that restarts is waited for this long; a build that it has not ended begins anew. */
const MAX_RESTART_MS = 30_000;
const MAX_WAIT_MS = 86_400_000;
const MS_PER_SECOND = 1000;

/** Has indexes compared, and shows meanwhile what they do. Ctrl-C hangs up, which stops it. */
export async function verifyIndexes(
  client: ControlClient,
  source: SourceName | null,
  io: Io,
): Promise<ControlResult<'indexVerify'> | 'interrupted'> {
  const line = createProgressLine(io);
  const over = new AbortController();
  const watching = showWork(client, source, io, line, AbortSignal.any([io.interrupted, over.signal]));
  try {
    return await client.call('indexVerify', { source }, io.interrupted);
  } catch (error) {
    if (!io.interrupted.aborted) throw error;
    line.leave();
    io.err('Stopped. What was put right stays so; node-ctl index verify begins again.\n');
    return 'interrupted';
  } finally {
    over.abort();
    await watching;
    line.clear();
  }
}

/** Draws what the indexes do until `over`, where somebody watches. */
async function showWork(
  client: ControlClient,
  source: SourceName | null,
  io: Io,
  line: ProgressLine,
  over: AbortSignal,
): Promise<void> {
  if (!io.errIsTerminal) return;
  const begun = io.clock.monotonicMs();
  try {
    for (;;) {
      await io.clock.sleep(POLL_MS, over);
      const { indexes } = await client.call('indexStatus', {}, over);
      const asked = indexes
        .filter((index) => source === null || index.source === source)
        .map((index) => `${index.source}, ${filesText(index)}`);
      const elapsed = humanDuration((io.clock.monotonicMs() - begun) / MS_PER_SECOND);
      line.show(`verifying for ${elapsed}: ${asked.join('; ')}`);
    }
  } catch {
    // It is over; or nobody tells how far it is, and then the verification itself says why.
  }
}

/**
 * Waits until these indexes are built, or have come to nothing (see {@link isNewer}).
 * @throws AppError `control.not-running` where the daemon stays away, `cli.waited-too-long`
 */
export async function waitForBuilds(
  client: ControlClient,
  sources: readonly SourceName[],
  before: readonly IndexView[],
  io: Io,
): Promise<IndexView[] | 'interrupted'> {
  const begun = io.clock.monotonicMs();
  const line = createProgressLine(io);
  let lastAnswer = begun;
  /** Until when nothing of them may be seen. */
  let patienceUntil = begun + MAX_BEGIN_MS;
  try {
    while (io.clock.monotonicMs() - begun < MAX_WAIT_MS) {
      try {
        const { indexes } = await client.call('indexStatus', {});
        lastAnswer = io.clock.monotonicMs();
        const asked = indexes.filter(({ source }) => sources.includes(source));
        const open = asked.filter((index) => index.progress !== null || !isNewer(index, before));
        if (open.some(isBuilding)) patienceUntil = lastAnswer + IDLE_MS;
        else if (open.some((index) => hasFailed(index, before))) return asked;
        if (open.length === 0 || lastAnswer > patienceUntil) return asked;
        line.show(open.map((index) => `${index.source}: ${workOf(index)}`).join('; '));
      } catch (error) {
        const away = ['control.not-running', 'control.unreachable'].includes(codeOf(error));
        if (!away || io.clock.monotonicMs() - lastAnswer > MAX_RESTART_MS) throw error;
        line.show('the daemon does not answer; waiting for it');
      }
      await io.clock.sleep(POLL_MS, io.interrupted);
    }
  } catch (error) {
    if (!io.interrupted.aborted) throw error;
    line.leave();
    io.err('The build goes on; see it with: node-ctl index status\n');
    return 'interrupted';
  } finally {
    line.clear();
  }
  throw new AppError(
    'cli.waited-too-long',
    'the build has not ended within a day; see node-ctl index status',
  );
}

/** Whether it was built since it was as `before` says. */
export function isNewer(index: IndexView, before: readonly IndexView[]): boolean {
  const old = before.find(({ source }) => source === index.source);
  return index.builtAt !== null && index.builtAt !== (old?.builtAt ?? null);
}

/** A build that failed before it was seen has left its message. */
function hasFailed(index: IndexView, before: readonly IndexView[]): boolean {
  const old = before.find(({ source }) => source === index.source);
  return old !== undefined && index.message !== old.message;
}

function isBuilding({ state, progress }: IndexView): boolean {
  return progress !== null || state === 'starting' || state === 'building';
}

function workOf({ progress, message }: IndexView): string {
  return progress === null ? message : progressText(progress);
}
