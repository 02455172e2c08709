import { fileURLToPath } from "node:url";
import { pino } from "pino";
import t from "tap";
import { Crew } from "../../../src/process/crew.js";
import { FrontDoors } from "../../../src/process/front-doors.js";

const log = pino({ level: "silent" });

function crewOf(program: string): { readonly crew: Crew; readonly forks: () => number } {
  let forks = 0;
  const crew = new Crew({
    log,
    doors: new FrontDoors({ log, systemdSockets: () => [] }),
    program: fileURLToPath(new URL(`./programs/${program}.ts`, import.meta.url)),
    startMessage: async () => {
      throw new Error("nobody came so far");
    },
    onPatch: () => {},
    onFork: () => {
      forks += 1;
    },
    onGone: () => {},
  });
  return { crew, forks: () => forks };
}

t.test("three workers in a row that end right after their start end the start, in one sentence", async (t) => {
  const { crew, forks } = crewOf("dies");
  await t.rejects(crew.start(1), { message: /3 workers in a row ended right after their start.*exit status 7/ });
  t.equal(forks(), 3);
  await crew.stop(0);
  t.equal(crew.all.length, 0);
});

t.test("a worker of a program that speaks another protocol is not started; the sentence says to restart", async (t) => {
  const { crew } = crewOf("other-protocol");
  await t.rejects(crew.start(1), { message: /another protocol.*restart/ });
  await crew.stop(0);
});
