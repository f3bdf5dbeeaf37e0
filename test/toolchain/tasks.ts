import { spawn } from 'node:child_process';
import { delimiter, dirname, join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { pathWithDaemons } from '../support/programs.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

/** A program to run in the project's directory. */
export interface Task {
  readonly name: string;
  /** Name of a program of a package of ours, or an absolute path. */
  readonly program: string;
  readonly args: readonly string[];
}

export interface TaskResult {
  readonly name: string;
  readonly passed: boolean;
  readonly output: string;
  readonly seconds: number;
}

/** Colours where a person looks at a terminal, nothing where the text goes into a file. */
export function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The environment of what we start: the Node that runs us comes first, daemons are found by name. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const path = [dirname(process.execPath), join(ROOT, 'node_modules/.bin'), pathWithDaemons()];
  const colour = paint('red', 'x') === 'x' ? {} : { FORCE_COLOR: '1' };
  return { ...process.env, ...colour, PATH: path.join(delimiter) };
}

/** Runs a program to its end and keeps what it prints; with `live` it prints for itself. */
export async function runTask(task: Task, live = false): Promise<TaskResult> {
  const started = performance.now();
  const program = task.program.startsWith('/') ? task.program : join(ROOT, 'node_modules/.bin', task.program);
  const child = spawn(program, task.args, {
    cwd: ROOT,
    env: childEnvironment(),
    stdio: live ? 'inherit' : ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const passed = await new Promise<boolean>((settle) => {
    child.once('error', (error) => {
      output += `${error}\n`;
      settle(false);
    });
    child.once('close', (code) => settle(code === 0));
  });
  return { name: task.name, passed, output, seconds: (performance.now() - started) / 1000 };
}

/** Runs tasks, `width` at once, one line each as it ends; what a failed one printed follows its line. */
export async function runTasks(tasks: readonly Task[], width: number): Promise<TaskResult[]> {
  const waiting = [...tasks];
  const results: TaskResult[] = [];
  const column = Math.max(...tasks.map((task) => task.name.length)) + 2;
  const worker = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
      const result = await runTask(task);
      const mark = result.passed ? paint('green', '✓') : paint('red', '✗');
      say(`${mark} ${task.name.padEnd(column)}${paint('dim', `${result.seconds.toFixed(1)} s`)}`);
      if (!result.passed) say(`${result.output.trimEnd()}\n`);
      results.push(result);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
