/** A mail as a person would write it, as its source. `null` leaves a field out. */
export interface MailSource {
  readonly from?: string | null;
  readonly subject?: string | null;
  readonly messageId?: string | null;
  readonly date?: string | null;
  /** More header lines, each `Name: value`. */
  readonly extra?: readonly string[];
  readonly body?: string;
}

let count = 0;

/** The source of a mail; each call makes another Message-ID unless one is given. */
export function mailSource(source: MailSource = {}): string {
  count += 1;
  const fields: readonly (readonly [string, string | null])[] = [
    [
      'Message-ID',
      source.messageId === undefined ? `<${count}.${process.pid}@mail.example.test>` : source.messageId,
    ],
    ['From', source.from === undefined ? 'Ana Lima <ana@example.test>' : source.from],
    ['To', 'node@example.test'],
    ['Date', source.date === undefined ? 'Mon, 02 Mar 2026 09:00:00 -0300' : source.date],
    ['Subject', source.subject === undefined ? 'RAMAIS=1121 INICIO=01/03/2026' : source.subject],
  ];
  const lines = fields.flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return [...lines, ...(source.extra ?? []), '', source.body ?? 'Obrigada.', ''].join('\r\n');
}
