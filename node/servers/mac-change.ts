import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, isRetriable, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import type { Server } from './inventory.ts';
import { advance, isOfJob, type MacJournal, readJournal, transactionName } from './mac-journal.ts';
import { backupDirectory, backupNames, backupOf } from './mac-backups.ts';
import { type BackupBounds, createBackupTidier } from './mac-backup-bounds.ts';
import { createMacLocks, type HeldLock } from './mac-lock.ts';
import { checkDeclared, notify } from './mac-server.ts';
import type { MacHooks, MacReport, MacRequest, Phones } from './mac-phones.ts';
import { type FileNow, planChange, refused } from './mac-plan.ts';
import { readNamed, readRecords, recordWriter, viewOf } from './mac-read.ts';
import { commit, prepare, type Prepared, settle, tidy, undo } from './mac-transaction.ts';
import { type Remote, type RemoteFiles, type RemoteSession, withSession } from './remote.ts';
import { untilCritical } from './until-critical.ts';

export interface PhonesOptions {
  readonly remote: Remote;
  /** Whose locks are this node's own. */
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How many backups are kept on each server, and how much. */
  readonly backups?: BackupBounds;
}

/** What a call works with. */
interface Work {
  readonly server: Server;
  readonly session: RemoteSession;
  readonly files: RemoteFiles;
  readonly jobId: string;
  readonly hooks: MacHooks;
}

/**
 * Phones in the definition files of SIP servers, over SFTP. A change is a transaction with its plan on the server's disk
 * (mac-journal.ts): all files or none, whatever breaks off, and settled by the next call of whichever node.
 */
