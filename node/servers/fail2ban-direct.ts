import { mapBounded } from '../platform/concurrency.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { ReleaseNote } from './bans.ts';
import {
  type Facts,
  linesAbout,
  type Problem,
  readBanTimes,
  readHolding,
  readIgnored,
  readJails,
  type Visit,
} from './fail2ban-facts.ts';
import { readIgnoreFile, updateIgnoreFile } from './fail2ban-files.ts';
import { isJailName, mergeEntry, plainInstant, plainRequester } from './ignore-file.ts';
import type { Server } from './inventory.ts';
import type { Ran, RemoteSession } from './remote.ts';

/** Questions to fail2ban at a time; sshd allows 10 sessions a connection unless told otherwise (MaxSessions). */
const AT_ONCE = 4;
const LOG_BYTES = 200_000;
const MAX_SAID = 300;

/** Runs fail2ban-client with fixed words; nothing of it is text of a shell. */
export type Client = (...words: readonly string[]) => Promise<Ran>;

export function clientOf(session: RemoteSession, { fail2ban }: Server): Client {
  const lead = fail2ban.sudo ? ['sudo', '-n'] : [];
  return (...words) => session.run([...lead, 'fail2ban-client', ...words]);
}

/** Looks without the helper. @throws AppError `fail2ban.…` where fail2ban does not say how it is */
export async function lookDirectly(session: RemoteSession, server: Server, ip: string): Promise<Visit> {
  const client = clientOf(session, server);
  const before = await gather(session, client, server, ip);
  const zone = (await session.run(['date', '+%z'])).stdout.trim();
  return { before, after: null, lines: await logLines(session, server, ip), problems: [], zone };
}

/** Ignores first, or it would be banned again by the log lines of the next moment; then releases, keeps, and looks again. */
export async function releaseDirectly(
  session: RemoteSession,
  server: Server,
  ip: string,
  note: ReleaseNote,
  now: Temporal.Instant,
): Promise<Visit> {
  const client = clientOf(session, server);
  const found = await lookDirectly(session, server, ip);
  const problems: Problem[] = [];
  for (const jail of found.before.jails) {
    const { code } = await client('set', jail, 'addignoreip', ip);
    if (code !== 0)
      problems.push({ code: 'fail2ban.ignore', message: `the jail ${jail} did not take the address` });
  }
  const unbanned = await client('unban', ip);
  if (unbanned.code !== 0) problems.push({ code: 'fail2ban.unban', message: saidBy(unbanned) });
  const entry = {
    ...{ ip, since: plainInstant(now), until: plainInstant(note.until) },
    ...{ job: note.jobId, by: plainRequester(note.requester) },
  };
  const jails = found.before.jails.filter(isJailName);
  try {
    await updateIgnoreFile({ session, server, client, jails }, (entries) => mergeEntry(entries, entry));
  } catch (error) {
    // Without a connection nobody knows; with one, what was done before stands.
    const code = codeOf(error);
    if (code === 'server.unreachable' || code === 'server.timeout' || !(error instanceof AppError))
      throw error;
    problems.push({ code, message: error.message });
  }
  const after = await gather(session, client, server, ip);
  return { ...found, after, problems };
}

async function gather(session: RemoteSession, client: Client, server: Server, ip: string): Promise<Facts> {
  const ask = async (...words: readonly string[]): Promise<string> => {
    const ran = await client(...words);
    if (ran.code === 127) throw new AppError('fail2ban.missing', 'fail2ban-client is not installed there');
    if (ran.code !== 0) throw new AppError('fail2ban.down', `${words.join(' ')}: ${saidBy(ran)}`);
    return ran.stdout;
  };
  const jails = readJails(await ask('status'));
  const holding = readHolding(await ask('banned', ip));
  if (jails === null || holding === null) {
    throw new AppError('fail2ban.answer', 'fail2ban says something that is not understood');
  }
  const ignored = await mapBounded(jails, AT_ONCE, async (jail): Promise<[string, string[]]> => [
    jail,
    readIgnored(await ask('get', jail, 'ignoreip')),
  ]);
  const banned = await mapBounded(holding, AT_ONCE, async (jail) => {
    // Older ones do not tell the times, and then the address is banned all the same.
    const { code, stdout } = await client('get', jail, 'banip', '--with-time');
    return { jail, ...readBanTimes(code === 0 ? stdout : '', ip) };
  });
  const entries = await readIgnoreFile(session, server).catch(() => null); // only for its date
  const entry = entries?.find((one) => one.ip === ip) ?? null;
  return { jails, ignored: new Map(ignored), banned, entry };
}

async function logLines(session: RemoteSession, { fail2ban }: Server, ip: string): Promise<string[]> {
  const lead = fail2ban.sudo ? ['sudo', '-n'] : [];
  const texts = await mapBounded(fail2ban.logs, AT_ONCE, async (path) => {
    // One that cannot be read has no lines: they are an extra.
    const ran = await session.run([...lead, 'tail', '-c', String(LOG_BYTES), '--', path]).catch(() => null);
    return ran?.code === 0 ? ran.stdout : '';
  });
  return linesAbout(ip, texts.join('\n'));
}

export function saidBy({ code, stdout, stderr }: Ran): string {
  const said = `${stderr}\n${stdout}`.trim().replaceAll(/\s+/g, ' ');
  return `status ${code}: ${said.slice(-MAX_SAID)}`;
}
