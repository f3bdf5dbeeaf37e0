import type { SourceName } from '../../protocol/job.ts';
import type { S3Account } from '../bucket/client.ts';
import type { LogLevel } from '../platform/log.ts';
import type { BucketLayout } from '../recordings/bucket-layout.ts';
import type { Server } from '../servers/inventory.ts';
import type { ListenAddress, NamedAddress, SenderAuth, SentMailbox } from './values.ts';

type Tls = 'tls' | 'starttls' | 'none';

interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Where results are published. */
export interface S3Config extends S3Account {
  readonly bucket: string;
  /** Before the keys of what is published, without slashes at the ends. */
  readonly publishPrefix: string;
}

/** The bucket that is searched, where SOURCES has s3. */
export interface BucketSourceConfig extends S3Account {
  readonly bucket: string;
  /** Before the keys that are searched, without slashes at the ends; may be empty. */
  readonly prefix: string;
  /** S3_RECORDINGS_LAYOUT. */
  readonly layout: BucketLayout;
}

interface PublishCommon {
  /** Whether recordings that browsers cannot play are converted for playing. */
  readonly transcode: boolean;
  /** How long a link opens, in hours. */
  readonly linkHours: number;
}

/** The other node of the pair. */
export interface PeerConfig {
  readonly id: string;
  /** Null where PEER_RPC is off: the peer is a Python node, or its RPC is not to be used. */
  readonly rpc: { readonly url: string; readonly listen: ListenAddress } | null;
  /** Where files are dropped for it. `user` and `queueDir` null: as pairing exchanged them. */
  readonly ssh: {
    readonly host: string;
    readonly port: number;
    readonly user: string | null;
    readonly keyFile: string;
    readonly queueDir: string | null;
  };
}

export type PublishConfig = PublishCommon &
  (
    | {
        readonly kind: 'web';
        readonly webListen: ListenAddress;
        /** What links begin with, without a slash at the end. */
        readonly publicUrl: string;
        readonly s3: S3Config | null;
      }
    | {
        readonly kind: 's3';
        readonly webListen: ListenAddress | null;
        readonly publicUrl: string | null;
        readonly s3: S3Config;
      }
  );

/** What a node is told, checked, by room. Holds passwords: it is never logged as a whole. */
export interface Config {
  readonly nodeId: string;
  /** The first role; the role record decides afterwards. */
  readonly mode: 'master' | 'slave';
  /** What this node can search; may be empty. */
  readonly sources: readonly SourceName[];
  /** Where a request is searched that names neither a source nor a server that has one. */
  readonly audiosFrom: SourceName;
  /** Absolute, as all paths here. */
  readonly stateDir: string;
  readonly queueDir: string;
  readonly controlSocket: string;
  readonly logLevel: LogLevel;
  /** How long ended jobs are kept, in days. */
  readonly spoolDays: { readonly completed: number; readonly failed: number };
  /** With less room on the disks of STATE_DIR and QUEUE_DIR no new work is taken; 0: whatever room there is. */
  readonly diskHeadroomBytes: number;
  readonly mail: {
    readonly host: string;
    readonly port: number;
    readonly tls: Tls;
    /** Certificates to trust in place of the system's, as PEM text. */
    readonly ca: string | null;
    readonly auth: Credentials;
    readonly mailbox: string;
    readonly sentMailbox: SentMailbox;
    /** A larger mail is answered, not read. */
    readonly maxBytes: number;
  };
  readonly smtp: {
    readonly host: string;
    readonly port: number;
    readonly tls: Tls;
    readonly ca: string | null;
    /** Null: without authentication. */
    readonly auth: Credentials | null;
    readonly from: NamedAddress;
  };
  readonly access: {
    /** Addresses and `@domain`s in lower case. */
    readonly whitelist: readonly string[];
    readonly adminEmail: string;
    readonly tokenFile: string | null;
    readonly requireToken: boolean;
    readonly senderAuth: SenderAuth;
    /** Keywords of the commands that a role may use; an admin may use all. */
    readonly roleCommands: Readonly<Record<'operador' | 'consulta', readonly string[]>>;
    /** Mails to one person within a day; past it they are gathered into digests. */
    readonly repliesPerSender: number;
    /** Recipients of all mails within a day: Gmail takes 500. */
    readonly repliesPerDay: number;
  };
  readonly checkIp: {
    /** How long an address that CHECKIP has released stays ignored, in days. */
    readonly ignoreDays: number;
    /** For how long servers that could not be reached are tried again. */
    readonly retryMs: number;
  };
  readonly limits: {
    readonly maxExtensions: number;
    readonly maxDays: number;
    readonly processingTimeoutMs: number;
    /** Attempts in all, the first included (MAX_RETRIES, as the old system counted). */
    readonly maxAttempts: number;
    /** A result that is larger becomes several ZIPs. */
    readonly maxResultBytes: number;
    readonly maxResultFiles: number;
  };
  /** How hard what can be compressed is, 0 (stored) to 9. */
  readonly archiveLevel: number;
  readonly recordings: {
    readonly dir: string | null;
    readonly timeZone: string;
    readonly order: 'origin-dest' | 'dest-origin';
    /** Whether sources that can be indexed are. */
    readonly index: boolean;
    /** Null where SOURCES has no s3. */
    readonly bucket: BucketSourceConfig | null;
  };
  /** Null for a node alone. */
  readonly peer: PeerConfig | null;
  /** Keys and certificates of this node, and what it trusts. */
  readonly certsDir: string;
  /** Public keys of this host's sshd, as `ssh_host_*_key.pub`; told to the peer when they pair. */
  readonly sshHostKeysDir: string;
  readonly publish: PublishConfig;
  readonly s3: S3Config | null;
  readonly servers: readonly Server[];
  /** SERVERS_FILE; null where none is named. */
  readonly serversFile: string | null;
  /** Who logs in to servers that name no user and no key of their own. */
  readonly serverLogin: { readonly user: string; readonly keyFile: string };
}
