import type { Role } from '../access/people.ts';
import type { ServerReport } from '../servers/bans.ts';
import type { MacReport, MacRequest } from '../servers/mac-phones.ts';

/** What the answer to every command that is no RAMAIS says. */
export interface AskedView {
  /** As received, without its token. */
  readonly subject: string;
  readonly requester: string | null;
  /** The whole id; people see its beginning. */
  readonly jobId: string;
  /** RECORDINGS_TZ: in which instants are shown. */
  readonly timeZone: string;
}

/** CHECKIP: a row per server. */
export interface CheckIpView extends AskedView {
  readonly ip: string;
  /** MODO=VER: nothing was to be changed. */
  readonly lookOnly: boolean;
  /** At least one. */
  readonly servers: readonly ServerReport[];
  /** Until when those that could not be checked are tried again; null where nobody does. */
  readonly retryUntil: Temporal.Instant | null;
  /** The second mail: what became of those that could not be checked before. */
  readonly followUp: boolean;
}

/** MACCHANGE, done, done before, or refused by what the files say. */
export interface MacChangeView extends AskedView {
  readonly request: MacRequest;
  readonly serverId: string;
  readonly serverName: string;
  readonly report: MacReport;
  /** The makers of the phones by their OUI; null where nobody is known for it, undefined where there is no MAC. */
  readonly makers: { readonly from?: string | null; readonly to?: string | null };
  /** Where a corrected subject is sent, and whether a token goes before it; null where that is not known. */
  readonly sending: { readonly mailbox: string; readonly tokenRequired: boolean } | null;
}

/** A request in FILA, and the one that CANCELAR and REENVIAR speak of. */
export interface AskedJobView {
  readonly jobId: string;
  readonly subject: string;
  readonly requester: string | null;
  readonly acceptedAt: Temporal.Instant;
  readonly state: 'pending' | 'processing' | 'completed' | 'failed';
  /** In its lane, 1 is being worked or next; null where that is not known or it has ended. */
  readonly position: number | null;
  /** How it ended: `done`, `nothing-found`, `failed`, `cancelled`, `delivered`; null while it has not. */
  readonly ended: string | null;
}

export interface QueueView extends AskedView {
  readonly jobs: readonly AskedJobView[];
  /** How many there are in all. */
  readonly total: number;
  /** True where these are everybody's (an admin asks), false where they are the requester's own. */
  readonly everybody: boolean;
  /** The other server did not say what it has. */
  readonly incomplete: boolean;
}

/** STATUS: how the service is, in words of the people who use it. */
export interface StatusView extends AskedView {
  /** Jobs waiting and being worked, by what they wait for: `recordings`, `servers`, `forward`, `replies`. */
  readonly lanes: readonly { readonly lane: string; readonly pending: number; readonly processing: number }[];
  readonly paused: boolean;
  /** Sources that can be searched, here or at the other server. */
  readonly sources: readonly { readonly name: string; readonly reachable: boolean }[];
  /** The other server: null where there is none. */
  readonly peer: { readonly id: string; readonly reachable: boolean } | null;
  /** For admins alone: which node, since when, and what to know; null for others. */
  readonly operator: {
    readonly nodeId: string;
    readonly version: string;
    readonly role: string;
    readonly since: Temporal.Instant;
    readonly warnings: readonly string[];
  } | null;
}

/** AJUDA: what this person may ask for. */
export interface HelpView extends AskedView {
  readonly role: Role;
  readonly commands: readonly { readonly keyword: string; readonly examples: readonly string[] }[];
  readonly extensions: readonly string[] | null;
  readonly servers: readonly string[] | null;
  readonly tokenRequired: boolean;
  /** Address of the mailbox, for links that send an example. */
  readonly mailbox: string;
}

/** A person of the WHITELIST as shown to admins. */
export interface PersonView {
  readonly address: string;
  readonly role: Role;
  readonly extensions: readonly string[] | null;
  readonly servers: readonly string[] | null;
  /** Null: by the configuration. */
  readonly added: { readonly by: string; readonly at: Temporal.Instant } | null;
}

export interface WhitelistView extends AskedView {
  readonly what: 'list' | 'added' | 'changed' | 'removed' | 'unchanged';
  /** Whom it was about; null for a list. */
  readonly person: PersonView | null;
  /** How it was before; null where there was nobody. */
  readonly before: PersonView | null;
  /** All, for a list; else empty. */
  readonly people: readonly PersonView[];
}

/** CANCELAR and REENVIAR: what became of it. */
export interface JobActionView extends AskedView {
  readonly action: 'cancel' | 'resend';
  /** `none`, `several`: no request, or more than one, of this person begins so. `over`: it has ended already. `begun`: it changes something just now, and is brought to an end. `open`: it is still in work. `not-resendable`: there is nothing that could be sent again. */
  readonly result: 'done' | 'none' | 'several' | 'over' | 'begun' | 'open' | 'not-resendable' | 'unreachable';
  /** As it was written. */
  readonly wanted: string;
  readonly job: AskedJobView | null;
}

/** Answers that were held back, as the daily number of mails was reached; the newest last. */
export interface DigestView {
  readonly items: readonly {
    readonly subject: string;
    readonly at: Temporal.Instant;
    readonly text: string;
  }[];
  readonly timeZone: string;
}
