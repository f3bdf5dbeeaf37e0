import { posix } from 'node:path';
import * as z from 'zod';
import { sourceNameSchema, type SourceName } from '../../protocol/job.ts';
import { misspeltFields, plainProblem } from './inventory-problems.ts';
import { isPlainPath, type MacFile, macFileSchema } from './mac-declaration.ts';

const MAX_SERVERS = 1000;
const MAX_NAME_LENGTH = 200;
const MAX_HOST_LENGTH = 253;
const MAX_PROBLEMS = 20;
const MAX_PATH_LENGTH = 4096;
const MAX_HOST_KEYS = 10;
const MAX_COMMANDS = 20;
const MAX_LOGS = 20;
const MAX_MAC_FILES = 20;
const MAX_ARGUMENTS = 50;
const MAX_ARGUMENT_LENGTH = 1000;
const SSH_PORT = 22;
const DEFAULT_COMMANDS: readonly ServerCommand[] = ['CHECKIP'];
const HOST_KEY_FORM = 'must be SHA256: and 43 characters, or a list of such';

/** A SIP server, reached by SSH; requests name it by its id (`SERVER=gv2p`). */
export interface Server {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  /** A disabled server is known by name, but nothing is done on it. */
  readonly enabled: boolean;
  /** Where its recordings are searched; null leaves that to the node's AUDIOS_FROM. */
  readonly audiosFrom: SourceName | null;
  /** Of its sshd. */
  readonly port: number;
  /** Null: SERVERS_USER. */
  readonly user: string | null;
  /** As the file has it, perhaps relative to it; null: SERVERS_KEY. */
  readonly keyFile: string | null;
  /** Fingerprints (`SHA256:…`) of the host keys that it may show; beside those that `node-ctl server trust` has stored. */
  readonly hostKeys: readonly string[];
  /** What may be done on it. */
  readonly commands: readonly ServerCommand[];
  readonly fail2ban: Fail2banSettings;
  /** The files that say which phone an extension has. */
  readonly macFiles: readonly MacFile[];
  /** Directory for the files as they were, which no server may give out to phones. */
  readonly macBackupDir: string;
  /** Run after a change of MAC: a program and its arguments; null for none. */
  readonly notify: readonly string[] | null;
}

/** Commands that act on servers. A server that names none allows CHECKIP alone. */
export const SERVER_COMMANDS = ['CHECKIP', 'MACCHANGE'] as const;
export type ServerCommand = (typeof SERVER_COMMANDS)[number];

/** How fail2ban of a server is spoken to where the helper is not installed there. */
export interface Fail2banSettings {
  /** Put `sudo -n` in front of it. */
  readonly sudo: boolean;
  /** Where the ignore file lies. */
  readonly jailDirectory: string;
  /** Logs whose last lines about an address are shown. */
  readonly logs: readonly string[];
}

const fingerprint = z
  .string()
  .regex(
    /^SHA256:[A-Za-z0-9+/]{43}=?$/,
    'must be SHA256: and 43 characters, as node-ctl server trust shows it',
  )
  .transform((text) => text.replace(/=$/, ''));

const absolutePath = z.string().refine(isPlainPath, 'must be an absolute path without .. in it');

const commandName = z
  .string()
  .transform((name) => name.toUpperCase())
  .pipe(z.enum(SERVER_COMMANDS, `must be ${SERVER_COMMANDS.join(' or ')}`));

const fail2banSchema = z.looseObject({
  sudo: z.boolean().nullish(),
  jail_directory: absolutePath.nullish(),
  logs: z.array(absolutePath).max(MAX_LOGS).nullish(),
});

const notifySchema = z
  .array(
    z
      .string()
      .max(MAX_ARGUMENT_LENGTH)
      // eslint-disable-next-line no-control-regex
      .regex(/^[^\u0000-\u001F\u007F]*$/, 'must be one line'),
    'must be a list: a program and its arguments, each by itself',
  )
  .min(1)
  .max(MAX_ARGUMENTS)
  .refine(([program]) => program !== '', 'must begin with a program');

/** One server as SERVERS_FILE has it. Fields that are not ours are passed over: the old scripts add some. */
const entrySchema = z.looseObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/, 'must be 1 to 32 letters, digits, _ or -'),
  name: z.string().max(MAX_NAME_LENGTH).optional(),
  host: z
    .string()
    .max(MAX_HOST_LENGTH)
    .regex(/^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$/, 'must be a host name or an IP address'),
  enabled: z.boolean().default(true),
  audios_from: sourceNameSchema.nullish(),
  port: z.int().min(1).max(65_535).nullish(),
  user: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, 'must be the name of an account')
    .nullish(),
  key_file: z.string().min(1).max(MAX_PATH_LENGTH).nullish(),
  host_key: z.union([fingerprint, z.array(fingerprint).max(MAX_HOST_KEYS)], HOST_KEY_FORM).nullish(),
  commands: z.array(commandName).max(MAX_COMMANDS).nullish(),
  fail2ban: fail2banSchema.nullish(),
  mac_files: z.array(macFileSchema).max(MAX_MAC_FILES).nullish(),
  mac_backup_dir: absolutePath.nullish(),
  notify: notifySchema.nullish(),
});

