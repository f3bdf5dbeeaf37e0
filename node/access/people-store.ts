import * as z from 'zod';
import { AppError } from '../platform/errors.ts';
import type { AccessRecord, AccessStore } from './access-store.ts';
import {
  type ChangeablePeople,
  MAX_LIMITS,
  type PeopleChange,
  type Person,
  type Role,
  roleSchema,
} from './people.ts';

const PREFIX = 'person:';
const ADDRESS = /^[^\s@<>()[\]\\,;:"]+@[a-z0-9.-]+$/;
const DOMAIN = /^@[a-z0-9.-]+$/;
const MAX_ADDRESS_LENGTH = 320;

const limitsSchema = z.array(z.string().min(1).max(64)).max(MAX_LIMITS).nullable();
const valueSchema = z.object({ role: roleSchema, extensions: limitsSchema, servers: limitsSchema });

export interface PeopleOptions {
  readonly store: AccessStore;
  /** WHITELIST of the configuration: addresses, and domains as `@example.com`. */
  readonly whitelist: readonly string[];
  /** ADMIN_EMAIL: the first admin, who is always one. */
  readonly adminEmail: string;
}

/**
 * Who may ask for something: the configuration's people with the role `operador`, and over them what was changed
 * since, here or on the peer. Who was removed by name stays out, though the configuration names their domain.
 * @throws AppError `access.whitelist` for an entry that is neither an address nor a domain
 */
export function createPeople({ store, whitelist, adminEmail }: PeopleOptions): ChangeablePeople {
  const firstAdmin = keyOf(adminEmail);
  const configured = new Map<string, Person>();
  for (const entry of whitelist) {
    const address = keyOf(entry);
    configured.set(address, unlimited(address, 'operador'));
  }
  configured.set(firstAdmin, unlimited(firstAdmin, 'admin'));

  /** Undefined where nothing is said of exactly this address; null where it was removed. */
  const said = (address: string): Person | null | undefined => {
    const record = address === firstAdmin ? null : store.get(PREFIX + address);
    return record === null ? configured.get(address) : personOf(record);
  };
  const find = (text: string): Person | null => {
    const address = text.trim().toLowerCase();
    // One address: of `eve@x, ana@example.com` a domain would let in the second, and both would be answered.
    if (!ADDRESS.test(address)) return null;
    const at = address.lastIndexOf('@');
    const own = said(address);
    if (own !== undefined) return own;
    // `ana+x@` is mail of `ana@`: what is said of her by name is not to be got round by her domain.
    const plus = address.indexOf('+');
    const isTagged = plus > 0 && plus < at && said(address.slice(0, plus) + address.slice(at)) !== undefined;
    return isTagged ? null : (said(address.slice(at)) ?? null);
  };
  const list = (): Person[] => {
    const addresses = new Set(configured.keys());
    for (const { key } of store.list(PREFIX)) addresses.add(key.slice(PREFIX.length));
    return [...addresses].toSorted().flatMap((address) => said(address) ?? []);
  };
  const refuseFirstAdmin = (address: string): void => {
    if (address !== firstAdmin) return;
    throw new AppError('access.first-admin', `${firstAdmin} is ADMIN_EMAIL and stays an unlimited admin`);
  };

  return {
    find,
    list,
    allows: (address) => find(address) !== null,
    admins: () => [
      firstAdmin,
      ...list().flatMap(({ address, role }) => (role === 'admin' && address !== firstAdmin ? [address] : [])),
    ],
    put: async ({ address: text, role, extensions, servers }, by): Promise<PeopleChange> => {
      const address = keyOf(text);
      refuseFirstAdmin(address);
      if (role === 'admin' && (address.startsWith('@') || extensions !== null || servers !== null)) {
        throw new AppError('access.admin', 'an admin is one address and is not limited');
      }
      const before = said(address) ?? null;
      const value = valueSchema.parse({ role, extensions: sorted(extensions), servers: sorted(servers) });
      if (before !== null && isSame(before, value)) return { changed: false, before, after: before };
      return { changed: true, before, after: personOf(await store.put(PREFIX + address, value, by)) };
    },
    remove: async (text, by): Promise<PeopleChange> => {
      const address = keyOf(text);
      refuseFirstAdmin(address);
      // Also one who is let in by their domain alone: by name they are out from then on.
      const found = said(address) ?? (address.startsWith('@') ? null : find(address));
      const before = found === null ? null : { ...found, address };
      if (before === null) return { changed: false, before, after: null };
      await store.put(PREFIX + address, null, by);
      return { changed: true, before, after: null };
    },
  };
}

/** What was said of somebody and of their domain, over the configuration. */
export function recordsOf(store: Pick<AccessStore, 'get'>, address: string): AccessRecord[] {
  const own = address.trim().toLowerCase();
  return [own, own.slice(own.lastIndexOf('@'))].flatMap((name) => store.get(PREFIX + name) ?? []);
}

/** An entry in the form in which it is compared. @throws AppError `access.whitelist` */
function keyOf(text: string): string {
  const entry = text.trim().toLowerCase();
  if (entry.length <= MAX_ADDRESS_LENGTH && (ADDRESS.test(entry) || DOMAIN.test(entry))) return entry;
  throw new AppError('access.whitelist', `"${entry}" is neither an address nor a domain as @example.com`);
}

function unlimited(address: string, role: Role): Person {
  return { address, role, extensions: null, servers: null, added: null };
}

/** What a record says of a person; of one that cannot be understood, that nobody is let in by it. */
function personOf({ key, value, by, at }: AccessRecord): Person | null {
  const address = key.slice(PREFIX.length);
  const read = valueSchema.safeParse(value);
  // Mails go to admins: one that is no address would keep them from all.
  const isWhole = ADDRESS.test(address) || (DOMAIN.test(address) && read.data?.role !== 'admin');
  return read.success && isWhole ? { address, ...read.data, added: { by, at } } : null;
}

function sorted(limits: readonly string[] | null): string[] | null {
  return limits === null ? null : [...new Set(limits)].toSorted();
}

function isSame({ role, extensions, servers }: Person, value: z.infer<typeof valueSchema>): boolean {
  const text = (limits: readonly string[] | null): string => JSON.stringify(sorted(limits));
  return (
    role === value.role &&
    text(extensions) === text(value.extensions) &&
    text(servers) === text(value.servers)
  );
}
