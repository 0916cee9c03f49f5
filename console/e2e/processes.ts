/**
 * The real processes under test: control plane and agent, on ports of the system's choice, with state of their own.
 *
 * Nothing is built here. `DHARMA_CONTROL_PLANE_BIN` and `DHARMA_AGENT_BIN` name the programs, `DHARMA_BINARIES` the
 * folder of both; without them they are looked for where cargo puts them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** From start to serving; migrations and the first key pair are within. */
const READY_MILLISECONDS = 60_000;
/** From the request to stop to the end of the process. */
const STOP_MILLISECONDS = 15_000;
/** The user without any right, by its number on every Unix. */
const NOBODY = 65_534;

interface Ready {
  console: string;
  uplink: string;
  enroll: string;
  pin: string;
}

function program(name: string, variable: string): string {
  const folders = [
    process.env["DHARMA_BINARIES"],
    process.env["CARGO_TARGET_DIR"] && join(process.env["CARGO_TARGET_DIR"], "debug"),
    join(homedir(), ".cache/dharma/target/debug"),
    join(ROOT, "target/debug"),
  ];
  const candidates = [process.env[variable], ...folders.map((folder) => folder && join(folder, name))];
  const found = candidates.find((path) => path && existsSync(path));
  if (found) return found;
  throw new Error(`there is no ${name}: build it with cargo, or name it in ${variable}`);
}

/** Asks `probe` until it answers, or fails with what was waited for. */
export async function until<T>(what: string, limit: number, probe: () => Promise<T | null> | T | null): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    const answer = await probe();
    if (answer !== null) return answer;
    if (Date.now() > end) throw new Error(`waited ${limit / 1000} s in vain: ${what}`);
    await new Promise((resume) => setTimeout(resume, 100));
  }
}

class Process {
  readonly log: string;
  private readonly child: ChildProcess;
  private hasEnded = false;

  constructor(name: string, folder: string, binary: string, parameters: string[], as: { uid?: number; gid?: number } = {}) {
    this.log = join(folder, `${name}.log`);
    const out = openSync(this.log, "a");
    this.child = spawn(binary, parameters, { stdio: ["ignore", out, out], ...as });
    this.child.on("exit", () => {
      this.hasEnded = true;
    });
    this.child.on("error", (error) => {
      writeFileSync(this.log, String(error), { flag: "a" });
      this.hasEnded = true;
    });
  }

  get isOver(): boolean {
    return this.hasEnded;
  }

  check(): void {
    if (this.hasEnded) throw new Error(`the process ended early:\n${readFileSync(this.log, "utf8").slice(-4000)}`);
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    this.child.kill("SIGTERM");
    await until("the process stops", STOP_MILLISECONDS, () => (this.hasEnded ? true : null)).catch(() => {
      this.child.kill("SIGKILL");
    });
  }
}

export class World {
  readonly folder = mkdtempSync(join(tmpdir(), "dharma-e2e-"));
  private readonly processes: Process[] = [];
  private ready: Ready | undefined;

  get address(): string {
    return (this.ready?.console ?? "").replace(/\/$/, "");
  }
  get setupCode(): string {
    return readFileSync(join(this.folder, "control-plane/setup-code"), "utf8").trim();
  }

  async start(): Promise<void> {
    if (!existsSync(join(DIST, "index.html"))) throw new Error("there is no dist/: run `npm run build` first");
    const file = join(this.folder, "ready.json");
    const parameters = ["run", "--state", join(this.folder, "control-plane"), "--console-dir", DIST, "--ready-file", file];
    for (const port of ["--listen", "--uplink", "--enroll"]) parameters.push(port, "127.0.0.1:0");
    const controlPlane = new Process("control-plane", this.folder, program("dharma-control-plane", "DHARMA_CONTROL_PLANE_BIN"), parameters);
    this.processes.push(controlPlane);
    this.ready = await until("the control plane serves", READY_MILLISECONDS, () => {
      controlPlane.check();
      return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Ready) : null;
    });
  }

  /**
   * Starts an agent that joins by the token in a command as the console shows it.
   *
   * One without rights runs as `nobody` where the tests run as root; elsewhere it has none anyway.
   */
  startAgent(name: string, command: string, hasRights = true): void {
    const token = /dj_[\w.-]+/.exec(command)?.[0];
    if (!token) throw new Error(`there is no join token in: ${command}`);
    const own = join(this.folder, name);
    mkdirSync(own, { mode: 0o700 });
    const file = join(own, "token");
    writeFileSync(file, token, { mode: 0o600 });
    const server = (this.ready?.enroll ?? "").replace(/^\w+:\/\//, "");
    const parameters = ["run", "--state", join(own, "state"), "--server", server, "--token-file", file];
    let binary = program("dharma-agent", "DHARMA_AGENT_BIN");
    const isNobody = !hasRights && process.getuid?.() === 0;
    if (isNobody) {
      // Cargo's folder is root's alone.
      const copy = join(own, "dharma-agent");
      copyFileSync(binary, copy);
      chmodSync(copy, 0o755);
      binary = copy;
      chmodSync(this.folder, 0o755);
      for (const path of [own, file, copy]) chownSync(path, NOBODY, NOBODY);
    }
    this.processes.push(new Process(name, this.folder, binary, parameters, isNobody ? { uid: NOBODY, gid: NOBODY } : {}));
  }

  /** Only enrolls, as the machine of a person would who runs the shown command; whether it was admitted is seen on the page. */
  async enroll(name: string, command: string): Promise<void> {
    const token = /dj_[\w.-]+/.exec(command)?.[0] ?? "";
    const file = join(this.folder, `${name}.token`);
    writeFileSync(file, token, { mode: 0o600 });
    const server = (this.ready?.enroll ?? "").replace(/^\w+:\/\//, "");
    const parameters = ["enroll", "--state", join(this.folder, name), "--server", server, "--token-file", file];
    const agent = new Process(name, this.folder, program("dharma-agent", "DHARMA_AGENT_BIN"), parameters);
    await until("the enrollment ends", STOP_MILLISECONDS, () => (agent.isOver ? true : null));
  }

  check(): void {
    for (const process of this.processes) process.check();
  }

  logs(): string {
    return this.processes.map(({ log }) => `--- ${log}\n${readFileSync(log, "utf8").slice(-6000)}`).join("\n");
  }

  async stop(): Promise<void> {
    for (const process of this.processes.toReversed()) await process.stop();
    if (!process.env["DHARMA_E2E_KEEP"]) rmSync(this.folder, { recursive: true, force: true });
  }
}
