import { controlSocketPath, MAX_SOCKET_PATH_BYTES, type TextFile } from './file.ts';
import type { KeyName, PartialValues } from './keys.ts';
import { fixedDirectories } from '../recordings/bucket-layout.ts';
import { isAddress, isLoopback } from './values.ts';

/** What must hold between keys. A value that is wrong in itself is undefined here and breaks no rule. */
interface Rule {
  readonly key: KeyName;
  readonly broken: (values: PartialValues, file: string) => boolean;
  readonly what: string;
}

const servesBucket = (values: PartialValues): boolean => values.SOURCES?.includes('s3') ?? false;

/** Whether recordings are looked for where results are put; below a common directory they may lie side by side. */
function searchesResults({
  S3_BUCKET,
  S3_RECORDINGS_BUCKET,
  S3_RECORDINGS_PREFIX,
  S3_RECORDINGS_LAYOUT,
  S3_PUBLISH_PREFIX,
}: PartialValues): boolean {
  if (S3_BUCKET == null || S3_PUBLISH_PREFIX === undefined) return false;
  if ((S3_RECORDINGS_BUCKET ?? S3_BUCKET) !== S3_BUCKET) return false;
  const fixed = S3_RECORDINGS_LAYOUT === undefined ? [] : fixedDirectories(S3_RECORDINGS_LAYOUT);
  const place = [S3_RECORDINGS_PREFIX ?? '', ...fixed].filter((part) => part !== '').join('/');
  return `${place}/`.startsWith(`${S3_PUBLISH_PREFIX}/`);
}

/** Breaking one of these is an error. */
const RULES: readonly Rule[] = [
  {
    key: 'RECORDINGS_DIR',
    broken: (values) => values.RECORDINGS_DIR === null && (values.SOURCES?.includes('audio') ?? false),
    what: 'is required because SOURCES has audio (SOURCES=none for a node without recordings)',
  },
  {
    key: 'S3_BUCKET',
    broken: (values) => values.S3_BUCKET === null && values.PUBLISH === 's3',
    what: 'is required because PUBLISH is s3',
  },
  {
    key: 'S3_RECORDINGS_BUCKET',
    broken: (values) =>
      values.S3_RECORDINGS_BUCKET === null && values.S3_BUCKET === null && servesBucket(values),
    what: 'is required because SOURCES has s3 and no S3_BUCKET is set in which they could lie too',
  },
  {
    key: 'S3_RECORDINGS_PREFIX',
    broken: (values) => servesBucket(values) && searchesResults(values),
    what: 'with S3_RECORDINGS_LAYOUT lies in S3_PUBLISH_PREFIX of the same bucket, where only results lie: it is never searched',
  },
  {
    key: 'S3_SECRET_ACCESS_KEY',
    broken: (values) => values.S3_SECRET_ACCESS_KEY === null && typeof values.S3_ACCESS_KEY_ID === 'string',
    what: 'is required because S3_ACCESS_KEY_ID is set (set neither to use the credentials of the host)',
  },
  {
    key: 'S3_ACCESS_KEY_ID',
    broken: (values) => values.S3_ACCESS_KEY_ID === null && typeof values.S3_SECRET_ACCESS_KEY === 'string',
    what: 'is required because S3_SECRET_ACCESS_KEY is set (set neither to use the credentials of the host)',
  },
  {
    key: 'WEB_LISTEN',
    broken: (values) => values.WEB_LISTEN === null && values.PUBLISH === 'web',
    what: 'is required because PUBLISH is web',
  },
  {
    key: 'WEB_LISTEN',
    broken: ({ WEB_LISTEN, PUBLIC_URL, PUBLISH }) =>
      WEB_LISTEN === null && PUBLIC_URL != null && PUBLISH === 's3',
    what: 'is required because PUBLIC_URL is set: links are then answered by this node (leave PUBLIC_URL out to have the bucket answer them)',
  },
  {
    key: 'PUBLIC_URL',
    broken: (values) => values.PUBLIC_URL === null && values.PUBLISH === 'web',
    what: 'is required because PUBLISH is web',
  },
  {
    key: 'PEER_ID',
    broken: ({ PEER_ID, NODE_ID }) => PEER_ID != null && PEER_ID === NODE_ID,
    what: 'must be another name than NODE_ID',
  },
  {
    key: 'PEER_ID',
    broken: ({ PEER_ID, PEER_URL, RPC_LISTEN }) =>
      PEER_ID === null && (PEER_URL != null || RPC_LISTEN != null),
    what: 'is required because PEER_URL or RPC_LISTEN is set',
  },
  {
    key: 'PEER_URL',
    broken: ({ PEER_ID, PEER_RPC, PEER_URL }) => PEER_ID != null && PEER_RPC === true && PEER_URL === null,
    what: 'is required because PEER_ID is set (or PEER_RPC=off for a peer that has files dropped only)',
  },
  {
    key: 'RPC_LISTEN',
    broken: ({ PEER_ID, PEER_RPC, RPC_LISTEN }) =>
      PEER_ID != null && PEER_RPC === true && RPC_LISTEN === null,
    what: 'is required because PEER_ID is set (or PEER_RPC=off for a peer that has files dropped only)',
  },
  {
    key: 'PEER_SSH_HOST',
    broken: ({ PEER_ID, PEER_RPC, PEER_SSH_HOST, PEER_URL }) =>
      PEER_ID != null && PEER_RPC === false && PEER_SSH_HOST === null && PEER_URL === null,
    what: 'is required because PEER_RPC is off: files are dropped there',
  },
  {
    key: 'PEER_SSH_USER',
    broken: ({ PEER_ID, PEER_RPC, PEER_SSH_USER }) =>
      PEER_ID != null && PEER_RPC === false && PEER_SSH_USER === null,
    what: 'is required because PEER_RPC is off: no pairing tells it',
  },
  {
    key: 'PEER_QUEUE_DIR',
    broken: ({ PEER_ID, PEER_RPC, PEER_QUEUE_DIR }) =>
      PEER_ID != null && PEER_RPC === false && PEER_QUEUE_DIR === null,
    what: 'is required because PEER_RPC is off: no pairing tells it',
  },
  {
    key: 'IMAP_SERVER',
    broken: (values) =>
      values.IMAP_SERVER === null &&
      values.SMTP_SERVER !== undefined &&
      imapServerBeside(values.SMTP_SERVER) === null,
    what: 'is required because it does not follow from SMTP_SERVER',
  },
  {
    key: 'SMTP_FROM',
    broken: (values) =>
      values.SMTP_FROM === null && values.EMAIL_SERVICE !== undefined && !isAddress(values.EMAIL_SERVICE),
    what: 'is required because EMAIL_SERVICE is not a mail address',
  },
  {
    key: 'SMTP_PASSWORD',
    broken: (values) => values.SMTP_PASSWORD === null && typeof values.SMTP_USER === 'string',
    what: 'is required because SMTP_USER is set',
  },
  {
    key: 'CONTROL_SOCKET',
    broken: (values, file) => {
      const path = controlSocketPath(file, values.CONTROL_SOCKET ?? null, values.STATE_DIR ?? null);
      return Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES;
    },
    what: `must be at most ${MAX_SOCKET_PATH_BYTES} bytes long, its directory included`,
  },
];

