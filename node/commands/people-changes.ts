import type { Person } from '../access/people.ts';
import type { Audit } from '../audit.ts';
import type { JobAcceptor } from '../queue/spool.ts';
import type { PersonView } from '../replies/command-views.ts';
import { rightsText } from '../replies/roles.ts';
import { noticeJob } from './answer-jobs.ts';

export interface TellingOptions {
  readonly audit: Audit;
  readonly acceptor: JobAcceptor;
}

/** A change in who may ask, that is on disk. */
export interface ToldChange {
  readonly address: string;
  readonly before: Person | null;
  readonly after: Person | null;
  /** An address, or `node-ctl`. */
  readonly by: string;
  /** Names the change: told twice, it is one notice. */
  readonly about: string;
  /** The job that asked for it; null for an operator. */
  readonly job: string | null;
}

/** Puts a change into the audit log and tells all admins. Called again after a crash, it adds but the audit entry. */
export async function tellOfChange(
  { audit, acceptor }: TellingOptions,
  { address, before, after, by, about, job }: ToldChange,
): Promise<void> {
  const what = after === null ? 'removed' : before === null ? 'added' : 'changed';
  const told = { person: address, by, before: rightsOf(before), after: rightsOf(after) };
  await audit.record({ event: `person.${what}`, ...(job === null ? {} : { job }), ...told });
  const details = { person: address, before: rightsText(before), after: rightsText(after), by };
  await acceptor.accept(noticeJob('whitelist-changed', about, details));
}

function rightsOf(person: Person | null): Pick<Person, 'role' | 'extensions' | 'servers'> | null {
  if (person === null) return null;
  const { role, extensions, servers } = person;
  return { role, extensions, servers };
}

/** A person as mails show them. */
export function personView({ added, ...rights }: Person): PersonView {
  return {
    ...rights,
    added: added === null ? null : { by: added.by, at: Temporal.Instant.from(added.at) },
  };
}

/** Whether two may do the same. */
export function mayTheSame(a: Person, b: Person): boolean {
  return JSON.stringify(rightsOf(a)) === JSON.stringify(rightsOf(b));
}
