import { AppError } from '../platform/errors.ts';

/** A published object's place: the job it belongs to, and its name there. */
export interface ObjectKey {
  readonly job: string;
  readonly name: string;
}

const JOB = /^[0-9a-f]{64}$/;
/** Starts with a letter or digit, so that no name is hidden, relative, or one of our temporary files. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** Whether the parts of a path are ones that we would have made. */
export function isObjectKey(job: string, name: string): boolean {
  return JOB.test(job) && NAME.test(name);
}

/** Whether a job id is one: 64 hexadecimal digits. */
export function isJobId(job: string): boolean {
  return JOB.test(job);
}

/** Takes `<job>/<name>` apart. @throws AppError `publish.bad-key`: nothing of ours makes such a key */
export function parseKey(key: string): ObjectKey {
  const [job = '', name = '', ...rest] = key.split('/');
  if (rest.length > 0 || !isObjectKey(job, name)) {
    throw new AppError('publish.bad-key', `not the key of a published object: ${key}`);
  }
  return { job, name };
}

/** The name of an object in its key, `<job>/<name>`; in a bucket others put more before it. */
export function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** @throws AppError `publish.bad-key` for what is not a job's id */
export function checkJobId(job: string): string {
  if (!isJobId(job)) throw new AppError('publish.bad-key', `not a job's id: ${job}`);
  return job;
}

/** @throws AppError `publish.bad-key` for a node id that cannot stand in a path */
export function checkNodeId(nodeId: string): string {
  if (!NODE_ID.test(nodeId)) throw new AppError('publish.bad-key', `not a node's id: ${nodeId}`);
  return nodeId;
}
