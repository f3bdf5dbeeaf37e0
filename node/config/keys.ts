import type * as z from 'zod';
import { DEFAULT_STATE_DIR } from './file.ts';
import * as value from './values.ts';

type Presence = 'required' | 'defaulted' | 'optional';

/**
 * A key of the configuration. `required` ones must be set; `defaulted` ones are read from `fallback` where they
 * are not; `optional` ones are then null (or follow from other keys, see `config.ts`).
 */
export interface Key<T, P extends Presence> {
  readonly presence: P;
  readonly schema: z.ZodType<T, string>;
  readonly fallback: string | null;
  /** A good value, shown in messages. */
  readonly example: string;
  /** Never shown, never cut at a comment, and the reason why others may not read the file. */
  readonly secret: boolean;
}

/** A key, whatever it says. */
export type AnyKey = Key<unknown, Presence>;

function required<T>(schema: z.ZodType<T, string>, example: string): Key<T, 'required'> {
  return { presence: 'required', schema, fallback: null, example, secret: false };
}

function defaulted<T>(
  schema: z.ZodType<T, string>,
  fallback: string,
  example = fallback,
): Key<T, 'defaulted'> {
  return { presence: 'defaulted', schema, fallback, example, secret: false };
}

function optional<T>(schema: z.ZodType<T, string>, example: string): Key<T, 'optional'> {
  return { presence: 'optional', schema, fallback: null, example, secret: false };
}

function secret<T, P extends Presence>(key: Key<T, P>): Key<T, P> {
  return { ...key, secret: true };
}

const TLS_WORDS = ['tls', 'starttls', 'none'] as const;

/** Presigned links live for seven days at most (AWS, "Authenticating Requests: Using Query Parameters"). */
const MAX_LINK_HOURS = 168;

