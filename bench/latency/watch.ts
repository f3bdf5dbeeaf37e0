import type { LineObserver } from './tap.ts';

/** What passed between the node and the IMAP server. */
export interface ImapTrace {
  readonly events: {
    readonly atMs: number;
    readonly from: 'client' | 'server';
    /** `EXISTS 7`, `FETCH done`, or the client's command without its tag. */
    readonly what: string;
  }[];
}

/** A mail that the node handed to the SMTP server. */
export interface SentTrace {
  readonly messageId: string;
  readonly inReplyTo: string;
  /** Which of our mails it is, as its Message-ID says. */
  readonly kind: string;
  /** MAIL FROM, the final dot, and the reply to it. */
  readonly beganMs: number;
  readonly dotMs: number;
  readonly repliedMs: number;
}

export interface SmtpTrace {
  readonly mails: SentTrace[];
  /** Connections made so far. */
  connections: number;
}

/** Observes IMAP (RFC 9051) for tagged commands, their ends, and `* n EXISTS`. */
export function observeImap(trace: ImapTrace): LineObserver {
  const commands = new Map<string, string>();
  return {
    fromClient: (line, atMs) => {
      const [, tag = '', command = line] = /^(\w+) ((?:UID )?[A-Z]+.*)$/.exec(line) ?? [];
      if (tag !== '') commands.set(tag, command.split(' ', 2).join(' '));
      trace.events.push({ atMs, from: 'client', what: command });
    },
    fromServer: (line, atMs) => {
      const exists = /^\* (\d+) EXISTS$/.exec(line)?.[1];
      const [, tag = ''] = /^(\w+) OK\b/.exec(line) ?? [];
      const command = commands.get(tag);
      if (exists !== undefined) trace.events.push({ atMs, from: 'server', what: `EXISTS ${exists}` });
      if (command !== undefined) trace.events.push({ atMs, from: 'server', what: `${command} done` });
    },
  };
}

/** Observes SMTP (RFC 5321) for mails that were taken: 250 after the final dot. */
export function observeSmtp(trace: SmtpTrace): LineObserver {
  trace.connections += 1;
  let stage: 'commands' | 'data' | 'replying' = 'commands';
  let header: string[] = [];
  let beganMs = 0;
  let dotMs = 0;
  const field = (name: string): string =>
    header.find((line) => line.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
  return {
    fromClient: (line, atMs) => {
      if (stage === 'data' && line === '.') {
        stage = 'replying';
        dotMs = atMs;
      } else if (stage === 'data') header.push(line);
      else if (line.startsWith('MAIL FROM:')) beganMs = atMs;
    },
    fromServer: (line, repliedMs) => {
      if (stage === 'commands' && line.startsWith('354 ')) {
        stage = 'data';
        header = [];
      } else if (stage === 'replying' && /^\d{3} /.test(line)) {
        stage = 'commands';
        if (!line.startsWith('250 ')) return;
        const messageId = field('message-id');
        const kind = /\.([a-z-]+)\.\d+@/.exec(messageId)?.[1] ?? 'foreign';
        trace.mails.push({ messageId, inReplyTo: field('in-reply-to'), kind, beganMs, dotMs, repliedMs });
      }
    },
  };
}
