import { type ConvertingProgram, LONGEST_SECONDS } from './program-transcoder.ts';

/** How SoX takes what it is given: without a header it must be told all, and it looks for no other format than it is told. */
const INPUTS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    wav: ['-t', 'wav'],
    wav49: ['-t', 'wav'],
    gsm: ['-t', 'gsm'],
    ulaw: ['-t', 'ul', '-r', '8000', '-c', '1'],
    ul: ['-t', 'ul', '-r', '8000', '-c', '1'],
    alaw: ['-t', 'al', '-r', '8000', '-c', '1'],
    al: ['-t', 'al', '-r', '8000', '-c', '1'],
    sln: ['-t', 's16', '-r', '8000', '-c', '1'],
    sln16: ['-t', 's16', '-r', '16000', '-c', '1'],
  }),
);

/** SoX 14.4.2: a few milliseconds a recording. Knows no G.722 and no G.729. */
export const SOX: ConvertingProgram = {
  name: 'sox',
  argumentsFor: (format, output) => {
    const input = INPUTS.get(format);
    if (input === undefined) return null;
    const wav = ['-t', 'wav', '-e', 'signed-integer', '-b', '16'];
    return ['-V1', '-D', ...input, '-', ...wav, output, 'trim', '0', String(LONGEST_SECONDS)];
  },
};
