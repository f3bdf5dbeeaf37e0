import { createInterface } from 'node:readline/promises';

/** Asks a question on the terminal and gives the line that is typed. */
export type AskLine = (question: string) => Promise<string>;

/** The question goes to stderr; the line is the first of stdin, empty where that ends. */
export async function askOnTerminal(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const closed = new Promise<null>((resolve) => terminal.once('close', () => resolve(null)));
    const line = await Promise.race([terminal.question(question), closed]);
    if (line === null) process.stderr.write('\n'); // what is said next stands on a line of its own
    return line ?? '';
  } finally {
    terminal.close();
  }
}
