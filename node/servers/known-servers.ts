import * as z from 'zod';
import type { Clock } from '../platform/clock.ts';
import { isMissing, readBounded, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import type { Server } from './inventory.ts';
import type { HostKey } from './remote.ts';

const MAX_FILE_BYTES = 4_194_304;
/** Far above as many servers as SERVERS_FILE takes; the oldest make room. */
const MAX_ADDRESSES = 5000;

const fileSchema = z.strictObject({
  version: z.literal(1),
  /** By `host:port`: a server that moves is another one, whatever it is called. */
  servers: z.record(
    z.string(),
    z.strictObject({
      at: z.string(),
      keys: z.array(z.strictObject({ type: z.string(), fingerprint: z.string() })),
    }),
  ),
});
type KnownFile = z.infer<typeof fileSchema>;

/** Host keys that an operator of this node has said yes to. */
export interface KnownServers {
  /** Fingerprints of the host keys that a server may show: those of SERVERS_FILE, and those stored here. */
  trusted(server: Server): readonly string[];
  /** These, in the place of what was stored for its address; on disk when it resolves. */
  trust(server: Server, keys: readonly HostKey[]): Promise<void>;
}

/**
 * Over STATE_DIR/known_servers.json.
 * @throws AppError `server.known-damaged`: a file that is not understood must not become one that knows nobody, as
 * the next yes would then write over it
 */
export async function openKnownServers(path: string, clock: Clock): Promise<KnownServers> {
  let known = await read(path);
  const oneByOne = createKeyedMutex();
  return {
    trusted: (server) => {
      const stored = known.servers[addressKey(server)]?.keys ?? [];
      return [...new Set([...server.hostKeys, ...stored.map((key) => key.fingerprint)])];
    },
    trust: (server, keys) =>
      oneByOne(path, async () => {
        const entry = {
          at: clock.now().toString(),
          keys: keys.map(({ type, fingerprint }) => ({ type, fingerprint })),
        };
        const all = Object.entries({ ...known.servers, [addressKey(server)]: entry });
        const newest = all.toSorted(([, a], [, b]) => b.at.localeCompare(a.at)).slice(0, MAX_ADDRESSES);
        const next: KnownFile = { version: 1, servers: Object.fromEntries(newest) };
        await writeDurable(path, `${JSON.stringify(next, null, 2)}\n`);
        known = next;
      }),
  };
}

async function read(path: string): Promise<KnownFile> {
  try {
    return fileSchema.parse(JSON.parse((await readBounded(path, MAX_FILE_BYTES)).toString('utf8')));
  } catch (error) {
    if (isMissing(error)) return { version: 1, servers: {} };
    throw new AppError(
      'server.known-damaged',
      `${path} cannot be read (${messageOf(error)}); put a copy in its place, or remove it and run node-ctl server trust for each server`,
      { cause: error },
    );
  }
}

function addressKey({ host, port }: Server): string {
  return `${host.toLowerCase()}:${port}`;
}
