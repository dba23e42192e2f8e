/** The file that started this program, as it was called: a link in it may lead to a newer version by now. Set by bin/bothways. */
const LAUNCHER_VARIABLE = "BOTHWAYS_LAUNCHER"

/** How to start the program that is on disk now; arguments follow. */
export function ownProgram(): string[] {
  const launcher = process.env[LAUNCHER_VARIABLE] ?? ""
  return launcher === "" ? [process.execPath, ...process.execArgv, process.argv[1]!] : [launcher]
}

/** The command line of this process, for the program that is on disk now. */
export function ownCommand(): string[] {
  return [...ownProgram(), ...process.argv.slice(2)]
}

const TRIAL_MS = 15_000

/** Has the program tell its version. "" = it does; else why it does not run at all: a half-installed package is found before anything is handed over. */
export async function programProblem(program = ownProgram()): Promise<string> {
  try {
    const trial = Bun.spawn([...program, "version"], { stdin: "ignore", stdout: "ignore", stderr: "pipe", timeout: TRIAL_MS, killSignal: "SIGKILL" })
    const [text, code] = await Promise.all([new Response(trial.stderr).text(), trial.exited])
    return code === 0 ? "" : `the program on disk does not run: ${text.trim().slice(-2000) || `\`${program.join(" ")} version\` ends with ${code}`}`
  } catch (error) {
    return `the program on disk cannot be started: ${(error as Error).message}`
  }
}
