import type { ReleaseNote } from './bans.ts';
import { readVisit, type Visit } from './fail2ban-facts.ts';
import { plainInstant, plainRequester } from './ignore-file.ts';
import type { Ran, RemoteSession } from './remote.ts';
import { AppError } from '../platform/errors.ts';

const HELPER = 'parelha-remote';
/** A shell says so of a program that is not there, or may not be run (POSIX, Shell Command Language, 2.8.2). */
const NO_PROGRAM: readonly (number | null)[] = [126, 127];
/** The helper waits for its lock for 20 s, and for each of fail2ban's answers as long. */
const HELPER_TIMEOUT_MS = 120_000;
const MAX_SAID = 300;

/** What the helper says of an address, or did for it; null where it is not installed. @throws AppError `fail2ban.…` */
export async function visitByHelper(
  session: RemoteSession,
  ip: string,
  note: ReleaseNote | null,
): Promise<Visit | null> {
  const words =
    note === null
      ? ['check', ip]
      : ['release', ip, plainInstant(note.until), note.jobId, plainRequester(note.requester)];
  const ran = await askHelper(session, words);
  if (ran === null) return null;
  const visit = readVisit(ip, ran.stdout);
  if (visit === null)
    throw new AppError('fail2ban.incomplete', `the helper broke off: ${saidBy(ran)}`, { retriable: true });
  return visit;
}

/** Has it take out what has had its time; null where it is not installed. @throws AppError `fail2ban.…` */
export async function expireByHelper(session: RemoteSession): Promise<string | null> {
  const ran = await askHelper(session, ['expire']);
  if (ran === null) return null;
  const lines = ran.stdout.split('\n');
  const problem = lines.find((line) => line.startsWith('problem '));
  if (problem !== undefined || !lines.includes('end')) {
    throw new AppError('fail2ban.expire', problem ?? `the helper broke off: ${saidBy(ran)}`, {
      retriable: true,
    });
  }
  const count = (word: string): number => lines.filter((line) => line.startsWith(`${word} `)).length;
  return `${count('expired')} ignore entries taken out, ${count('entry')} left`;
}

async function askHelper(session: RemoteSession, words: readonly string[]): Promise<Ran | null> {
  const ran = await session.run([HELPER, ...words], { timeoutMs: HELPER_TIMEOUT_MS });
  return NO_PROGRAM.includes(ran.code) ? null : ran;
}

function saidBy({ code, stdout, stderr }: Ran): string {
  const said = stderr.trim() === '' ? stdout : stderr;
  return `status ${code}, ${said.trim().replaceAll(/\s+/g, ' ').slice(-MAX_SAID)}`;
}
