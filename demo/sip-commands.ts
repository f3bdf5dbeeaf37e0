/** What fail2ban of a stand-in SIP server holds. */
export interface Bans {
  /** By jail, the addresses that are banned in it, and since when. */
  readonly jails: ReadonlyMap<string, Map<string, Temporal.Instant>>;
  /** Addresses that are ignored in every jail, as the helper writes them down. */
  readonly entries: Map<string, string>;
  /** Lines of its log. */
  readonly log: string[];
}

export interface Answer {
  readonly code: number;
  readonly stdout: string;
}

const BAN = { hours: 10 } as const;
const NO_COMMAND = 127;

/** A fail2ban that bans nobody yet. */
export function noBans(): Bans {
  return {
    jails: new Map(['sshd', 'asterisk'].map((jail) => [jail, new Map()])),
    entries: new Map(),
    log: [],
  };
}

/** Bans an address in a jail, as too many failures would. */
export function ban(bans: Bans, jail: string, ip: string, at: Temporal.Instant): void {
  bans.jails.get(jail)?.set(ip, at);
  const stamp = stampOf(at);
  for (const tries of [1, 2, 3]) bans.log.push(`${stamp},${tries}04 fail2ban.filter [${jail}] Found ${ip}`);
  bans.log.push(`${stamp},512 fail2ban.actions [${jail}] Ban ${ip}`);
}

/**
 * Answers a command line as the helper of a SIP server does (deploy/remote/parelha-remote), from `bans`, and as a shell
 * does where it is another program. Nothing is run.
 */
export function answer(bans: Bans, line: string): Answer {
  const [program, act, ip = '', ...words] = line.split(' ');
  if (program !== 'parelha-remote') return { code: NO_COMMAND, stdout: '' };
  if (act === 'version') return said('parelha-remote 1');
  if (act === 'notify') return said('told');
  if (act === 'expire') return said('kept none', 'end');
  if (act === 'check') return said('zone +0000', ...facts(bans, ip), ...logLines(bans, ip), 'end');
  if (act === 'release') return said('zone +0000', ...release(bans, ip, words), 'end');
  return { code: 2, stdout: 'problem words not one of its acts\nend\n' };
}

function release(bans: Bans, ip: string, [until = '', job = '', by = '']: readonly string[]): string[] {
  const before = [...facts(bans, ip), ...logLines(bans, ip)];
  for (const held of bans.jails.values()) held.delete(ip);
  const since = Temporal.Now.instant().toString({ smallestUnit: 'second' });
  bans.entries.set(ip, `#parelha ip=${ip} since=${since} until=${until} job=${job} by=${by}`);
  return [...before, 'acted', 'kept changed', 'after', ...facts(bans, ip)];
}

function facts({ jails, entries }: Bans, ip: string): string[] {
  const entry = entries.get(ip);
  return [...jails].flatMap(([jail, held]) => {
    const since = held.get(ip);
    return [
      `jail ${jail}`,
      `ignore ${jail} 127.0.0.0/8`,
      ...(entry === undefined ? [] : [`ignore ${jail} ${ip}`, `entry ${entry}`]),
      ...(since === undefined
        ? []
        : [`banned ${jail}`, `since ${jail} ${stampOf(since)}`, `until ${jail} ${stampOf(since.add(BAN))}`]),
    ];
  });
}

function logLines({ log }: Bans, ip: string): string[] {
  return log.filter((line) => line.endsWith(` ${ip}`)).map((line) => `line ${line}`);
}

function said(...lines: readonly string[]): Answer {
  return { code: 0, stdout: lines.map((line) => `${line}\n`).join('') };
}

/** Wall clock of the server, which is UTC. */
function stampOf(at: Temporal.Instant): string {
  return at.toString({ smallestUnit: 'second' }).replace('T', ' ').replace('Z', '');
}
