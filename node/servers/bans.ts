import type { Server } from './inventory.ts';

/** What was found and done about an address on one server; JSON, since a step keeps it. */
export type ServerReport = {
  readonly serverId: string;
  readonly serverName: string;
  /**
   * `released`: was banned, is not any more. `banned`: looked at only. `free`: was not banned. `unchecked`: nobody
   * knows, see `problem`. `partly`: something was done and something not, see `problem`.
   */
  readonly state: 'released' | 'banned' | 'free' | 'unchecked' | 'partly';
  /** Jails that held it. */
  readonly jails: readonly {
    readonly jail: string;
    readonly since: string | null;
    readonly until: string | null;
  }[];
  /** Whether it is ignored: `now` since this request, `before` already, `no` (looked at only), `unknown`. */
  readonly ignored: 'now' | 'before' | 'no' | 'unknown';
  /** Instant until which our own entry lies in its ignore file; null where none of ours does. */
  readonly ignoredUntil: string | null;
  /** The last lines of its logs that name the address. */
  readonly lines: readonly string[];
  /** Why it could not be checked, or what of it went wrong: a stable code and a sentence for operators. */
  readonly problem: { readonly code: string; readonly message: string } | null;
  /** Instant of the look. */
  readonly at: string;
};

/** Who asked for a release, for the comment beside the ignore entry. */
export interface ReleaseNote {
  readonly requester: string;
  readonly jobId: string;
  readonly until: Temporal.Instant;
}

/** fail2ban of the SIP servers. Never throws for a server: what goes wrong there stands in its report. */
export interface Bans {
  /** Where and since when an address is banned. */
  look(server: Server, ip: string, signal: AbortSignal): Promise<ServerReport>;
  /** Ignores it, releases it in every jail, looks again, and keeps the ignore entry over reloads. */
  release(server: Server, ip: string, note: ReleaseNote, signal: AbortSignal): Promise<ServerReport>;
  /** Takes entries of ours whose time is over out of a server's ignore file; says what it did. @throws AppError as `Remote.open` */
  expire(server: Server, signal: AbortSignal): Promise<string>;
}
