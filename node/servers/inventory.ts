import * as z from 'zod';
import { sourceNameSchema, type SourceName } from '../../protocol/job.ts';

const MAX_SERVERS = 1000;
const MAX_NAME_LENGTH = 200;
const MAX_HOST_LENGTH = 253;
const MAX_PROBLEMS = 20;

/** A SIP server, reached by SSH; requests name it by its id (`SERVER=gv2p`). */
export interface Server {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  /** A disabled server is known by name, but nothing is done on it. */
  readonly enabled: boolean;
  /** Where its recordings are searched; null leaves that to the node's AUDIOS_FROM. */
  readonly audiosFrom: SourceName | null;
}

/** One server as SERVERS_FILE has it. Fields that are not ours are passed over: the old scripts add some. */
const serverSchema = z
  .looseObject({
    id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/, 'must be 1 to 32 letters, digits, _ or -'),
    name: z.string().max(MAX_NAME_LENGTH).optional(),
    host: z
      .string()
      .max(MAX_HOST_LENGTH)
      .regex(/^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$/, 'must be a host name or an IP address'),
    enabled: z.boolean().default(true),
    audios_from: sourceNameSchema.nullish(),
  })
  .transform((server): Server => ({
    id: server.id,
    name: server.name === undefined || server.name === '' ? server.id : server.name,
    host: server.host,
    enabled: server.enabled,
    audiosFrom: server.audios_from ?? null,
  }));

const inventorySchema = z.looseObject({ sip_servers: z.array(serverSchema).max(MAX_SERVERS) });

/** What SERVERS_FILE says, or all that is wrong with it: `sip_servers[2].host: …`, without its values. */
export type Inventory =
  | { readonly ok: true; readonly servers: readonly Server[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the text of a `servers.json`. Ids differ in more than their case, because people type them. */
export function parseInventory(text: string): Inventory {
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    return { ok: false, problems: [whyNotJson(error)] };
  }
  const read = inventorySchema.safeParse(document);
  if (!read.success) {
    const problems = read.error.issues.map((issue) => `${pathOf(issue.path)}: ${issue.message}`);
    return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  }
  const problems = repeatedIds(read.data.sip_servers);
  if (problems.length > 0) return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  return { ok: true, servers: read.data.sip_servers };
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
