export const RANGE = 'INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00';
const GOOD = `RAMAIS=1121 ${RANGE}`;
const MANY = Array.from({ length: 11 }, (_, at) => 1121 + at).join(',');

/** A subject, and the faults that its answer is to tell of: `FIELD code`. */
export const FAULTY: readonly (readonly [what: string, subject: string, ...faults: string[]])[] = [
  ['an impossible date', 'RAMAIS=1121 INICIO=31/02/2025 FIM=01/03/2025', 'INICIO date-impossible'],
  ['an end before its start', 'RAMAIS=1121 INICIO=28/10/2025 FIM=27/10/2025', 'FIM end-before-start'],
  ['an extension of nine digits', `RAMAIS=112211221 ${RANGE}`, 'RAMAIS extension-form'],
  ['too many extensions', `RAMAIS=${MANY} ${RANGE}`, 'RAMAIS extensions-too-many'],
  ['a span of extensions', `RAMAIS=1121-1125 ${RANGE}`, 'RAMAIS extension-span'],
  ['too long a range', 'RAMAIS=1121 INICIO=01/01/2025 FIM=31/03/2025', 'FIM range-too-long'],
  ['a range in the future', 'RAMAIS=1121 INICIO=01/01/2090 FIM=02/01/2090', 'INICIO range-in-future'],
  ['an unknown server', `RAMAIS=1121 SERVER=gv9 ${RANGE}`, 'SERVER server-unknown'],
  ['a source that is not served', `${GOOD} audios_from=s3`, 'AUDIOS_FROM source-not-served'],
  ['an unknown field', `${GOOD} COR=azul`, 'COR field-unknown'],
  ['a repeated field', `RAMAIS=1121 INICIO=26/10/2025 ${RANGE}`, 'INICIO field-repeated'],
  ['a missing field', 'RAMAIS=1121 INICIO=27/10/2025', 'FIM field-missing'],
  ['no command', 'Bom dia, preciso de umas gravações', 'SUBJECT no-command'],
  ['an unknown command', `RAMAISS=1121 ${RANGE}`, 'SUBJECT unknown-command'],
  ['an empty subject', '', 'SUBJECT subject-empty'],
  ['a subject without end', `${GOOD} ${'OI '.repeat(400)}`, 'SUBJECT subject-too-long'],
  [
    'a script',
    `RAMAIS=<script>alert(1)</script><img src=x> ${RANGE}`,
    'SRC field-unknown',
    'RAMAIS extension-form',
  ],
  ['a formula', `RAMAIS==HYPERLINK("http://x.example.test","1121") ${RANGE}`, 'RAMAIS extension-form'],
  [
    'all at once',
    'RAMAIS=12 INICIO=31/02/2025 FIM=x',
    'RAMAIS extension-form',
    'INICIO date-impossible',
    'FIM date-unreadable',
  ],
];
