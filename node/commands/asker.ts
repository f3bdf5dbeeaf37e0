import type { Job } from '../../protocol/job.ts';
import type { People, Person } from '../access/people.ts';
import type { Permission } from './permission.ts';
import { AppError } from '../platform/errors.ts';
import type { Command } from './command.ts';

/** Whoever asks, as they are now: a request may have waited. @throws AppError `access.not-permitted` for a stranger */
export function askerOf(people: Pick<People, 'find'>, { request: { requester } }: Job): Person {
  const person = requester === null ? null : people.find(requester);
  if (person !== null) return person;
  throw new AppError('access.not-permitted', `${requester ?? 'nobody'} is not on the whitelist`);
}

/**
 * Judges a request again that may have waited for long; one that no mail made, an operator's, is let through.
 * @throws AppError `access.not-permitted`
 */
export function checkStillPermitted<P extends Parameters<Command['route']>[0]>(
  permission: Pick<Permission, 'faultsOf'>,
  { request: { requester } }: Job,
  command: Pick<Command<P>, 'keyword' | 'touches'>,
  params: P,
): void {
  if (requester === null) return;
  const [fault] = permission.faultsOf(requester, command, params);
  if (fault !== undefined) throw new AppError('access.not-permitted', `${requester}: ${fault.code}`);
}
