import type { ChangeablePeople, Person } from '../access/people.ts';
import type { Answers } from '../mail/answers.ts';
import { AppError } from '../platform/errors.ts';
import { type Json, repeatable } from '../queue/steps.ts';
import type { WhitelistView } from '../replies/command-views.ts';
import { whitelistMail } from '../replies/whitelist.ts';
import type { Job } from '../../protocol/job.ts';
import type { Command, JobContext } from './command.ts';
import { mayTheSame, personView, tellOfChange, type TellingOptions } from './people-changes.ts';
import {
  WHITELIST_EXAMPLES,
  WHITELIST_FIELDS,
  type WhitelistGrammar,
  type WhitelistParams,
  whitelistParamsSchema,
} from './whitelist-grammar.ts';

export interface WhitelistServices extends TellingOptions {
  readonly grammar: WhitelistGrammar;
  readonly people: ChangeablePeople;
  readonly answers: Answers;
  readonly timeZone: string;
}

/** WHITELIST: admins say who may ask for what; it counts at once on both nodes, and all admins are told. */
export function createWhitelistCommand(services: WhitelistServices): Command<WhitelistParams> {
  const { grammar, people, answers, timeZone } = services;
  return {
    keyword: 'WHITELIST',
    fields: WHITELIST_FIELDS,
    schema: whitelistParamsSchema,
    example: () => WHITELIST_EXAMPLES[0] ?? '',
    examples: () => WHITELIST_EXAMPLES,
    parse: grammar.parse,
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, params, context) => {
      const by = job.request.requester;
      // Judged again: it may have waited, and one admin can remove another.
      if (by === null || people.find(by)?.role !== 'admin') {
        throw new AppError('access.not-permitted', `${by ?? 'nobody'} is no admin`);
      }
      const told =
        params.action === 'list' ? listed(people) : await change(services, job, params, by, context);
      const { subject, requester } = job.request;
      const asked = { subject, requester, jobId: job.id, timeZone };
      await answers.send(job, context, 'result', whitelistMail({ ...asked, ...told }));
      const about = params.address === null ? '' : ` ${params.address}`;
      return { kind: 'done', summary: `${told.what}${about}` };
    },
  };
}

type Told = Pick<WhitelistView, 'what' | 'person' | 'before' | 'people'>;

function listed(people: ChangeablePeople): Told {
  return { what: 'list', person: null, before: null, people: people.list().map(personView) };
}

/** Makes a change once: how it was before is on disk first, so that the answer after a crash says the same. */
async function change(
  services: WhitelistServices,
  job: Job,
  params: WhitelistParams,
  by: string,
  { step }: JobContext,
): Promise<Told> {
  const { people } = services;
  const { action, address, role, extensions, servers } = params;
  if (address === null) throw new AppError('job.invalid', 'a change names somebody');
  const before = await step(
    'whitelist:before',
    repeatable(async () => stored(address, rightsNow(people, address))),
  );
  const after = await step(
    'whitelist:change',
    repeatable(async () => {
      const done =
        action === 'add' && role !== null
          ? await people.put({ address, role, extensions, servers }, by)
          : await people.remove(address, by);
      return { changed: done.changed, ...stored(address, done.after) };
    }),
  );
  const what = whatOf(after.changed, before.person, after.person);
  if (what !== 'unchanged') {
    const told = { address, before: before.person, after: after.person, by, about: job.id, job: job.id };
    await step(
      'whitelist:tell',
      repeatable(async () => {
        await tellOfChange(services, told);
        return null;
      }),
    );
  }
  // Of whom there is nothing to tell, the mail needs the address.
  const shown = after.person ?? (before.person === null ? { ...NOBODY, address } : null);
  return {
    what,
    person: shown === null ? null : personView(shown),
    before: before.person === null ? null : personView(before.person),
    people: [],
  };
}

type StoredPerson = { readonly person: (Person & Readonly<Record<string, Json>>) | null };

const NOBODY = { role: 'consulta', extensions: [], servers: [], added: null } as const;

function stored(address: string, person: Person | null): StoredPerson {
  return { person: person === null ? null : { ...person, address } };
}

/** What applies to an address, by itself or by its domain. */
function rightsNow(people: ChangeablePeople, address: string): Person | null {
  if (!address.startsWith('@')) return people.find(address);
  return people.list().find((person) => person.address === address) ?? null;
}

function whatOf(changed: boolean, before: Person | null, after: Person | null): Told['what'] {
  if (after === null) return before === null ? 'unchanged' : 'removed';
  if (before === null) return 'added';
  return !changed && mayTheSame(before, after) ? 'unchanged' : 'changed';
}
