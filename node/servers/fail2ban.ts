import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Bans, ReleaseNote, ServerReport } from './bans.ts';
import { clientOf, lookDirectly, releaseDirectly } from './fail2ban-direct.ts';
import { readJails, reportOf, uncheckedReport, type Visit } from './fail2ban-facts.ts';
import { readIgnoreFile, updateIgnoreFile } from './fail2ban-files.ts';
import { expireByHelper, visitByHelper } from './fail2ban-helper.ts';
import { expireEntries, isJailName, plainInstant } from './ignore-file.ts';
import type { Server } from './inventory.ts';
import { type Remote, type RemoteSession, withSession } from './remote.ts';

export interface Fail2banOptions {
  readonly remote: Remote;
  readonly clock: Clock;
}

/** fail2ban of the SIP servers, by the helper (deploy/remote) where it is installed, else by fail2ban-client and SFTP. */
export function createFail2ban({ remote, clock }: Fail2banOptions): Bans {
  const visit = async (
    server: Server,
    ip: string,
    note: ReleaseNote | null,
    signal: AbortSignal,
  ): Promise<ServerReport> => {
    try {
      const visited = await withSession(remote, server, signal, async (session): Promise<Visit> => {
        const byHelper = await visitByHelper(session, ip, note);
        if (byHelper !== null) return byHelper;
        return note === null
          ? lookDirectly(session, server, ip)
          : releaseDirectly(session, server, ip, note, clock.now());
      });
      return reportOf(server, ip, visited, note === null ? 'look' : 'release', clock.now());
    } catch (error) {
      return uncheckedReport(server, clock.now(), { code: codeOf(error), message: messageOf(error) });
    }
  };

  return {
    look: (server, ip, signal) => visit(server, ip, null, signal),
    release: (server, ip, note, signal) => visit(server, ip, note, signal),
    expire: (server, signal) =>
      withSession(remote, server, signal, async (session) => {
        const byHelper = await expireByHelper(session);
        return byHelper ?? expireDirectly(session, server, plainInstant(clock.now()));
      }),
  };
}

async function expireDirectly(session: RemoteSession, server: Server, now: string): Promise<string> {
  if ((await readIgnoreFile(session, server)).length === 0) return 'no ignore entries there';
  const client = clientOf(session, server);
  const jails = readJails((await client('status')).stdout);
  if (jails === null)
    throw new AppError('fail2ban.down', 'fail2ban does not say which jails it has', { retriable: true });
  let said = '';
  await updateIgnoreFile({ session, server, client, jails: jails.filter(isJailName) }, (entries) => {
    const { kept, expired } = expireEntries(entries, now);
    said = `${expired.length} ignore entries taken out, ${kept.length} left`;
    return kept;
  });
  return said;
}
