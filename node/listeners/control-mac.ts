import * as z from 'zod';
import type { Audit } from '../audit.ts';
import { AppError } from '../platform/errors.ts';
import type { Server } from '../servers/inventory.ts';
import type { MacReport, Phones } from '../servers/mac-phones.ts';
import type { HandlersOf } from './control-table.ts';
import { namedServer, serverIdSchema, withinLimit } from './named-servers.ts';

const extension = z.string().regex(/^[0-9]{3,8}$/, 'must be an extension: 3 to 8 digits');
const backup = z.string().min(1).max(2000);

export const macViewSchema = z.object({
  server: z.string(),
  extension: z.string(),
  files: z.array(
    z.object({ path: z.string(), macs: z.array(z.string().nullable()), problem: z.string().nullable() }),
  ),
});
export type MacServerView = z.infer<typeof macViewSchema>;

const fact = z.object({ code: z.string(), message: z.string() });
export const macRestoredSchema = z.object({
  server: z.string(),
  state: z.enum(['changed', 'already', 'refused']),
  files: z.array(
    z.object({
      path: z.string(),
      before: z.string().nullable(),
      after: z.string().nullable(),
      backup: z.string().nullable(),
    }),
  ),
  refusal: fact.nullable(),
  warnings: z.array(fact),
  /** Of the files as they were before they were put back. */
  backup: z.string().nullable(),
});
export type MacRestored = z.infer<typeof macRestoredSchema>;

/** The calls about phones in definition files, for the table of all. */
export const MAC_METHODS = {
  /** What the files of a server say of an extension; changes nothing. */
  macShow: { params: z.strictObject({ server: serverIdSchema, extension }), result: macViewSchema },
  /** Takes a change back, in all its files or none. */
  macRestore: { params: z.strictObject({ server: serverIdSchema, backup }), result: macRestoredSchema },
} as const;

export type MacControl = HandlersOf<typeof MAC_METHODS>;

export interface MacControlOptions {
  readonly servers: readonly Server[];
  readonly phones: Phones;
  readonly audit: Pick<Audit, 'record'>;
}

/** What node-ctl can have a node do about them. @throws AppError `server.not-found`, and as {@link Phones} */
export function createMacControl({ servers, phones, audit }: MacControlOptions): MacControl {
  return {
    macShow: async ({ server: id, extension: asked }, signal) => {
      const server = namedServer(servers, id);
      if (server.macFiles.length === 0) {
        throw new AppError('request.invalid', `SERVERS_FILE declares no mac_files for ${server.id}`);
      }
      const view = await phones.show(server, asked, withinLimit(signal));
      const files = view.files.map((file) => ({ ...file, macs: [...file.macs] }));
      return { server: server.id, extension: view.extension, files };
    },
    macRestore: async ({ server: id, backup: name }, signal) => {
      const server = namedServer(servers, id);
      const report = await phones.restore(server, name, withinLimit(signal));
      await audit.record({
        event: 'mac.restored',
        ...{ server: server.id, restored: name, by: 'node-ctl', state: report.state, files: report.files },
        ...{ refusal: report.refusal?.code ?? null, backup: report.backup },
      });
      return restoredOf(server.id, report);
    },
  };
}

function restoredOf(
  server: string,
  { state, files, refusal, warnings, backup: kept }: MacReport,
): MacRestored {
  return { server, state, files: [...files], refusal, warnings: [...warnings], backup: kept };
}
