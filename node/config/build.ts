import { dirname, join, resolve } from 'node:path';
import { controlSocketPath } from './file.ts';
import type { Values } from './keys.ts';
import { imapServerBeside } from './rules.ts';
import type { BucketSourceConfig, Config, PeerConfig, PublishConfig, S3Config } from './shape.ts';
import type { S3Account } from '../bucket/client.ts';
import { AppError } from '../platform/errors.ts';
import type { Server } from '../servers/inventory.ts';

const MS_PER_MINUTE = 60_000;

/** Files that keys name, with what the node needs of them. */
export interface Referenced {
  readonly imapCa: string | null;
  readonly smtpCa: string | null;
  readonly servers: readonly Server[];
}

/** The configuration that checked keys and the files they name amount to. Paths are taken from the file's directory. */
export function buildConfig(values: Values, file: string, referenced: Referenced): Config {
  const absolute = (path: string): string => resolve(dirname(file), path);
  const stateDir = absolute(values.STATE_DIR);
  const s3 = buildS3(values);
  const certsDir = values.CERTS_DIR === null ? join(stateDir, 'certs') : absolute(values.CERTS_DIR);
  return {
    nodeId: values.NODE_ID,
    mode: values.MODE,
    sources: values.SOURCES,
    audiosFrom: values.AUDIOS_FROM ?? values.SOURCES[0] ?? 'audio',
    stateDir,
    queueDir: values.QUEUE_DIR === null ? resolve(stateDir, 'queue') : absolute(values.QUEUE_DIR),
    controlSocket: controlSocketPath(file, values.CONTROL_SOCKET, values.STATE_DIR),
    logLevel: values.LOG_LEVEL,
    spoolDays: {
      completed: values.SPOOL_COMPLETED_DAYS ?? values.SPOOL_DAYS,
      failed: values.SPOOL_FAILED_DAYS ?? values.SPOOL_DAYS,
    },
    diskHeadroomBytes: values.DISK_HEADROOM_BYTES,
    mail: buildMail(values, referenced.imapCa),
    smtp: buildSmtp(values, referenced.smtpCa),
    access: {
      whitelist: values.WHITELIST,
      adminEmail: values.ADMIN_EMAIL,
      tokenFile: values.TOKEN_FILE === null ? null : absolute(values.TOKEN_FILE),
      requireToken: values.REQUIRE_TOKEN ?? values.TOKEN_FILE !== null,
      senderAuth: values.SENDER_AUTH,
      roleCommands: { operador: values.OPERADOR_COMMANDS, consulta: values.CONSULTA_COMMANDS },
      repliesPerSender: values.REPLIES_PER_SENDER,
      repliesPerDay: values.REPLIES_PER_DAY,
    },
    checkIp: {
      ignoreDays: values.CHECKIP_IGNORE_DAYS,
      retryMs: values.CHECKIP_RETRY_MINUTES * MS_PER_MINUTE,
    },
    limits: {
      maxExtensions: values.MAX_RAMAIS,
      maxDays: values.MAX_DAYS_RANGE,
      processingTimeoutMs: values.PROCESSING_TIMEOUT * MS_PER_MINUTE,
      maxAttempts: values.MAX_RETRIES,
      maxResultBytes: values.MAX_RESULT_BYTES,
      maxResultFiles: values.MAX_RESULT_FILES,
    },
    archiveLevel: values.ARCHIVE_LEVEL,
    recordings: {
      dir: values.RECORDINGS_DIR === null ? null : absolute(values.RECORDINGS_DIR),
      timeZone: values.RECORDINGS_TZ,
      order: values.RECORDINGS_ORDER,
      index: values.RECORDINGS_INDEX,
      bucket: buildBucketSource(values),
    },
    peer: buildPeer(values, absolute(values.PEER_SSH_KEY ?? join(certsDir, 'ssh.key'))),
    certsDir,
    sshHostKeysDir: absolute(values.SSH_HOST_KEYS_DIR),
    publish: buildPublish(values, s3),
    s3,
    servers: referenced.servers,
    serversFile: values.SERVERS_FILE === null ? null : absolute(values.SERVERS_FILE),
    serverLogin: {
      user: values.SERVERS_USER,
      keyFile: absolute(values.SERVERS_KEY ?? join(certsDir, 'servers.key')),
    },
  };
}

