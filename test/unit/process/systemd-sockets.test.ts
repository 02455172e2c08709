import t from "tap";
import { takeSystemdSockets } from "../../../src/process/systemd-sockets.js";

const PID = 4_711;
const take = (env: NodeJS.ProcessEnv) => takeSystemdSockets({ LISTEN_PID: String(PID), ...env }, PID);

t.test("sockets are found by name, several of one name in their order, from 3 on", async (t) => {
  const sockets = take({ LISTEN_FDS: "4", LISTEN_FDNAMES: "http:https:http:unknown" });
  t.same(sockets.find("http"), [3, 5]);
  t.same(sockets.find("https"), [4]);
  t.same(sockets.find("admin"), []);
  t.match(sockets.unused(new Set(["http", "https"])), [/named unknown/]);
  t.equal(sockets.unused(new Set()).length, 3);
});

t.test("names that are missing are systemd's word for it", async (t) => {
  t.same(take({ LISTEN_FDS: "2" }).find("unknown"), [3, 4]);
  t.same(take({ LISTEN_FDS: "2", LISTEN_FDNAMES: "web" }).find("unknown"), [4]);
  t.same(take({ LISTEN_FDS: "1", LISTEN_FDNAMES: "" }).find(""), [3]);
});

t.test("names beyond the sockets are nothing", async (t) => {
  t.same(take({ LISTEN_FDS: "1", LISTEN_FDNAMES: "a:b" }).find("b"), []);
});

t.test("sockets of another process, or a number that is none, are not taken", async (t) => {
  const names = { LISTEN_FDNAMES: "web:web" };
  for (const env of [
    { LISTEN_FDS: "2", LISTEN_PID: "1" },
    { LISTEN_FDS: "2", LISTEN_PID: "" },
    { LISTEN_FDS: "-1" },
    { LISTEN_FDS: "2x" },
    { LISTEN_FDS: "1e3" },
    { LISTEN_FDS: "9999" },
    {},
  ]) {
    t.same(take({ ...names, ...env }).find("web"), []);
  }
});

t.test("the variables are taken out, whoever they were for", async (t) => {
  for (const LISTEN_PID of [String(PID), "1"]) {
    const env: NodeJS.ProcessEnv = { LISTEN_PID, LISTEN_FDS: "1", LISTEN_FDNAMES: "web", PATH: "/bin" };
    takeSystemdSockets(env, PID);
    t.same(env, { PATH: "/bin" });
  }
});