export function createPhones({ remote, nodeId, clock, log, backups }: PhonesOptions): Phones {
  const oneAfterAnother = createKeyedMutex();
  const locks = createMacLocks(nodeId, clock);
  const tidyBackups = createBackupTidier(log, backups);

  /** Runs with the lock of a server, everything left half-way settled before. */
  async function locked<T>(work: Work, act: (lock: HeldLock) => Promise<T>): Promise<T> {
    const { files, server, hooks } = work;
    const lockDirectory = await backupDirectory(files, server);
    const lock = await locks.acquire(files, lockDirectory, server.id);
    try {
      for (const left of lock.left) await finishLeft(work, left);
    } catch (error) {
      throw unsettled(server, error);
    }
    if (lock.left.length > 0) await hooks.settled();
    let result: T;
    try {
      result = await act(lock);
    } catch (error) {
      // With a change begun, the lock tells the next call what to settle.
      throw lock.hasBegun() ? error : await lock.giveBack(error);
    }
    await lock.release();
    return result;
  }

  async function finishLeft(work: Work, transaction: string): Promise<void> {
    const { files, server } = work;
    const directory = posix.join(server.macBackupDir, transaction);
    const settled = await settle(files, directory, recordWriter(server), log);
    if (settled !== null && !settled.isNotified) await finish(work, settled.journal);
  }

  /** The last steps, when all files have it: our files beside them go, and whoever is to know is told. */
  async function finish({ files, session, server }: Work, journal: MacJournal): Promise<MacReport> {
    await tidy(files, journal);
    const warnings = await notify(session, server);
    await advance(files, journal, 'changed', 'finished');
    const { report } = journal.manifest;
    return { ...report, warnings: [...report.warnings, ...warnings] };
  }

  async function doneBefore({ files, server, jobId }: Work): Promise<MacReport | null> {
    const names = await backupNames(files, server);
    for (const name of names
      .filter((each) => isOfJob(each, jobId))
      .toSorted()
      .toReversed()) {
      const found = await readJournal(files, posix.join(server.macBackupDir, name));
      if (found?.state === 'finished' && found.journal.manifest.jobId === jobId)
        return found.journal.manifest.report;
    }
    return null;
  }

  async function change(
    work: Work,
    request: MacRequest,
    lock: HeldLock,
    critical: () => void,
    anew?: ReadonlyMap<string, FileNow>,
  ): Promise<MacReport> {
    const { files, server, jobId, hooks } = work;
    const plan = planChange(
      request,
      await readRecords(files, server),
      await readNamed(files, server, request, anew),
    );
    if ('state' in plan) return plan;
    const transaction = transactionName(clock.now(), request.extension, jobId, randomBytes(4));
    const directory = posix.join(server.macBackupDir, transaction);
    await lock.begin(transaction);
    let prepared: Prepared;
    try {
      prepared = await prepare(files, directory, jobId, request, plan);
    } catch (error) {
      await settle(files, directory, recordWriter(server), log);
      if (codeOf(error) !== 'mac.owner-lost') throw await lock.giveBack(failed(server, error));
      return refused({ code: 'owner-lost', message: messageOf(error) }, plan.report.files.map(asBefore));
    }
    try {
      await commit(files, prepared, async () => {
        critical();
        await hooks.touching();
      });
    } catch (error) {
      await undo(files, prepared.journal, recordWriter(server), log);
      await hooks.settled();
      throw await lock.giveBack(failed(server, error));
    }
    return finish(work, prepared.journal);
  }

  /** Has a session for one change; where it is lost half-way, one more puts that right at once. */
  async function inSession(
    server: Server,
    jobId: string,
    signal: AbortSignal,
    hooks: MacHooks,
    act: (work: Work, lock: HeldLock, critical: () => void) => Promise<MacReport>,
  ): Promise<MacReport> {
    checkDeclared(server);
    const guard = untilCritical(signal);
    try {
      return await withSession(remote, server, guard.signal, async (session) => {
        const work = { server, session, files: await session.files(), jobId, hooks };
        return locked(work, async (lock) => {
          const report = (await doneBefore(work)) ?? (await act(work, lock, guard.enter));
          await tidyBackups(work.files, server);
          return report;
        });
      });
    } catch (error) {
      const isSettled = ['mac.failed', 'mac.changed-meanwhile', 'mac.unsettled', 'mac.locked'].includes(
        codeOf(error),
      );
      if (!guard.isCritical() || isSettled) throw error;
      log.warn('a change of MAC broke off half-way; settling it', { server: server.id, code: codeOf(error) });
      return await settleAgain(server, jobId, guard.signal, hooks, error);
    } finally {
      guard.leave();
    }
  }

  async function settleAgain(
    server: Server,
    jobId: string,
    signal: AbortSignal,
    hooks: MacHooks,
    cause: unknown,
  ): Promise<MacReport> {
    try {
      const done = await withSession(remote, server, signal, async (session) => {
        const work = { server, session, files: await session.files(), jobId, hooks };
        return locked(work, () => doneBefore(work));
      });
      if (done !== null) return done;
    } catch (error) {
      throw unsettled(server, error);
    }
    throw failed(server, cause);
  }

  return {
    show: (server, extension, signal) =>
      withSession(remote, server, signal, async (session) =>
        viewOf(await session.files(), server, extension),
      ),
    change: (server, request, jobId, signal, hooks = NO_HOOKS) =>
      oneAfterAnother(server.id, () =>
        inSession(server, jobId, signal, hooks, (work, lock, critical) =>
          change(work, request, lock, critical),
        ),
      ),
    restore: (server, backup, signal) =>
      oneAfterAnother(server.id, async () => {
        // A name of its own: to restore a backup again is another act.
        const act = `restore ${backup} ${randomBytes(8).toString('hex')}`;
        const report = await inSession(server, act, signal, NO_HOOKS, async (work, lock, critical) => {
          const { request, anew } = await backupOf(work.files, server, backup);
          const back = { extension: request.extension, from: request.to, to: request.from };
          return change(work, back, lock, critical, anew);
        });
        if (report.refusal?.code !== 'mac-differs') return report;
        throw new AppError(
          'mac.changed-since',
          'the extension has another MAC than the one this change gave it',
        );
      }),
  };
}

const NO_HOOKS: MacHooks = { touching: async () => undefined, settled: async () => undefined };

function asBefore(file: MacReport['files'][number]): MacReport['files'][number] {
  return { ...file, after: file.before };
}

function failed({ id }: Server, error: unknown): AppError {
  const code = codeOf(error) === 'mac.changed-meanwhile' ? 'mac.changed-meanwhile' : 'mac.failed';
  const told = `${id}: nothing was changed: ${messageOf(error)}`;
  return new AppError(code, told, { retriable: isRetriable(error), cause: error });
}

function unsettled({ id }: Server, error: unknown): AppError {
  const told = `${id}: a change may be half-way and could not be settled: ${messageOf(error)}`;
  return new AppError('mac.unsettled', told, { retriable: true, cause: error });
}