/** Every key there is. Parsing, defaults, examples and "did you mean" all come from here. */
export const KEYS = {
  // The node
  NODE_ID: required(value.nodeId, 'audio'),
  MODE: defaulted(value.word('master', 'slave'), 'slave', 'master'),
  STATE_DIR: defaulted(value.path, DEFAULT_STATE_DIR),
  QUEUE_DIR: optional(value.path, `${DEFAULT_STATE_DIR}/queue`),
  CONTROL_SOCKET: optional(value.path, `${DEFAULT_STATE_DIR}/control.sock`),
  LOG_LEVEL: defaulted(value.word('error', 'warn', 'info', 'debug'), 'info'),

  // The mailbox
  EMAIL_SERVICE: required(value.text, 'comandos@example.com'),
  EMAIL_PASSWORD: secret(required(value.text, '"the mailbox password"')),
  IMAP_SERVER: optional(value.host, 'imap.example.com'),
  IMAP_PORT: optional(value.port, '993'),
  IMAP_TLS: optional(value.word(...TLS_WORDS), 'tls'),
  IMAP_CA_FILE: optional(value.path, '/etc/parelha/imap-ca.pem'),
  MAILBOX: defaulted(value.text, 'INBOX'),
  SENT_MAILBOX: defaulted(value.sentMailbox, 'auto', 'Sent'),
  MAIL_MAX_BYTES: defaulted(value.wholeNumber(10_000, 52_428_800), '10485760'),

  // Sending
  SMTP_SERVER: required(value.host, 'smtp.example.com'),
  SMTP_PORT: optional(value.port, '587'),
  SMTP_TLS: optional(value.word(...TLS_WORDS), 'starttls'),
  SMTP_CA_FILE: optional(value.path, '/etc/parelha/smtp-ca.pem'),
  SMTP_FROM: optional(value.namedAddress, 'Comandos VoIP <comandos@example.com>'),
  SMTP_USER: optional(value.text, 'comandos@example.com'),
  SMTP_PASSWORD: secret(optional(value.text, '"the SMTP password"')),

  // Who may ask
  WHITELIST: required(value.whitelist, 'pessoa@example.com, @example.org'),
  ADMIN_EMAIL: required(value.address, 'admin@example.com'),
  TOKEN_FILE: optional(value.path, '/etc/parelha/valid_tokens.txt'),
  REQUIRE_TOKEN: optional(value.yesOrNo, 'yes'),
  SENDER_AUTH: required(value.senderAuth, 'mx.google.com'),
  OPERADOR_COMMANDS: defaulted(
    value.commandNames,
    'RAMAIS,CHECKIP,MACCHANGE,STATUS,FILA,CANCELAR,REENVIAR,AJUDA',
  ),
  CONSULTA_COMMANDS: defaulted(value.commandNames, 'RAMAIS,STATUS,FILA,CANCELAR,REENVIAR,AJUDA'),
  REPLIES_PER_SENDER: defaulted(value.wholeNumber(10, 100_000), '100'),
  REPLIES_PER_DAY: defaulted(value.wholeNumber(20, 1_000_000), '500'),

  // SIP servers
  SERVERS_FILE: optional(value.path, '/etc/parelha/servers.json'),
  SERVERS_USER: defaulted(value.loginName, 'parelha'),
  SERVERS_KEY: optional(value.path, `${DEFAULT_STATE_DIR}/certs/servers.key`),
  CHECKIP_IGNORE_DAYS: defaulted(value.wholeNumber(1, 3660), '30'),
  CHECKIP_RETRY_MINUTES: defaulted(value.wholeNumber(0, 1440), '30'),

  // The peer
  PEER_ID: optional(value.nodeId, 'audio2'),
  PEER_RPC: defaulted(value.yesOrNo, 'on'),
  PEER_URL: optional(value.peerUrl, 'https://audio2.example.com:7443'),
  RPC_LISTEN: optional(value.listen, '0.0.0.0:7443'),
  CERTS_DIR: optional(value.path, `${DEFAULT_STATE_DIR}/certs`),
  PEER_SSH_HOST: optional(value.host, 'audio2.example.com'),
  PEER_SSH_PORT: defaulted(value.port, '22'),
  PEER_SSH_USER: optional(value.text, 'parelha'),
  PEER_SSH_KEY: optional(value.path, `${DEFAULT_STATE_DIR}/certs/ssh.key`),
  PEER_QUEUE_DIR: optional(value.remotePath, `${DEFAULT_STATE_DIR}/queue`),
  SSH_HOST_KEYS_DIR: defaulted(value.path, '/etc/ssh'),

  // Limits
  MAX_RAMAIS: defaulted(value.wholeNumber(1, 1000), '10'),
  MAX_DAYS_RANGE: defaulted(value.wholeNumber(1, 3660), '30'),
  PROCESSING_TIMEOUT: defaulted(value.wholeNumber(1, 1440), '30'),
  MAX_RETRIES: defaulted(value.wholeNumber(1, 100), '3'),
  SPOOL_DAYS: defaulted(value.wholeNumber(1, 3660), '30'),
  SPOOL_COMPLETED_DAYS: optional(value.wholeNumber(1, 3660), '30'),
  SPOOL_FAILED_DAYS: optional(value.wholeNumber(1, 3660), '90'),
  DISK_HEADROOM_BYTES: defaulted(value.wholeNumber(0, 1_000_000_000_000), '1073741824'),

  MAX_RESULT_BYTES: defaulted(value.wholeNumber(1_000_000, 100_000_000_000), '2147483648'),
  MAX_RESULT_FILES: defaulted(value.wholeNumber(1, 50_000), '5000'),
  ARCHIVE_LEVEL: defaulted(value.wholeNumber(0, 9), '0'),

  // Recordings
  SOURCES: defaulted(value.sources, 'audio', 'audio,s3'),
  AUDIOS_FROM: optional(value.word('audio', 's3'), 'audio'),
  RECORDINGS_DIR: optional(value.path, '/var/spool/asterisk/monitor'),
  RECORDINGS_INDEX: defaulted(value.yesOrNo, 'on'),
  RECORDINGS_TZ: defaulted(value.timeZone, 'America/Sao_Paulo'),
  RECORDINGS_ORDER: defaulted(value.word('origin-dest', 'dest-origin'), 'origin-dest'),
  S3_RECORDINGS_BUCKET: optional(value.bucket, 'gravacoes-antigas-example'),
  S3_RECORDINGS_PREFIX: optional(value.bucketPrefix, 'monitor'),
  S3_RECORDINGS_LAYOUT: defaulted(value.bucketLayout, 'flat', '{yyyy}/{mm}/{dd}/'),

  // Delivery
  PUBLISH: defaulted(value.word('web', 's3'), 'web'),
  TRANSCODE: defaulted(value.yesOrNo, 'off', 'on'),
  LINK_HOURS: defaulted(value.wholeNumber(1, MAX_LINK_HOURS), '24'),
  WEB_LISTEN: optional(value.listen, '127.0.0.1:8080'),
  PUBLIC_URL: optional(value.publicUrl, 'https://gravacoes.example.com'),
  S3_BUCKET: optional(value.bucket, 'gravacoes-example'),
  S3_ENDPOINT: optional(value.endpoint, 'https://s3.example.com'),
  S3_REGION: defaulted(value.text, 'us-east-1', 'sa-east-1'),
  S3_ACCESS_KEY_ID: optional(value.text, 'the-access-key-id'),
  S3_SECRET_ACCESS_KEY: secret(optional(value.text, '"the secret access key"')),
  S3_PUBLISH_PREFIX: defaulted(value.keyPrefix, 'parelha'),
} as const;

export type KeyName = keyof typeof KEYS;

type ValueOf<K> =
  K extends Key<infer T, 'optional'> ? T | null : K extends Key<infer T, infer _P> ? T : never;

/** What all keys say. */
export type Values = { readonly [K in KeyName]: ValueOf<(typeof KEYS)[K]> };

/** The same while it is being read: a key whose value is wrong or missing is not there. */
export type PartialValues = Partial<Values>;

/** Keys of the old configuration that mean nothing any more, with what took their place. */
export const RETIRED_KEYS: Readonly<Record<string, string>> = {
  LOG_FILE: 'the node writes its log to its own output (under systemd: journalctl -u parelha)',
  QUEUE_PROCESSOR_LOG: 'the queue logs with the rest of the node (journalctl -u parelha)',
  PROCESSOR_SCRIPT: 'the node processes its queue itself (see node-ctl queue list)',
};

/** Whether a name is a key of ours. */
export function isKeyName(name: string): name is KeyName {
  return Object.hasOwn(KEYS, name);
}
