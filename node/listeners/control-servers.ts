import * as z from 'zod';
import type { Audit } from '../audit.ts';
import { AppError } from '../platform/errors.ts';
import type { Server } from '../servers/inventory.ts';
import type { KnownServers } from '../servers/known-servers.ts';
import type { HostKeyScan } from '../servers/remote.ts';
import { checkServer, type ServerChecksOptions } from '../servers/server-checks.ts';
import type { ServerKeys } from '../servers/server-keys.ts';
import type { HandlersOf } from './control-table.ts';
import { namedServer, serverIdSchema, withinLimit } from './named-servers.ts';

/** As many as SERVERS_FILE takes. */
const MAX_LISTED = 1000;
const MAX_KEYS = 10;
const fingerprint = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'must be SHA256: and 43 characters');

export const serverViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  host: z.string(),
  port: z.int(),
  /** Who is logged in as. */
  user: z.string(),
  enabled: z.boolean(),
  audiosFrom: z.string().nullable(),
  commands: z.array(z.string()),
  /** Fingerprints of the host keys that it may show; without one nothing is sent to it. */
  hostKeys: z.array(z.string()),
  macFiles: z.array(z.string()),
});
export type ServerView = z.infer<typeof serverViewSchema>;

const checkSchema = z.object({
  name: z.string(),
  /** Null where something else kept it from being looked at. */
  ok: z.boolean().nullable(),
  message: z.string(),
});

const hostKeysSchema = z.object({
  id: z.string(),
  host: z.string(),
  port: z.int(),
  /** What it shows now; `isKnown`: it is trusted already. */
  keys: z.array(z.object({ type: z.string(), fingerprint: z.string(), isKnown: z.boolean() })).max(MAX_KEYS),
  /** Trusted until now, and not shown. */
  others: z.array(z.string()),
});
export type ServerHostKeys = z.infer<typeof hostKeysSchema>;

/** The calls about SIP servers, for the table of all. */
export const SERVER_METHODS = {
  servers: {
    params: z.strictObject({}),
    result: z.object({
      servers: z.array(serverViewSchema).max(MAX_LISTED),
      serversFile: z.string().nullable(),
    }),
  },
  /** Looks whether all is there that its commands need; changes nothing. */
  serverTest: {
    params: z.strictObject({ id: serverIdSchema }),
    result: z.object({ id: z.string(), checks: z.array(checkSchema) }),
  },
  serverHostKeys: { params: z.strictObject({ id: serverIdSchema }), result: hostKeysSchema },
  /** Trusts host keys that it shows, and none but these and those of SERVERS_FILE from now on. */
  serverTrust: {
    params: z.strictObject({ id: serverIdSchema, fingerprints: z.array(fingerprint).min(1).max(MAX_KEYS) }),
    result: z.object({ id: z.string(), message: z.string() }),
  },
  /** The public half of SERVERS_KEY; makes the key where there is none. */
  serverKey: {
    params: z.strictObject({}),
    result: z.object({ publicLine: z.string(), keyFile: z.string() }),
  },
} as const;

export type ServerControl = HandlersOf<typeof SERVER_METHODS>;

export interface ServerControlOptions extends ServerChecksOptions {
  readonly servers: readonly Server[];
  readonly serversFile: string | null;
  /** SERVERS_USER. */
  readonly user: string;
  readonly scan: HostKeyScan;
  readonly known: KnownServers;
  readonly keys: Pick<ServerKeys, 'publicLine' | 'keyFile'>;
  readonly audit: Pick<Audit, 'record'>;
}

/** What node-ctl can have a node do about them. @throws AppError `server.not-found`, `server.not-shown`, as `Remote.open` */
export function createServerControl(options: ServerControlOptions): ServerControl {
  const { servers, serversFile, user, scan, known, keys, audit } = options;
  return {
    servers: async () => ({
      serversFile,
      servers: servers.map((server) => ({
        ...{ id: server.id, name: server.name, host: server.host, port: server.port },
        ...{ user: server.user ?? user, enabled: server.enabled, audiosFrom: server.audiosFrom },
        commands: [...server.commands],
        hostKeys: [...known.trusted(server)],
        macFiles: server.macFiles.map((file) => file.path),
      })),
    }),
    serverTest: async ({ id }, signal) => {
      const server = namedServer(servers, id);
      return { id: server.id, checks: await checkServer(options, server, withinLimit(signal)) };
    },
    serverHostKeys: async ({ id }, signal) => {
      const server = namedServer(servers, id);
      const shown = await scan.hostKeys(server, withinLimit(signal));
      const trusted = known.trusted(server);
      return {
        ...{ id: server.id, host: server.host, port: server.port },
        keys: shown.map((key) => ({ ...key, isKnown: trusted.includes(key.fingerprint) })),
        others: trusted.filter((one) => !shown.some((key) => key.fingerprint === one)),
      };
    },
    serverTrust: async ({ id, fingerprints }, signal) => {
      const server = namedServer(servers, id);
      const shown = await scan.hostKeys(server, withinLimit(signal));
      const agreed = shown.filter((key) => fingerprints.includes(key.fingerprint));
      const missing = fingerprints.find((one) => !agreed.some((key) => key.fingerprint === one));
      if (missing !== undefined) {
        const shows = shown.map((key) => `${key.fingerprint} (${key.type})`).join(', ');
        throw new AppError(
          'server.not-shown',
          `${server.id} does not show ${missing}; it shows ${shows}. Nothing was stored`,
        );
      }
      await known.trust(server, agreed);
      await audit.record({
        event: 'server.trusted',
        ...{ server: server.id, host: server.host, port: server.port },
        hostKeys: agreed.map((key) => key.fingerprint),
      });
      const count = agreed.length === 1 ? '1 host key' : `${agreed.length} host keys`;
      return { id: server.id, message: `${server.id} is trusted by ${count}` };
    },
    serverKey: async () => ({ publicLine: await keys.publicLine(), keyFile: keys.keyFile }),
  };
}