const serverSchema = entrySchema.transform((server): Server => ({
  id: server.id,
  name: server.name === undefined || server.name === '' ? server.id : server.name,
  host: server.host,
  enabled: server.enabled,
  audiosFrom: server.audios_from ?? null,
  port: server.port ?? SSH_PORT,
  user: server.user ?? null,
  keyFile: server.key_file ?? null,
  hostKeys: typeof server.host_key === 'string' ? [server.host_key] : (server.host_key ?? []),
  commands: [...new Set(server.commands ?? DEFAULT_COMMANDS)],
  fail2ban: {
    sudo: server.fail2ban?.sudo ?? false,
    jailDirectory: server.fail2ban?.jail_directory ?? '/etc/fail2ban/jail.d',
    logs: server.fail2ban?.logs ?? ['/var/log/fail2ban.log'],
  },
  macFiles: server.mac_files ?? [],
  macBackupDir: server.mac_backup_dir ?? '/var/backups/parelha',
  notify: server.notify ?? null,
}));

const inventorySchema = z.looseObject({ sip_servers: z.array(serverSchema).max(MAX_SERVERS) });

/**
 * What SERVERS_FILE says, or all that is wrong with it: `sip_servers[2].host: …`, without its values. `doubts`: what
 * counts for nothing and was hardly meant so.
 */
export type Inventory =
  | { readonly ok: true; readonly servers: readonly Server[]; readonly doubts: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the text of a `servers.json`. Ids differ in more than their case, because people type them. */
export function parseInventory(text: string): Inventory {
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    return { ok: false, problems: [whyNotJson(error)] };
  }
  const read = inventorySchema.safeParse(document, { error: plainProblem });
  if (!read.success) {
    const problems = read.error.issues.map((issue) => `${pathOf(issue.path)}: ${issue.message}`);
    return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  }
  const servers = read.data.sip_servers;
  const problems = [...repeatedIds(servers), ...servers.flatMap(macProblems)];
  if (problems.length > 0) return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  return { ok: true, servers, doubts: doubtsOf(document).slice(0, MAX_PROBLEMS) };
}

function doubtsOf(document: unknown): string[] {
  const { sip_servers: entries } = document as { sip_servers: readonly { fail2ban?: unknown }[] };
  const [fields, ofFail2ban] = [Object.keys(entrySchema.shape), Object.keys(fail2banSchema.shape)];
  return entries.flatMap((entry, index) => [
    ...misspeltFields(entry, fields, `sip_servers[${index}]`),
    ...misspeltFields(entry.fail2ban, ofFail2ban, `sip_servers[${index}].fail2ban`),
  ]);
}

function repeatedIds(servers: readonly Server[]): string[] {
  const problems: string[] = [];
  const seen = new Map<string, number>();
  for (const [index, server] of servers.entries()) {
    const id = server.id.toLowerCase();
    const first = seen.get(id);
    if (first === undefined) seen.set(id, index);
    else problems.push(`sip_servers[${index}].id: is the id of sip_servers[${first}] too`);
  }
  return problems;
}

/** What of a server's MAC files does not go together. */
function macProblems(server: Server, index: number): string[] {
  const where = `sip_servers[${index}]`;
  const problems: string[] = [];
  if (server.commands.includes('MACCHANGE') && server.macFiles.length === 0) {
    problems.push(
      `${where}.mac_files: MACCHANGE needs at least one file that says which phone an extension has`,
    );
  }
  const paths = server.macFiles.map((file) => file.path);
  for (const [at, path] of paths.entries()) {
    const first = paths.indexOf(path);
    if (first < at) problems.push(`${where}.mac_files[${at}].path: is the path of mac_files[${first}] too`);
  }
  // What a provisioning server gives out to phones must not have old files in it.
  const served = paths.map((path) => posix.dirname(path));
  const inside = served.some(
    (path) => path === server.macBackupDir || server.macBackupDir.startsWith(`${path}/`),
  );
  if (inside) problems.push(`${where}.mac_backup_dir: must not lie in the directory of a file of mac_files`);
  return problems;
}

function pathOf(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text === '' ? 'the document' : text;
}

/** V8 quotes the text around the fault; only its place is passed on. */
function whyNotJson(error: unknown): string {
  const place = error instanceof Error ? /\(line \d+ column \d+\)/.exec(error.message)?.[0] : undefined;
  return `is not JSON${place === undefined ? '' : ` ${place}`}`;
}