/** Breaking one of these is worth a warning at start. */
const WARNINGS: readonly Rule[] = [
  {
    key: 'SENDER_AUTH',
    broken: ({ SENDER_AUTH }) => SENDER_AUTH?.kind === 'off',
    what: 'is off: whoever writes an address of the WHITELIST into a From line is taken for that person',
  },
  {
    key: 'IMAP_TLS',
    broken: ({ IMAP_TLS, IMAP_SERVER }) => IMAP_TLS === 'none' && !isLoopback(IMAP_SERVER ?? ''),
    what: 'is none: the mailbox password crosses the network in plain text',
  },
  {
    key: 'SMTP_TLS',
    broken: ({ SMTP_TLS, SMTP_SERVER, SMTP_PASSWORD }) =>
      SMTP_TLS === 'none' && SMTP_PASSWORD !== null && !isLoopback(SMTP_SERVER ?? ''),
    what: 'is none: the SMTP password crosses the network in plain text',
  },
  {
    key: 'S3_ENDPOINT',
    broken: ({ S3_ENDPOINT }) => {
      const url = URL.parse(S3_ENDPOINT ?? '');
      return url !== null && url.protocol === 'http:' && !isLoopback(url.hostname);
    },
    what: 'is http: recordings and links cross the network in plain text',
  },
  {
    key: 'AUDIOS_FROM',
    broken: ({ AUDIOS_FROM, SOURCES, PEER_ID }) =>
      AUDIOS_FROM != null && PEER_ID === null && SOURCES?.includes(AUDIOS_FROM) === false,
    what: 'is not among SOURCES, and there is no PEER_ID: requests that name no source are refused',
  },
];

/** Every rule between keys that is broken. */
export function brokenRules(values: PartialValues, file: string): readonly Pick<Rule, 'key' | 'what'>[] {
  return RULES.filter((rule) => rule.broken(values, file));
}

/** What an operator should know of a configuration that works. */
export function doubtfulRules(values: PartialValues, file: string): readonly Pick<Rule, 'key' | 'what'>[] {
  return WARNINGS.filter((rule) => rule.broken(values, file));
}

/** Providers that say `smtp.` say `imap.` too: the old configuration named the SMTP server alone. */
export function imapServerBeside(smtpServer: string): string | null {
  return smtpServer.startsWith('smtp.') ? `imap.${smtpServer.slice('smtp.'.length)}` : null;
}

/**
 * Why a file that holds passwords is refused; null where it is not. Its owner alone may have access; reading by
 * the group is allowed where root owns the file and the group is the daemon's own (root:parelha 0640).
 */
export function whyTooOpen(file: Omit<TextFile, 'text'>, groups: readonly number[]): string | null {
  const groupMayRead = file.uid === 0 && groups.includes(file.gid);
  const tooMuch = file.mode & (groupMayRead ? 0o037 : 0o077);
  if (tooMuch === 0) return null;
  return (tooMuch & 0o007) === 0 ? 'its group has access to it' : 'others have access to it';
}
