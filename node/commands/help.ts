import type { People, Person } from '../access/people.ts';
import { mayUse, permissionFaults, type RoleCommands } from './permission.ts';
import type { Answers } from '../mail/answers.ts';
import type { HelpView } from '../replies/command-views.ts';
import { helpMail } from '../replies/help.ts';
import { askerOf } from './asker.ts';
import { type Nothing, nothingSchema, parseBare } from './bare-grammar.ts';
import type { Command } from './command.ts';
import type { Registry } from './registry.ts';

/** Extensions in the example of somebody who is limited to many. */
const MAX_EXAMPLE_EXTENSIONS = 2;

export interface HelpServices {
  readonly answers: Answers;
  readonly people: Pick<People, 'find'>;
  readonly roleCommands: RoleCommands;
  /** Of which this command is one: asked when it works. */
  readonly registry: () => Registry;
  /** Address that takes requests. */
  readonly mailbox: string;
  readonly tokenRequired: boolean;
  readonly timeZone: string;
}

/** AJUDA: what this person may ask for, with subjects that they could send as they are. */
export function createHelp(services: HelpServices): Command<Nothing> {
  const { answers, people, mailbox, tokenRequired, timeZone } = services;
  return {
    keyword: 'AJUDA',
    bare: true,
    fields: { AJUDA: ['HELP'] },
    schema: nothingSchema,
    example: () => 'AJUDA',
    parse: (fields) => parseBare('AJUDA', fields),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, _params, context) => {
      const { subject, requester } = job.request;
      const person = askerOf(people, job);
      const { role, extensions, servers } = person;
      const commands = commandsFor(person, services.registry(), services.roleCommands);
      const view = { subject, requester, jobId: job.id, timeZone, role, extensions, servers };
      await answers.send(job, context, 'result', helpMail({ ...view, commands, mailbox, tokenRequired }));
      return { kind: 'done', summary: `told of ${commands.length} commands` };
    },
  };
}

/** The commands that a person may use, each with subjects that they may send; none of which none is left. */
export function commandsFor(
  person: Person,
  registry: Registry,
  roleCommands: RoleCommands,
): HelpView['commands'] {
  return registry.keywords.flatMap((keyword) => {
    const command = registry.get(keyword);
    if (command === undefined || !mayUse(person.role, keyword, roleCommands)) return [];
    const examples = (command.examples?.() ?? [command.example()]).flatMap((example) => {
      const fitting = fitted(example, keyword, person);
      return fitting.find((text) => isPermitted(text, person, registry, roleCommands)) ?? [];
    });
    return examples.length === 0 ? [] : [{ keyword, examples: [...new Set(examples)] }];
  });
}

/** An example of ours as it is, and within a person's limits: with their own extensions, and then their server too. */
function fitted(example: string, keyword: string, { extensions, servers }: Person): string[] {
  const own = (extensions ?? []).slice(0, MAX_EXAMPLE_EXTENSIONS);
  const [first] = own;
  const ours =
    first === undefined
      ? example
      : example
          .replace(/\bRAMAIS=\S+/, `RAMAIS=${own.join(',')}`)
          .replace(/\bMACCHANGE=\S+/, `MACCHANGE=${first}`);
  const [server] = servers ?? [];
  if (server === undefined) return [example, ours];
  const there = /\bSERVER=\S+/;
  // A field of its own is put before times and dates, which hold blanks.
  const withServer = there.test(ours)
    ? ours.replace(there, `SERVER=${server}`)
    : ours.replace(new RegExp(`\\b${keyword}=\\S+`), `$& SERVER=${server}`);
  return [example, ours, withServer];
}

function isPermitted(
  example: string,
  person: Person,
  registry: Registry,
  roleCommands: RoleCommands,
): boolean {
  const parsed = registry.parse(example);
  if (!parsed.ok) return false;
  const { command, params } = parsed;
  const touched = command.touches?.(params) ?? null;
  return permissionFaults(person, command.keyword, touched, roleCommands).length === 0;
}
