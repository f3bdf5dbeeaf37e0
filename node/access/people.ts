import * as z from 'zod';

/** Of extensions or servers that one person is limited to; a large company has some hundreds. */
export const MAX_LIMITS = 1000;

/** What somebody may do, from all to least. */
export const roleSchema = z.enum(['admin', 'operador', 'consulta']);
export type Role = z.infer<typeof roleSchema>;

/** Somebody who may ask for something; `@example.com` stands for all of a domain. */
export interface Person {
  /** In lower case. */
  readonly address: string;
  readonly role: Role;
  /** The extensions this person may ask about; null for all. */
  readonly extensions: readonly string[] | null;
  /** Ids of the servers; null for all. */
  readonly servers: readonly string[] | null;
  /** Whether the configuration names this person, or who added them when. */
  readonly added: { readonly by: string; readonly at: string } | null;
}

/** Who may ask for something. */
export interface People {
  /** By the whole address, else by its domain; in any case. Null for a stranger. */
  find(address: string): Person | null;
  /** Whether somebody may ask for anything at all. */
  allows(address: string): boolean;
  /** Addresses of all admins, the first one (ADMIN_EMAIL) first. */
  admins(): readonly string[];
  /** All, by address. */
  list(): readonly Person[];
}

/** What people are told of a change. */
export interface PeopleChange {
  /** False where all is as it was asked for already. */
  readonly changed: boolean;
  readonly before: Person | null;
  readonly after: Person | null;
}

/** The same, to be changed; on disk when a change resolves, and told to the peer at once. */
export interface ChangeablePeople extends People {
  /** @throws AppError `access.first-admin`, `access.too-many` */
  put(person: Omit<Person, 'added'>, by: string): Promise<PeopleChange>;
  /** @throws AppError `access.first-admin` */
  remove(address: string, by: string): Promise<PeopleChange>;
}