/** Ports by RFC 8314: 993 and 465 for TLS from the first byte, 143 and 587 for STARTTLS. */
function buildMail(values: Values, ca: string | null): Config['mail'] {
  const tls = values.IMAP_TLS ?? (values.IMAP_PORT === 143 ? 'starttls' : 'tls');
  return {
    host: values.IMAP_SERVER ?? present(imapServerBeside(values.SMTP_SERVER)),
    port: values.IMAP_PORT ?? (tls === 'tls' ? 993 : 143),
    tls,
    ca,
    auth: { user: values.EMAIL_SERVICE, password: values.EMAIL_PASSWORD },
    mailbox: values.MAILBOX,
    sentMailbox: values.SENT_MAILBOX,
    maxBytes: values.MAIL_MAX_BYTES,
  };
}

function buildSmtp(values: Values, ca: string | null): Config['smtp'] {
  const usesStarttls = values.SMTP_PORT !== null && values.SMTP_PORT !== 465;
  const tls = values.SMTP_TLS ?? (usesStarttls ? 'starttls' : 'tls');
  const from = values.SMTP_FROM ?? { name: '', address: values.EMAIL_SERVICE.toLowerCase() };
  const password = values.SMTP_PASSWORD;
  return {
    host: values.SMTP_SERVER,
    port: values.SMTP_PORT ?? { tls: 465, starttls: 587, none: 25 }[tls],
    tls,
    ca,
    auth: password === null ? null : { user: values.SMTP_USER ?? from.address, password },
    from,
  };
}

function buildAccount(values: Values): S3Account {
  const accessKeyId = values.S3_ACCESS_KEY_ID;
  const secretAccessKey = values.S3_SECRET_ACCESS_KEY;
  return {
    endpoint: values.S3_ENDPOINT,
    region: values.S3_REGION,
    credentials: accessKeyId === null || secretAccessKey === null ? null : { accessKeyId, secretAccessKey },
  };
}

function buildS3(values: Values): S3Config | null {
  if (values.S3_BUCKET === null) return null;
  return { ...buildAccount(values), bucket: values.S3_BUCKET, publishPrefix: values.S3_PUBLISH_PREFIX };
}

function buildBucketSource(values: Values): BucketSourceConfig | null {
  if (!values.SOURCES.includes('s3')) return null;
  return {
    ...buildAccount(values),
    bucket: values.S3_RECORDINGS_BUCKET ?? present(values.S3_BUCKET),
    prefix: values.S3_RECORDINGS_PREFIX ?? '',
    layout: values.S3_RECORDINGS_LAYOUT,
  };
}

function buildPeer(values: Values, keyFile: string): PeerConfig | null {
  if (values.PEER_ID === null) return null;
  const url = values.PEER_URL;
  return {
    id: values.PEER_ID,
    rpc: values.PEER_RPC ? { url: present(url), listen: present(values.RPC_LISTEN) } : null,
    ssh: {
      host: values.PEER_SSH_HOST ?? new URL(present(url)).hostname.replace(/^\[(.*)\]$/, '$1'),
      port: values.PEER_SSH_PORT,
      user: values.PEER_SSH_USER,
      keyFile,
      queueDir: values.PEER_QUEUE_DIR,
    },
  };
}

function buildPublish(values: Values, s3: S3Config | null): PublishConfig {
  const common = { linkHours: values.LINK_HOURS, transcode: values.TRANSCODE };
  const { WEB_LISTEN: webListen, PUBLIC_URL: publicUrl } = values;
  if (values.PUBLISH === 's3') return { kind: 's3', ...common, webListen, publicUrl, s3: present(s3) };
  return { kind: 'web', ...common, webListen: present(webListen), publicUrl: present(publicUrl), s3 };
}

/** What a rule between keys has already made sure of. */
function present<T>(value: T | null): T {
  if (value === null) throw new AppError('config.invalid', 'a rule between keys let a missing value pass');
  return value;
}
