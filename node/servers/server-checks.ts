import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Bans } from './bans.ts';
import type { Server } from './inventory.ts';
import type { Remote, RemoteFiles, RemoteSession } from './remote.ts';

/** Nobody has this address (RFC 5737), and it is asked for as any other. */
const NOBODYS_ADDRESS = '192.0.2.1';
const MAX_MAC_FILE_BYTES = 33_554_432;
const MAX_SAID_LENGTH = 800;

/** What was looked at on a server. */
export type CheckName =
  | 'reached'
  | 'host key'
  | 'login'
  | 'helper'
  | 'fail2ban'
  | 'sftp'
  | 'ignore files'
  | 'mac file'
  | 'backups';

/** One thing that was looked at; null where something else kept it from being looked at. */
export interface ServerCheck {
  readonly name: CheckName;
  readonly ok: boolean | null;
  /** A sentence for operators. */
  readonly message: string;
}

/** Which of the three steps to a session an error of `Remote.open` stands for; all before it went well. */
const STEPS = ['reached', 'host key', 'login'] as const;
const STEP_OF: Readonly<Record<string, (typeof STEPS)[number]>> = {
  'server.host-key': 'host key',
  'server.login': 'login',
};

export interface ServerChecksOptions {
  readonly remote: Remote;
  readonly bans: Pick<Bans, 'look'>;
}

/** Whether all is there that the commands of a server need. Changes nothing. Throws only the signal's reason. */
export async function checkServer(
  { remote, bans }: ServerChecksOptions,
  server: Server,
  signal: AbortSignal,
): Promise<ServerCheck[]> {
  let session: RemoteSession;
  try {
    session = await remote.open(server, signal);
  } catch (error) {
    signal.throwIfAborted();
    return failedToOpen(error);
  }
  const checks: ServerCheck[] = [
    said('reached', true, `sshd answers at ${server.host}, port ${server.port}`),
    said('host key', true, 'is the one that is known'),
    said('login', true, 'the key is let in'),
  ];
  const [forIp, forMac] = [server.commands.includes('CHECKIP'), server.commands.includes('MACCHANGE')];
  const files: ServerCheck[] = [];
  try {
    const helper = forIp ? await checkHelper(session) : null;
    if (helper !== null) checks.push(helper.check);
    const needs = { forMac, jails: helper?.isThere === false };
    if (needs.forMac || needs.jails) files.push(...(await checkFiles(session, server, needs)));
  } finally {
    session.close();
  }
  // In a session of its own, once this one is over: sessions are few, and who holds one must not wait for another.
  if (forIp) checks.push(await checkFail2ban(bans, server, signal));
  signal.throwIfAborted();
  return [...checks, ...files];
}

function failedToOpen(error: unknown): ServerCheck[] {
  if (codeOf(error) === 'server.key') {
    const untried = 'not looked at: there is no key to log in with';
    return [
      said('reached', null, untried),
      said('host key', null, untried),
      said('login', false, messageOf(error)),
    ];
  }
  const failed = STEPS.indexOf(STEP_OF[codeOf(error)] ?? 'reached');
  return STEPS.map((name, index) => {
    if (index < failed) return said(name, true, 'as it should be');
    return index === failed ? said(name, false, messageOf(error)) : said(name, null, 'not looked at');
  });
}

/** Its absence is no fault: fail2ban-client is then called by itself, and the ignore files are kept by SFTP. */
async function checkHelper(session: RemoteSession): Promise<{ check: ServerCheck; isThere: boolean | null }> {
  try {
    const { code, stdout } = await session.run(['parelha-remote', 'version']);
    const version = /^parelha-remote (\d{1,9})$/m.exec(stdout)?.[1];
    if (code === 0 && version !== undefined)
      return { check: said('helper', true, `parelha-remote ${version} answers`), isThere: true };
    const without = 'is not installed there: fail2ban-client is called by itself';
    return { check: said('helper', true, without), isThere: false };
  } catch (error) {
    return { check: said('helper', false, messageOf(error)), isThere: null };
  }
}

async function checkFail2ban(
  bans: Pick<Bans, 'look'>,
  server: Server,
  signal: AbortSignal,
): Promise<ServerCheck> {
  const { state, problem } = await bans.look(server, NOBODYS_ADDRESS, signal);
  if (problem !== null) return said('fail2ban', false, `${problem.message} (${problem.code})`);
  if (state === 'unchecked') return said('fail2ban', false, 'could not be asked');
  return said('fail2ban', true, 'answers');
}

async function checkFiles(
  session: RemoteSession,
  server: Server,
  needs: { readonly forMac: boolean; readonly jails: boolean },
): Promise<ServerCheck[]> {
  const { jailDirectory } = server.fail2ban;
  const macFiles = needs.forMac ? server.macFiles : [];
  let files: RemoteFiles;
  try {
    files = await session.files();
  } catch (error) {
    const unread = macFiles.map(({ path }) => said('mac file', null, `${path}: not looked at`));
    return [said('sftp', false, messageOf(error)), ...unread];
  }
  const checks = [said('sftp', true, 'files can be reached')];
  if (needs.jails) checks.push(await told('ignore files', lookAtDirectory(files, jailDirectory)));
  if (!needs.forMac) return checks;
  for (const file of macFiles) {
    // A provisioning file has the name of its phone: only where it lies can be looked at.
    const work =
      file.kind === 'rename' ? lookAtDirectory(files, directoryOf(file.path)) : lookAtFile(files, file.path);
    checks.push(await told('mac file', work));
  }
  checks.push(await told('backups', lookAtBackups(files, server.macBackupDir)));
  return checks;
}

async function lookAtFile(files: RemoteFiles, path: string): Promise<string> {
  const content = await files.read(path, MAX_MAC_FILE_BYTES);
  return `${path}: ${content.length} bytes`;
}

async function lookAtDirectory(files: RemoteFiles, path: string): Promise<string> {
  const { kind } = await files.stat(path);
  if (kind !== 'directory' && kind !== 'link') throw new AppError('server.file', `${path} is no directory`);
  return `${path} is there`;
}

async function lookAtBackups(files: RemoteFiles, path: string): Promise<string> {
  try {
    return await lookAtDirectory(files, path);
  } catch (error) {
    if (codeOf(error) !== 'server.no-file') throw error;
    const above = directoryOf(path);
    await lookAtDirectory(files, above);
    return `${path} is not there yet; it is made in ${above} at the first change`;
  }
}

async function told(name: CheckName, work: Promise<string>): Promise<ServerCheck> {
  try {
    return said(name, true, await work);
  } catch (error) {
    return said(name, false, messageOf(error));
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function said(name: CheckName, ok: boolean | null, message: string): ServerCheck {
  return {
    name,
    ok,
    message: message.length > MAX_SAID_LENGTH ? `${message.slice(0, MAX_SAID_LENGTH)}…` : message,
  };
}
