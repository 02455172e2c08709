import { once } from "node:events";
import { connect } from "node:net";
import t from "tap";
import { AdminListener } from "../../src/server/admin.js";
import type { ReloadOutcome } from "../../src/server/admin-source.js";
import { adminSource } from "../support/admin-source.js";

const OUTCOME: ReloadOutcome = { ok: true, atMs: 1, generation: 2, problems: [], warnings: [] };

t.test(
  "who asks for a reload or an upgrade is answered, however long it takes; who says nothing is closed",
  async (t) => {
    for (const path of ["reload", "upgrade"] as const) {
      let begun = () => {};
      const hasBegun = new Promise<void>((resolve) => {
        begun = resolve;
      });
      let end: (outcome: ReloadOutcome) => void = () => {};
      const act = () => {
        begun();
        return new Promise<ReloadOutcome>((resolve) => {
          end = resolve;
        });
      };
      const silenceMs = 100;
      const admin = new AdminListener({ host: "127.0.0.1", port: 0 }, adminSource({ [path]: act }), silenceMs);
      const { port } = await admin.listen();
      t.teardown(() => admin.close());
      const answer = fetch(`http://127.0.0.1:${port}/${path}`, { method: "POST" });
      await hasBegun;
      // Opened behind it, and closed for its silence while the other waits.
      const silent = connect(port, "127.0.0.1");
      silent.resume();
      await once(silent, "close");
      end(OUTCOME);
      t.strictSame(await (await answer).json(), OUTCOME, path);
    }
  },
);
