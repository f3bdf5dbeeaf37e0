import fc from 'fast-check';
import { parseAuthResults, printAuthResults } from '../../node/access/auth-results.ts';
import { envelopeOf } from '../../node/access/client-address.ts';
import { claimedSenders, headerAmbiguity } from '../../node/access/one-author.ts';
import { cutTokens, holdsToken } from '../../node/access/token-cut.ts';
import { MAX_SUBJECT_LENGTH } from '../../node/commands/subject.ts';
import { readMessage } from '../../node/mail/message.ts';
import { codeOf } from '../../node/platform/errors.ts';
import { registry, subjectOf } from './commands.ts';
import { same, target, type Target } from './engine.ts';
import { damaged, textOf } from './inputs.ts';

const LISTED = new Set(['A1B2C3D4', '12345678']);
/** A subject, with its token cut out as at the door: an answer whatever stands in it; what is right reads back the same. */
const subject = target(
  'subject',
  18,
  fc.oneof(
    textOf([
      ...[
        'RAMAIS=',
        'INICIO=',
        'FIM=',
        'SERVER=',
        'CHECKIP=',
        'MODO=VER',
        'MACCHANGE=',
        'MACATUAL=',
        'MACFUTURO=',
        'AUDIOS_FROM=',
      ],
      ...[
        'WHITELIST ',
        'ADD ',
        'REMOVE ',
        'LIST',
        'PAPEL=consulta',
        'STATUS',
        'FILA',
        'CANCELAR=',
        'REENVIAR ',
        'AJUDA',
        ' ',
        ' ',
      ],
      ...[
        '1121',
        '1121,1122',
        '203.0.113.9',
        '2001:db8::1',
        '010203040506',
        'pessoa@example.com',
        '3f9a1c02',
        'gv1p',
        's3',
      ],
      ...['27/10/2025 08:00', '28/10/2025', '[A1B2C3D4]', '12345678', 'Re: ', 'ontem', 'RAMAS=', 'Fwd: '],
    ]),
    damaged(
      fc.constantFrom(
        '[A1B2C3D4] RAMAIS=1121,1122 SERVER=gv2p INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00',
        '[A1B2C3D4] CHECKIP=203.0.113.9 SERVER=gv1p MODO=VER',
        'MACCHANGE=3010 MACATUAL=000b82040506 MACFUTURO=000b82040599 SERVER=gv2p',
        'WHITELIST ADD pessoa@example.com PAPEL=consulta RAMAIS=1121 SERVER=gv1p',
        'CANCELAR=3f9a1c02',
      ),
    ),
  ),
  (text) => {
    const cut = cutTokens(text, LISTED).subject;
    if (holdsToken(cut, LISTED)) throw new Error(`a token is left: ${cut}`);
    const parsed = registry.parse(cut);
    if (!parsed.ok) {
      if (parsed.corrected === null) return;
      if (parsed.corrected.length > MAX_SUBJECT_LENGTH) throw new Error('the corrected one is too long');
      if (!registry.parse(parsed.corrected).ok) throw new Error(`not right: ${parsed.corrected}`);
      return;
    }
    const written = subjectOf(parsed.command, parsed.params);
    const again = registry.parse(written);
    if (!again.ok) throw new Error(`${written} is not read: ${JSON.stringify(again.faults)}`);
    same([again.command.keyword, again.params], [parsed.command.keyword, parsed.params], 'read back');
  },
);

/** The header of a mail: who it is from, or that nobody can say; an address that was read is read again. */
const address = target(
  'address',
  3,
  textOf([
    ...[
      'From: ',
      'from:',
      'Subject: ',
      'Message-ID: <a@example.com>',
      'Received: from x ([203.0.113.9]) by mx.example.com',
      '\r\n',
      ' ',
    ],
    ...[
      'Ana Lima ',
      '<ana@example.com>',
      'ana@example.com',
      '"a@b" ',
      '(comment) ',
      'grupo: ',
      ';',
      ',',
      '=?UTF-8?Q?ana=40example.com?=',
    ],
    ...['Authentication-Results: ', 'Sender: ', 'References: ', '<', '>', '@', '"', '\r\n '],
  ]),
  async (text) => {
    const raw = Buffer.from(text);
    headerAmbiguity(raw);
    claimedSenders(raw);
    envelopeOf(raw);
    const mail = await readMessage(raw).catch((error: unknown) => {
      if (codeOf(error) !== 'mail.unparsable') throw error;
      return null;
    });
    if (mail === null || mail.from === null) return;
    const { address: found } = mail.from;
    const again = await readMessage(Buffer.from(`From: ${found}\r\nSubject: x\r\n\r\n`));
    same(again.from?.address, found, 'read back');
  },
);

const authResults = target(
  'authentication-results',
  15,
  fc.oneof(
    textOf([
      ...[
        'mx.google.com',
        ';',
        '; ',
        'dmarc=pass',
        'dmarc=fail',
        'header.from=example.com',
        'dkim=pass',
        ' ',
        '(',
        ')',
        '(p=NONE)',
        '\\',
      ],
      ...[
        'spf=pass',
        'smtp.mailfrom=',
        '"',
        'none',
        '1',
        '/1',
        '=',
        'reason="a b"',
        '@example.com',
        'header.i=@example.com',
        '\r\n\t',
      ],
    ]),
    damaged(
      fc.constant(
        'mx.google.com 1; dkim=pass (ok) header.i=@example.com; dmarc=pass (p=NONE sp=NONE) header.from=example.com',
      ),
    ),
  ),
  (text) => {
    const parsed = parseAuthResults(text);
    if (parsed !== null) same(parseAuthResults(printAuthResults(parsed)), parsed, 'read back');
  },
);

/** What reads mails. */
export const MAIL_TARGETS: readonly Target[] = [subject, address, authResults];
