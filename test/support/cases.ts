import { join } from 'node:path';
import type { MailServers } from './exim.ts';
import { type NodeOptions, type NodeUnderTest, prepareNode } from './node.ts';
import { kindOf, mailsOf } from './people.ts';

/** A node that can be told when to die; see killable-node.ts. */
const KILLABLE = join(import.meta.dirname, 'killable-node.ts');

/** A node with mailboxes of its own, so that cases share servers and nothing else. */
export interface Case {
  readonly node: NodeUnderTest;
  /** Addresses: the node's mailbox, whom it serves, and its admin. */
  readonly mailbox: string;
  readonly requester: string;
  readonly admin: string;
  /** Results of this case lie under it in the bucket. */
  readonly prefix: string;
}

let prepared = 0;

/** Prepares a node of a case; it is not started. */
export async function prepareCase(options: NodeOptions): Promise<Case> {
  prepared += 1;
  const number = prepared; // others are prepared meanwhile
  const addressOf = (who: string): string => `${who}-${number}@example.test`;
  const [mailbox, requester, admin] = [addressOf('comandos'), addressOf('pessoa'), addressOf('admin')];
  const prefix = `entregas-${number}`;
  const node = await prepareNode({
    main: KILLABLE,
    ...options,
    settings: {
      EMAIL_SERVICE: mailbox,
      SMTP_FROM: mailbox,
      WHITELIST: requester,
      ADMIN_EMAIL: admin,
      ...(options.s3 === undefined ? {} : { S3_PUBLISH_PREFIX: prefix }),
      ...options.settings,
    },
  });
  return { node, mailbox, requester, admin, prefix: `${prefix}/` };
}

/** The kinds of all mails that somebody has, sorted. */
export async function kindsTo(servers: MailServers, user: string, mailbox = 'INBOX'): Promise<string[]> {
  return (await mailsOf(servers, user, mailbox)).map(kindOf).toSorted();
}
